// The registry is asked for what clouds hold and no more: a million leases of machines are not
// looked at.
#include "app/cloud_facts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/other_tools.hpp"
#include "host/outer.hpp"
#include "nutshell/spec.hpp"

namespace nutshell {
namespace {

/// Ranges that a cloud holds in pools of addresses.
std::vector<AddressRange> public_ranges(House& house, const std::string& cloud) {
  std::vector<AddressRange> all;
  for (const Lease& lease : house.registry().leases_of(cloud_holder(cloud))) {
    if (lease.lifetime != Lifetime::cloud || lease.value.find('/') != std::string::npos) continue;
    if (const auto ranges = parse_ranges(lease.value))
      all.insert(all.end(), ranges->begin(), ranges->end());
  }
  return all;
}

/// The pieces of `whole` that are outside of `holes`, which are in order and apart.
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

}  // namespace

Uuid cloud_holder(const std::string& cloud) { return Uuid{"cloud:" + cloud}; }

void add_other_ranges(House& house, Facts& facts, const std::string& own_cloud) {
  facts.ranges = host::tool_bridges(facts);
  const auto add = [&](std::vector<RangeFact> more) {
    facts.ranges.insert(facts.ranges.end(), more.begin(), more.end());
  };
  add(host::observe_other_tools());
  if (const auto& outer = host::observe_outer())
    for (const AddressRange& range : outer->ranges)
      add({{range.first, range.last, "something outside of this nested box", true}});

  std::vector<AddressRange> own =
      own_cloud.empty() ? std::vector<AddressRange>{} : public_ranges(house, own_cloud);
  std::sort(own.begin(), own.end());
  for (const CloudRow& cloud : house.registry().clouds()) {
    if (cloud.name == own_cloud) continue;
    for (const AddressRange& range : public_ranges(house, cloud.name))
      add({{range.first, range.last, fmt::format("the cloud {}", cloud.name), true}});
  }
  for (const PoolRange& pool : house.config.pools) {
    if (pool.kind != "ipv4") continue;
    const AddressRange whole{{static_cast<std::uint32_t>(pool.low)},
                             {static_cast<std::uint32_t>(pool.high)}};
    for (const AddressRange& piece : without(whole, own))
      add({{piece.first, piece.last, fmt::format("the pool {} of public addresses", pool.name),
            true}});
  }
}

}  // namespace nutshell
