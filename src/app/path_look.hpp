// A machine's paths through this host, looked at once: devices, filters, routes, neighbours.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "app/house.hpp"
#include "host/outer_host.hpp"
#include "nutshell/packet_path.hpp"

namespace nutshell {

struct PathLook {
  std::vector<HostPath> paths;       ///< one for each NIC
  std::vector<std::string> remarks;  ///< what could not be seen, one sentence each
  bool saw_filters = true;  ///< false: what sits on them could not be seen, or not all of it
  std::optional<host::OuterHost> outer;
  std::vector<std::string> outer_macs;  ///< of the devices by which the paths leave this host
};

/// `to`: the address at the other end, where one was named.
PathLook look_at_paths(House& house, const MachineRow& row, const std::optional<Ipv4>& to);
/// Looks again one to four seconds later, where a filter of ours or rp_filter has counted, and
/// notes what it counts now.
void look_again(House& house, const MachineRow& row, const std::optional<Ipv4>& to, PathLook& look);

/// What of the host stands in the way of whole bridges and networks, whatever the machine: foreign
/// filters, forwarding that is off, rp_filter.
struct WayTrouble {
  std::string name;  ///< "filter br0", "forwarding nutshell0", "rp_filter"
  std::string words, cure;
  bool bad = false;
};
/// Of every bridge that a machine of this registry has a NIC on, and every network that is up.
std::vector<WayTrouble> way_troubles(House& house);
/// Rules of others that name the uplink of an adopted bridge, and match nothing since.
std::vector<WayTrouble> stale_rule_troubles(House& house);
/// Subnets of networks and clouds that an address or route of somebody else's came into later.
std::vector<WayTrouble> range_troubles(House& house, const Facts& facts);

}  // namespace nutshell
