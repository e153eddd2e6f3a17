// Growing takes another piece, shrinking cuts from the end; so a cloud keeps what its machines may
// use already. All of it happens in the caller's transaction, on what the registry shows there.
#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_facts.hpp"
#include "app/cloud_file.hpp"
#include "app/cloud_ranges.hpp"

namespace nutshell {
namespace {

constexpr std::uint64_t most_looked_at = 4096;

void say_skipped(House& house, const Taken& taken) {
  for (const Skipped& one : taken.skipped)
    house.reporter.note(
        fmt::format("{} {} is passed over: {} has it", one.pool, one.value, one.holder));
}

/// Errors of the allocator, at the line of the wish that they come from.
template <class Take>
Lease taken_at(House& house, const std::string& origin, const Take& take) {
  try {
    Taken taken = take();
    say_skipped(house, taken);
    return taken.leases.front();
  } catch (const Exhausted& error) {
    throw Exhausted(fmt::format("{}: {}", origin, error.what()));
  } catch (const Conflict& error) {
    throw Conflict(fmt::format("{}: {}", origin, error.what()));
  } catch (const ConfigError& error) {
    throw ConfigError(origin, error.problems().front().what);
  }
}

class Follower {
 public:
  Follower(House& house, Transaction& transaction, const std::string& cloud, const Facts& facts)
      : house_(house), allocator_(transaction.allocator()), cloud_(cloud), facts_(facts) {}

  void follow(const PublicWish& wish, const CloudRanges& held, bool whole_net) {
    if (is_met(held, wish)) return;
    const std::string pool = wish.asked() ? public_pool_of(house_, wish, held) : "";
    std::vector<AddressRange> kept = held.pieces;
    if (pool != held.public_pool) give_all(held.public_pool, kept);
    if (!wish.ranges.empty()) return follow_ranges(pool, wish, kept);
    const std::uint64_t have = size_of(kept);
    if (have > wish.count) shrink(pool, kept, have - wish.count);
    if (have < wish.count) {
      Want want{pool, CloudRanges::index_of_publics, Lifetime::cloud, std::nullopt};
      want.count = wish.count - have;
      const auto place =
          kept.empty() && whole_net ? net_in(pool, want.count) : next_to(pool, kept, want.count);
      if (place) want.value = value_of(*place);
      take(want, wish.origin);
    }
  }

  void follow(const PrivateWish& wish, const CloudRanges& held) {
    if (is_met(held, wish)) return;
    const std::string pool = wish.asked() ? private_pool_of(house_, wish) : "";
    if (held.subnet) allocator_.release_value(held.private_pool, to_string(*held.subnet));
    if (!wish.asked()) return;
    Want want{pool, CloudRanges::index_of_subnet, Lifetime::cloud, std::nullopt};
    if (wish.subnet) want.value = to_string(*wish.subnet);
    want.prefix = wish.prefix;
    take(want, wish.origin);
  }

 private:
  House& house_;
  Allocator& allocator_;
  std::string cloud_;
  Facts facts_;

  void take(const Want& want, const std::string& origin) {
    taken_at(house_, origin, [&] { return allocator_.take(cloud_holder(cloud_), {want}, facts_); });
  }
  void give_all(const std::string& pool, std::vector<AddressRange>& kept) {
    for (const AddressRange& range : kept) allocator_.release_value(pool, value_of(range));
    kept.clear();
  }
  void follow_ranges(const std::string& pool, const PublicWish& wish,
                     const std::vector<AddressRange>& kept) {
    std::vector<AddressRange> wished = wish.ranges;
    std::sort(wished.begin(), wished.end());
    for (const AddressRange& range : kept)
      for (const AddressRange& gone : without(range, wished))
        allocator_.release_value(pool, value_of(gone));
    for (const AddressRange& range : wished)
      for (const AddressRange& comes : without(range, kept))
        take({pool, CloudRanges::index_of_publics, Lifetime::cloud, value_of(comes)}, wish.origin);
  }
  /// So many addresses right behind what the cloud has, where they are free.
  std::optional<AddressRange> next_to(const std::string& pool,
                                      const std::vector<AddressRange>& kept, std::uint64_t count) {
    if (kept.empty() || count > most_looked_at) return std::nullopt;
    const std::uint64_t first = std::uint64_t{kept.back().last.value} + 1;
    const std::vector<PoolRange> pools = effective_pools(house_.config);
    const PoolRange* known = pool_named(pools, pool);
    if (!known || first + count - 1 > known->high) return std::nullopt;
    return free_at(*known, first, count);
  }
  /// A free network of so many addresses, the first that there is.
  std::optional<AddressRange> net_in(const std::string& pool, std::uint64_t count) {
    const std::vector<PoolRange> pools = effective_pools(house_.config);
    const PoolRange* known = pool_named(pools, pool);
    if (!known || count > most_looked_at || (count & (count - 1)) != 0) return std::nullopt;
    for (std::uint64_t first = (known->low + count - 1) / count * count;
         first + count - 1 <= known->high; first += count)
      if (const auto range = free_at(*known, first, count)) return range;
    return std::nullopt;
  }
  std::optional<AddressRange> free_at(const PoolRange& known, std::uint64_t first,
                                      std::uint64_t count) {
    const AddressRange range{{static_cast<std::uint32_t>(first)},
                             {static_cast<std::uint32_t>(first + count - 1)}};
    const auto meets = [&](Ipv4 low, Ipv4 high) {
      return low <= range.last && range.first <= high;
    };
    for (const auto& [low, high] : known.excluded)
      if (low <= range.last.value && range.first.value <= high) return std::nullopt;
    for (const IpFact& fact : facts_.ips)
      if (meets(fact.ip, fact.ip)) return std::nullopt;
    for (const AddressFact& fact : facts_.addresses)
      if (meets(fact.net.address, fact.net.address)) return std::nullopt;
    for (const RouteFact& fact : facts_.routes)
      if (range.first <= fact.destination.first() &&
          meets(fact.destination.first(), fact.destination.last()))
        return std::nullopt;
    for (const RangeFact& fact : facts_.ranges)
      if (!fact.subnets_only && meets(fact.first, fact.last)) return std::nullopt;
    const Want want{known.name, CloudRanges::index_of_publics, Lifetime::cloud, value_of(range)};
    if (allocator_.obstacle(cloud_holder(cloud_), want, facts_)) return std::nullopt;
    return range;
  }
  /// From the end: what a machine got first was the lowest.
  void shrink(const std::string& pool, std::vector<AddressRange>& kept, std::uint64_t by) {
    while (by > 0 && !kept.empty()) {
      AddressRange& last = kept.back();
      const std::uint64_t gone = std::min(by, size_of(last));
      const AddressRange end{{last.last.value - static_cast<std::uint32_t>(gone - 1)}, last.last};
      allocator_.release_value(pool, value_of(end));
      by -= gone;
      if (end.first == last.first)
        kept.pop_back();
      else
        last.last.value = end.first.value - 1;
    }
  }
};

}  // namespace

void follow_wishes(House& house, Transaction& transaction, const std::string& cloud,
                   const PublicWish& publics, const PrivateWish& subnet, const Facts& facts,
                   bool whole_net) {
  const CloudRanges held = ranges_of(house, cloud);
  Follower follower(house, transaction, cloud, facts);
  follower.follow(publics, held, whole_net);
  // What the cloud has of public addresses now is no stranger's to its own subnet.
  Facts now = facts;
  now.ranges.clear();
  add_other_ranges(house, now, cloud);
  Follower(house, transaction, cloud, now).follow(subnet, held);
  const CloudRanges has = ranges_of(house, cloud);
  if (has.publics != held.publics) transaction.set_public_pool(cloud, has.publics);
}

}  // namespace nutshell
