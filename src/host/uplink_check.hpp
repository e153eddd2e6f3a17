// Whether a link can become a bridge's port and give its addresses away, and who else looks after
// it.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "nutshell/adoption.hpp"

namespace nutshell::host {

/// Throws ConfigError (no link's name), NotFound, or Conflict with the reason why that link cannot
/// be an uplink: down, loopback, not Ethernet, wireless, a port already, with children that take
/// its frames, routed over nexthop objects.
void check_uplink(const std::string& uplink);

enum class NetworkService { networkd, ifupdown, network_manager };
struct UplinkOwner {
  std::optional<NetworkService> service;  ///< none: a DHCP client on its own
  std::string words;                      ///< "systemd-networkd manages it"
};
/// Whoever would go on writing to the uplink after an adoption.
std::vector<UplinkOwner> uplink_owners(const UplinkView& view);
/// Who sets up this host's network when it starts; the owner of the uplink first. nullopt: nobody
/// that we know.
std::optional<NetworkService> service_in_charge(const std::vector<UplinkOwner>& owners);

}  // namespace nutshell::host
