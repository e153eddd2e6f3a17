// Opens what a QEMU line refers to by descriptor: disks, sockets, logs, taps. All of it is
// O_CLOEXEC and ours until the child has it.
#pragma once
#include <string>
#include <vector>

#include "host/fd.hpp"
#include "host/vlans.hpp"
#include "nutshell/argv.hpp"

namespace nutshell::host {

/// How one tap is set up before QEMU gets it. Of a macvtap link, which is there already, the name
/// and the queues count.
struct TapPlace {
  std::string name, bridge;
  std::string alias;  ///< our mark
  Mac host_mac;       ///< begins with fe, so that no bridge takes it for its own
  unsigned mtu = 0;   ///< what the guest is told; 0: the bridge's. The tap has it where the bridge
                      ///< is ours: another's would follow it down
  unsigned queues = 1;
  PortWish port{};
};

struct OpenHandle {
  Fd fd;
  int target = -1;  ///< its number in QEMU
};

/// Opens all of them, in order. Throws naming the thing: a disk that is a directory or unreadable,
/// a tap whose name is taken, a bridge that does not exist or is none, a bridge that the helper's
/// ACL does not allow.
std::vector<OpenHandle> open_handles(const std::vector<Handle>& handles,
                                     const std::vector<TapPlace>& taps,
                                     const std::string& bridge_helper);

/// The tap that qemu-bridge-helper makes on a bridge for an ordinary user (setuid; ACL in
/// bridge.conf).
Fd tap_by_helper(const std::string& helper, const std::string& bridge);

}  // namespace nutshell::host
