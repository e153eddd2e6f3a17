// The registry is asked for what clouds hold and no more: a million leases of machines are not
// looked at.
#include "app/cloud_facts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_ranges.hpp"
#include "app/lost.hpp"
#include "app/network.hpp"
#include "host/other_tools.hpp"
#include "host/outer.hpp"
#include "host/outer_host.hpp"
#include "nutshell/json.hpp"
#include "nutshell/spec.hpp"

namespace nutshell {
namespace {

struct HeldRange {
  AddressRange range;
  bool declared = true;  ///< its pool is one of nutshell.toml's
};

bool is_declared(const House& house, const std::string& pool) {
  return std::any_of(house.config.pools.begin(), house.config.pools.end(),
                     [&](const PoolRange& each) { return each.name == pool; });
}

/// Ranges that a cloud holds in pools of addresses.
std::vector<HeldRange> public_ranges(House& house, const std::string& cloud) {
  std::vector<HeldRange> all;
  for (const Lease& lease : house.registry().leases_of(cloud_holder(cloud))) {
    if (lease.lifetime != Lifetime::cloud || lease.value.find('/') != std::string::npos) continue;
    if (const auto ranges = parse_ranges(lease.value))
      for (const AddressRange& range : *ranges)
        all.push_back({range, is_declared(house, lease.pool)});
  }
  return all;
}

}  // namespace

std::string holder_of_configured() { return fmt::format("the network {}", default_network); }

Uuid cloud_holder(const std::string& cloud) { return Uuid{"cloud:" + cloud}; }

std::vector<AlsoUse> also_in_use(House& house) {
  std::vector<AlsoUse> all;
  for (const MachineSummary& machine : house.registry().summaries()) {
    if (machine.spec_json.find("\"also\"") == std::string::npos) continue;
    const MachineSpec spec = spec_from_json(Json::parse(machine.spec_json));
    for (std::size_t i = 0; i < spec.nics.size(); ++i)
      if (spec.nics[i].kind == NicKind::bridge)
        for (const AddressRange& range : spec.nics[i].also) all.push_back({machine.name, i, range});
  }
  return all;
}

namespace {

std::vector<RangeFact> other_ranges(House& house, const Facts& facts,
                                    const std::string& own_cloud) {
  std::vector<RangeFact> ranges = host::tool_bridges(facts);
  for (RangeFact& range : host::observe_other_tools()) ranges.push_back(std::move(range));
  if (const auto& outer = host::observe_outer())
    for (const AddressRange& range : outer->ranges)
      ranges.push_back({range.first, range.last, "something outside of this nested box", true});

  if (const auto& configured = house.config.network)
    ranges.push_back({configured->first(), configured->last(), holder_of_configured()});
  for (const AlsoUse& also : also_in_use(house))
    ranges.push_back({also.range.first, also.range.last,
                      fmt::format("the machine {}", to_string(also.machine)), false,
                      also.machine.cloud});
  for (RangeFact& range : lost_ranges(house)) ranges.push_back(std::move(range));

  std::vector<AddressRange> own;
  if (!own_cloud.empty())
    for (const HeldRange& held : public_ranges(house, own_cloud)) own.push_back(held.range);
  std::sort(own.begin(), own.end());
  for (const CloudRow& cloud : house.registry().clouds()) {
    if (cloud.name == own_cloud) continue;
    // Of a pool that nutshell.toml has no more, another one may have the addresses by now.
    for (const HeldRange& held : public_ranges(house, cloud.name))
      ranges.push_back({held.range.first, held.range.last, fmt::format("the cloud {}", cloud.name),
                        held.declared});
  }
  for (const PublicAddress& one : house.registry().addresses())
    if (!one.pool.starts_with("public:") && !is_declared(house, one.pool))
      ranges.push_back({one.address, one.address, fmt::format("the cloud {}", one.cloud), false});
  for (const PoolRange& pool : house.config.pools) {
    if (pool.kind != "ipv4") continue;
    const AddressRange whole{{static_cast<std::uint32_t>(pool.low)},
                             {static_cast<std::uint32_t>(pool.high)}};
    for (const AddressRange& piece : without(whole, own))
      ranges.push_back({piece.first, piece.last,
                        fmt::format("the pool {} of public addresses", pool.name), true});
  }
  return ranges;
}

std::string outer_line(House& house, const Facts& facts, const std::vector<RangeFact>& others,
                       const std::string& own_cloud) {
  constexpr Ipv4Net loopback{{0x7f000000}, 8};
  constexpr unsigned main_table = 254;
  Outer told;
  told.depth = (host::observe_outer() ? host::observe_outer()->depth : 0) + 1;
  const auto add = [&](const Ipv4Net& net) {
    if (net.prefix != 0 && !net.overlaps(loopback))
      told.ranges.push_back({net.first(), net.last()});
  };
  for (const AddressFact& address : facts.addresses) add(address.net);
  for (const RouteFact& route : facts.routes)
    if (route.table == main_table) add(route.destination);
  for (const NetworkRow& network : house.registry().networks()) add(network.address);
  for (const RangeFact& range : others)
    if (own_cloud.empty() || range.cloud != own_cloud)
      told.ranges.push_back({range.first, range.last});
  for (const CloudRow& cloud : house.registry().clouds()) {
    if (cloud.name == own_cloud) continue;
    for (const Lease& lease : house.registry().leases_of(cloud_holder(cloud.name)))
      if (const auto net = lease.value.find('/') == std::string::npos ? std::nullopt
                                                                      : parse_ipv4_net(lease.value))
        add(*net);
  }
  return encode_outer(told);
}

}  // namespace

void add_other_ranges(House& house, Facts& facts, const std::string& own_cloud) {
  facts.cloud = own_cloud;
  facts.ranges = other_ranges(house, facts, own_cloud);
  facts.outer = outer_line(house, facts, facts.ranges, own_cloud);
}

std::string outer_line(House& house, const Facts& facts, const std::string& own_cloud) {
  return outer_line(house, facts, other_ranges(house, facts, own_cloud), own_cloud);
}

std::string depth_words(const Facts& facts) {
  if (const auto& outer = host::observe_outer())
    return fmt::format(
        "{}: this box is a machine of nutshell's itself; {} range{} in use outside, "
        "where no subnet is chosen",
        outer->depth, outer->ranges.size(), outer->ranges.size() == 1 ? " is" : "s are");
  const auto outside = host::observe_outer_host();
  if (!outside) return "0: this box is no virtual machine";
  return fmt::format(
      "0: this box is a virtual machine ({}){}", outside->hypervisor,
      facts.root ? ", and none of nutshell's" : "; whether of nutshell's, root sees");
}

}  // namespace nutshell
