// The host's part of the way that a packet takes between the outside and a machine's NIC: the link
// that the host routes by or the uplink, bridge, tap. What was seen of each device and of the
// filters that sit on it, which of them is the one that lets nothing through, and what would cure
// it. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nutshell/values.hpp"

namespace nutshell {

/// outer: the link by which the host routes; it is no port of the bridge.
enum class PathRole { outer, uplink, bridge, tap, macvtap };
std::string to_string(PathRole role);

/// What went through a device, from its own side: a tap receives what the guest sends. Of a bridge,
/// what all of its ports received and sent.
struct PathCounters {
  std::uint64_t bytes = 0, packets = 0, dropped = 0, errors = 0;
};

/// A filter that drops what crosses a device: one rule, or a policy.
struct PathFilter {
  std::string where;                     ///< "ip filter FORWARD, whose policy is drop"
  std::string owner;                     ///< "Docker's "; "" where it cannot be told
  bool in = false, out = false;          ///< what goes to the machine, what comes from it
  bool certain = false;                  ///< everything; else some of it, or it cannot be told
  bool ours = false;                     ///< our own: anti-spoofing, or a group
  bool from_host = false;                ///< between the machine and this host itself
  std::optional<std::uint64_t> packets;  ///< counted, where it counts
  std::uint64_t rising = 0;              ///< of these, while it was looked at
  std::string cure;                      ///< one line for a shell; "" none
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
  bool isolated = false;  ///< a port that reaches no other isolated one (IFLA_BRPORT_ISOLATED)
  unsigned mtu = 0;
  PathCounters received, sent;
  std::vector<PathFilter> filters;
};

/// Where a path is broken: the first device, from the outside inwards, that lets nothing through,
/// and why.
struct PathBreak {
  std::string device;
  std::string why;   ///< "is down; `ip link set em1 up` sets it up"
  std::string cure;  ///< one line for a shell that cures it; "" where none does
};

/// What the host does with packets that it routes between the bridge and an address, as its kernel
/// answers.
struct PathRoute {
  std::string to;                   ///< the address that was asked for; "" the default route was
  std::string gateway;              ///< "" the address is on the link itself
  bool local = false;               ///< the address is this host's own
  bool refused = false;             ///< no route, or one that says so
  bool forbidden = false;           ///< of a refusal: a route or a rule of routing says so
  bool forwards = true;             ///< false: the setting that is named next is off
  std::string forwarding;           ///< "net.ipv4.ip_forward"
  std::string strict;               ///< a link whose rp_filter drops what comes from there; "" none
  std::uint64_t strict_drops = 0;   ///< what the host has dropped for that reason, on any link
  bool strict_guess = false;        ///< that what comes back would come in by that link is a guess
  std::uint64_t strict_rising = 0;  ///< of the drops, while it was looked at
  std::optional<std::string> astray;  ///< the link by which the host itself would send to the
                                      ///< machine instead of its bridge; "" by none at all
  std::string guest;                  ///< the machine's address
};

/// An address that nobody answers for (ARP), on the device of that name.
struct DeadNeighbour {
  std::string device, address;
  bool is_machine =
      false;  ///< the machine's own; else the gateway's, or the one that was asked for
};

struct HostPath {
  unsigned nic = 0;
  bool wants_uplink =
      false;            ///< a bridge NIC: the way leads out through a port that is no machine's
  bool has_tap = true;  ///< false: the machine does not run
  std::vector<PathDevice> devices;  ///< in order, from the outside inwards
  unsigned told_mtu = 0;            ///< what the machine's owner asked for; 0: nothing
  std::optional<PathRoute> route;   ///< a managed network that leads out, or --to
  std::optional<DeadNeighbour> dead;
  std::optional<PathBreak> shut;  ///< what no device shows: it is paused, our own rules keep it
                                  ///< from there, the bridge has lost its address
};

/// What a filter drops, in words: "what goes to the machine and what comes from it".
std::string direction_of(const PathFilter& filter);
/// nullopt when everything is in order. What is not there or not set up is named before what is
/// merely a consequence of it (a port of a bridge that is down is disabled, too).
std::optional<PathBreak> find_break(const HostPath& path);
/// Its part beyond what the devices show of themselves: MTU, filters, routing, neighbours.
std::optional<PathBreak> find_hidden_break(const HostPath& path);

}  // namespace nutshell
