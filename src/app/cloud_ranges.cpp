// What a cloud has is what its leases say; whose pool a wish means is what nutshell.toml says.
#include "app/cloud_ranges.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_facts.hpp"
#include "app/cloud_file.hpp"

namespace nutshell {
namespace {

constexpr const char* usual_private_pool = "subnet";

std::vector<std::string> public_pools(const House& house) {
  std::vector<std::string> names;
  for (const PoolRange& pool : effective_pools(house.config))
    if (pool.kind == "ipv4") names.push_back(pool.name);
  return names;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

bool is_inside(const PoolRange& pool, const AddressRange& range) {
  return pool.low <= range.first.value && range.last.value <= pool.high;
}

}  // namespace

const PoolRange* pool_named(const std::vector<PoolRange>& pools, const std::string& name) {
  const auto found = std::find_if(pools.begin(), pools.end(),
                                  [&](const PoolRange& pool) { return pool.name == name; });
  return found == pools.end() ? nullptr : &*found;
}

std::string private_pool_of(const House& house, const PrivateWish& wish) {
  const std::string name = wish.pool.empty() ? usual_private_pool : wish.pool;
  const std::vector<PoolRange> pools = effective_pools(house.config);
  const PoolRange* pool = pool_named(pools, name);
  if (!pool || pool->kind != "subnet") {
    std::vector<std::string> known;
    for (const PoolRange& each : pools)
      if (each.kind == "subnet") known.push_back(each.name);
    throw ConfigError(wish.origin, fmt::format("there is no pool {} of subnets; there are: {}",
                                               printable(name), listed(known)));
  }
  if (!wish.pool.empty() && wish.subnet &&
      !is_inside(*pool, {wish.subnet->first(), wish.subnet->last()}))
    throw ConfigError(wish.origin,
                      fmt::format("{} is not in the pool {} ({} to {}); name one that is, or leave "
                                  "the pool out",
                                  to_string(*wish.subnet), name,
                                  to_string(Ipv4{static_cast<std::uint32_t>(pool->low)}),
                                  to_string(Ipv4{static_cast<std::uint32_t>(pool->high)})));
  return name;
}

std::uint64_t size_of(const AddressRange& range) {
  return std::uint64_t{range.last.value} - range.first.value + 1;
}
std::uint64_t size_of(const std::vector<AddressRange>& ranges) {
  std::uint64_t sum = 0;
  for (const AddressRange& range : ranges) sum += size_of(range);
  return sum;
}
std::vector<AddressRange> without(const AddressRange& whole,
                                  const std::vector<AddressRange>& holes) {
  std::vector<AddressRange> pieces;
  std::uint64_t next = whole.first.value;
  for (const AddressRange& hole : holes) {
    if (hole.last < whole.first || whole.last < hole.first) continue;
    if (next < hole.first.value)
      pieces.push_back({{static_cast<std::uint32_t>(next)}, {hole.first.value - 1}});
    next = std::max(next, std::uint64_t{hole.last.value} + 1);
  }
  if (next <= whole.last.value) pieces.push_back({{static_cast<std::uint32_t>(next)}, whole.last});
  return pieces;
}

std::string value_of(const AddressRange& range) { return to_string(std::vector{range}); }

std::uint64_t CloudRanges::addresses() const { return size_of(publics); }

namespace {
void join_pieces(CloudRanges& ranges) {
  std::sort(ranges.pieces.begin(), ranges.pieces.end());
  for (const AddressRange& piece : ranges.pieces) {
    std::vector<AddressRange>& joined = ranges.publics;
    if (!joined.empty() && joined.back().last.value + 1 == piece.first.value)
      joined.back().last = piece.last;
    else
      joined.push_back(piece);
  }
}
}  // namespace

CloudRanges ranges_of(House& house, const std::string& cloud) {
  CloudRanges ranges;
  for (const Lease& lease : house.registry().leases_of(cloud_holder(cloud))) {
    if (lease.lifetime != Lifetime::cloud) continue;
    if (lease.index == CloudRanges::index_of_subnet) {
      ranges.private_pool = lease.pool;
      ranges.subnet = parse_ipv4_net(lease.value);
    } else if (const auto read = parse_ranges(lease.value)) {
      ranges.public_pool = lease.pool;
      ranges.pieces.insert(ranges.pieces.end(), read->begin(), read->end());
    }
  }
  join_pieces(ranges);
  return ranges;
}

std::string words_of_publics(const CloudRanges& ranges) {
  return fmt::format("{} of the pool {}", to_string(ranges.publics), ranges.public_pool);
}

std::string words_of_subnet(const CloudRanges& ranges) {
  return ranges.subnet ? to_string(*ranges.subnet) : "none";
}

namespace {
/// True when nothing is wished that the cloud does not have: no pool has to give it.
bool is_part(const CloudRanges& held, const PublicWish& wish) {
  if (held.publics.empty() || (!wish.pool.empty() && wish.pool != held.public_pool)) return false;
  if (wish.ranges.empty()) return wish.count <= held.addresses();
  return std::all_of(wish.ranges.begin(), wish.ranges.end(), [&](const AddressRange& range) {
    return without(range, held.publics).empty();
  });
}
}  // namespace

std::string public_pool_of(const House& house, const PublicWish& wish, const CloudRanges& held) {
  if (is_part(held, wish)) return held.public_pool;
  const std::vector<PoolRange> pools = effective_pools(house.config);
  const std::vector<std::string> names = public_pools(house);
  if (names.empty())
    throw NotFound(fmt::format(
        "{}: there is no pool of public addresses; `nutshell pool add public --kind ipv4 --range "
        "FIRST-LAST` declares one",
        wish.origin));
  if (!wish.pool.empty() && std::find(names.begin(), names.end(), wish.pool) == names.end())
    throw ConfigError(wish.origin, fmt::format("there is no pool {} of public addresses; there "
                                               "are: {}",
                                               printable(wish.pool), listed(names)));
  const bool is_there = std::find(names.begin(), names.end(), held.public_pool) != names.end();
  if (wish.pool.empty() && wish.ranges.empty() && is_there) return held.public_pool;
  if (wish.pool.empty() && wish.ranges.empty() && names.size() > 1)
    throw ConfigError(wish.origin, fmt::format("there are several pools ({}); say which with pool",
                                               listed(names)));
  std::string name = wish.pool;
  if (name.empty() && wish.ranges.empty()) name = names.front();
  for (const AddressRange& range : wish.ranges) {
    const auto has = [&](const PoolRange& pool) {
      return pool.kind == "ipv4" && is_inside(pool, range) && (name.empty() || pool.name == name);
    };
    const auto found = std::find_if(pools.begin(), pools.end(), has);
    if (found == pools.end())
      throw ConfigError(
          wish.origin,
          fmt::format("{} is not in {}; name addresses of a pool, or widen it in "
                      "nutshell.toml",
                      value_of(range),
                      name.empty() ? "one pool (" + listed(names) + ")" : "the pool " + name));
    name = found->name;
  }
  return name;
}

bool is_met(const CloudRanges& held, const PublicWish& wish) {
  if (!wish.asked()) return held.publics.empty();
  if (held.publics.empty() || (!wish.pool.empty() && wish.pool != held.public_pool)) return false;
  if (wish.ranges.empty()) return held.addresses() == wish.count;
  CloudRanges wished;
  wished.pieces = wish.ranges;
  join_pieces(wished);
  return wished.publics == held.publics;
}

bool is_met(const CloudRanges& held, const PrivateWish& wish) {
  if (!wish.asked() || !held.subnet) return !wish.asked() && !held.subnet;
  if (!wish.pool.empty() && wish.pool != held.private_pool) return false;
  return wish.subnet ? *wish.subnet == *held.subnet : wish.prefix == held.subnet->prefix;
}

bool takes_away(const House& house, const CloudRanges& held, const PublicWish& wish) {
  if (held.publics.empty() || is_met(held, wish)) return false;
  if (!wish.asked() || public_pool_of(house, wish, held) != held.public_pool) return true;
  if (wish.ranges.empty()) return wish.count < held.addresses();
  return std::any_of(held.publics.begin(), held.publics.end(), [&](const AddressRange& range) {
    return std::none_of(wish.ranges.begin(), wish.ranges.end(), [&](const AddressRange& wanted) {
      return wanted.first <= range.first && range.last <= wanted.last;
    });
  });
}

bool takes_away(const CloudRanges& held, const PrivateWish& wish) {
  return held.subnet && !is_met(held, wish);
}

}  // namespace nutshell
