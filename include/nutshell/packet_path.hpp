// The host's part of the way that a packet takes between the outside and a machine's NIC: uplink,
// bridge, tap. What was seen of each device, and which of them is the one that lets nothing
// through. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nutshell/values.hpp"

namespace nutshell {

enum class PathRole { uplink, bridge, tap, macvtap };
std::string to_string(PathRole role);

/// What went through a device, from its own side: a tap receives what the guest sends. Of a bridge,
/// what all of its ports received and sent.
struct PathCounters {
  std::uint64_t bytes = 0, packets = 0, dropped = 0, errors = 0;
};

struct PathDevice {
  PathRole role = PathRole::bridge;
  std::string name;
  std::string kind;      ///< as the kernel says: "veth", "tun", "bridge"; "" for hardware
  bool present = true;   ///< false: there is no such device; nothing below is known then
  bool up = false;       ///< set up by somebody (IFF_UP)
  bool carrier = false;  ///< IFF_LOWER_UP: for a tap, that QEMU holds it
  std::string master;    ///< the bridge that it is a port of; "" none
  std::string
      port_state;  ///< of a port: "forwarding", "blocking", ... (IFLA_BRPORT_STATE); "" of others
  unsigned mtu = 0;
  PathCounters received, sent;
};

/// Where a path is broken: the first device, from the outside inwards, that lets nothing through,
/// and why.
struct PathBreak {
  std::string device;
  std::string why;  ///< "is down; `ip link set em1 up` sets it up"
};

struct HostPath {
  unsigned nic = 0;
  bool wants_uplink =
      false;            ///< a bridge NIC: the way leads out through a port that is no machine's
  bool has_tap = true;  ///< false: the machine does not run
  std::vector<PathDevice> devices;  ///< in order, from the outside inwards
};

/// nullopt when everything is in order. What is not there or not set up is named before what is
/// merely a consequence of it (a port of a bridge that is down is disabled, too).
std::optional<PathBreak> find_break(const HostPath& path);

}  // namespace nutshell
