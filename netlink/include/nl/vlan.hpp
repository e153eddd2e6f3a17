// The VLANs of a bridge's port: which it takes, which of them leave without a tag, and where frames
// without one belong. They matter on a bridge with vlan_filtering alone.
#pragma once

#include <cstdint>
#include <vector>

#include "nl/link.hpp"

namespace nl {

/// VLANs from `first` to `last`, both included (1..4094), that a port treats alike.
struct PortVlans {
  std::uint16_t first = 1;
  std::uint16_t last = 1;
  bool pvid = false;      ///< where frames without a tag belong; one VLAN of a port at most
  bool untagged = false;  ///< its frames leave without their tag
  bool operator==(const PortVlans&) const = default;
};

/// Those of a port, in order, neighbours that are alike joined. Throws nl::Error: ENODEV without
/// that link. Empty for a link that is no port, and where the kernel has no VLAN filtering.
std::vector<PortVlans> list_vlans(Socket& socket, const LinkRef& port);
/// Adds them (or changes how they are treated), one message; EOPNOTSUPP where the kernel has none.
void add_vlans(Socket& socket, const LinkRef& port, const PortVlans& vlans);
/// Takes them away; those that the port does not have are none the less done.
void remove_vlans(Socket& socket, const LinkRef& port, const PortVlans& vlans);
/// Makes a port's VLANs exactly these; those that stay as they are are not touched, so that what
/// runs over them goes on.
void set_vlans(Socket& socket, const LinkRef& port, const std::vector<PortVlans>& wanted);

}  // namespace nl
