// pool ls: what there is to give, how much of it is taken, and of addresses and subnets a map of
// who owns what.
#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_facts.hpp"
#include "app/cmd.hpp"
#include "app/lost.hpp"
#include "app/pool_map.hpp"
#include "app/start.hpp"
#include "host/observe.hpp"

namespace nutshell {
namespace {

std::string value_of(const std::string& kind, std::uint64_t value) {
  if (kind == "mac") return to_string(Mac{value});
  if (kind == "ipv4" || kind == "subnet") return to_string(Ipv4{static_cast<std::uint32_t>(value)});
  if (kind == "vnc") return fmt::format(":{}", value);
  return std::to_string(value);
}

// A network's pool is drawn by the network's own list, and a cloud's is a part of these.
bool has_map(const House& house, const PoolRange& range) {
  if (range.name == "subnet") return true;
  return (range.kind == "ipv4" || range.kind == "subnet") &&
         std::any_of(house.config.pools.begin(), house.config.pools.end(),
                     [&](const PoolRange& pool) { return pool.name == range.name; });
}

/// What is given of addresses, by whichever pool: in the map of each that has them.
std::vector<Lease> given_addresses(House& house) {
  std::vector<Lease> given = house.registry().leases_in("ipv4:bridge");
  for (const Registry::PoolState& pool : house.registry().pools()) {
    const bool whole = pool.range.kind == "ipv4" || pool.range.kind == "subnet";
    // What networks and clouds give is a part of theirs.
    if (!whole || pool.range.name.find(':') != std::string::npos) continue;
    for (Lease& lease : house.registry().leases_in(pool.range.name))
      if (lease.foreign.empty()) given.push_back(std::move(lease));
  }
  return given;
}

}  // namespace

Exit run_pool_ls(const Parsed&, House& house) {
  Facts facts =
      observe_parts(house, host::part::links | host::part::addresses | host::part::routes);
  add_other_ranges(house, facts, "");
  // What clouds and pools have is not a stranger's: it is leased, or another pool's.
  std::erase_if(facts.ranges, [](const RangeFact& range) {
    return range.holder.starts_with("the cloud ") || range.holder.starts_with("the pool ");
  });
  const std::vector<Lease> given = given_addresses(house);
  Json list = Json::array();
  Table table{{"POOL", "RANGE", "SIZE", "LEASED", "RESERVED", "FOREIGN", "FROM"}, {}};
  std::string maps;
  for (const Registry::PoolState& pool : house.registry().pools()) {
    const std::string low = value_of(pool.range.kind, pool.range.low),
                      high = value_of(pool.range.kind, pool.range.high);
    Json shown = Json::object({{"name", pool.range.name},
                               {"kind", pool.range.kind},
                               {"low", low},
                               {"high", high},
                               {"size", pool.size},
                               {"leased", pool.leased},
                               {"reserved", pool.reserved},
                               {"foreign", pool.foreign},
                               {"origin", pool.range.origin}});
    if (has_map(house, pool.range)) {
      std::vector<Lease> leases = given, own = house.registry().leases_in(pool.range.name);
      leases.insert(leases.end(), own.begin(), own.end());
      const auto pieces = map_pool(pool.range, leases, facts);
      shown.set("map", to_json(pieces));
      maps += fmt::format("\n{}: {} to {}\n{}", pool.range.name, low, high, draw(pieces));
    }
    list.push(shown);
    table.rows.push_back({pool.range.name, low + " to " + high, std::to_string(pool.size),
                          std::to_string(pool.leased), std::to_string(pool.reserved),
                          std::to_string(pool.foreign), pool.range.origin});
  }
  warn_of_lost(house);
  house.reporter.answer(Json::object({{"pools", list}}),
                        table.text(house.reporter.colour()) + maps);
  return Exit::done;
}

}  // namespace nutshell
