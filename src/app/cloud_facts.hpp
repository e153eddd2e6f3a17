// Whose addresses are taken although no link and no route of this host shows it.
#pragma once
#include <string>
#include <vector>

#include "app/house.hpp"
#include "nutshell/facts.hpp"

namespace nutshell {

/// Fills `facts.ranges` anew: networks of other tools, also those that are down; what is in use
/// outside of a nested box; the pools of public addresses, and what clouds hold of them, where no
/// private subnet may lie; the subnet that nutshell.toml keeps for nutshell0, and what machines may
/// use by also=. What `own_cloud` has itself is left out; empty: nothing is. Bridges of other tools
/// are known by the links and addresses in `facts`. `facts.outer` becomes outer_line().
void add_other_ranges(House& house, Facts& facts, const std::string& own_cloud);

/// What a machine of that cloud is told that can run others, by encode_outer(): the host's networks
/// and routes of `facts`, managed networks, other ranges as above, private subnets of other clouds.
std::string outer_line(House& house, const Facts& facts, const std::string& own_cloud);
/// What a machine may use on a bridge beside its own address.
struct AlsoUse {
  MachineName machine;
  std::size_t nic = 0;
  AddressRange range;
};
/// All of that. The specs of machines that have none of it are not parsed.
std::vector<AlsoUse> also_in_use(House& house);
/// The depth of this box as `doctor` says it.
std::string depth_words(const Facts& facts);

/// The holder of nutshell0's subnet, where nutshell.toml has one for it.
std::string holder_of_configured();

/// The holder of what a cloud has as a whole (its leases of Lifetime::cloud): "cloud:NAME".
Uuid cloud_holder(const std::string& cloud);

}  // namespace nutshell
