// The devices between the outside and a tap, as the kernel shows them at one moment.
#pragma once
#include <string>
#include <vector>

#include "nutshell/packet_path.hpp"

namespace nutshell::host {

/// Uplinks (ports of the bridge that are neither taps nor marked as ours), then the bridge, then
/// the tap (where one is named). A bridge or tap that is gone is in the list, not present. Throws
/// SystemError when the kernel cannot be asked.
std::vector<PathDevice> observe_path(const std::string& bridge, const std::string& tap,
                                     bool with_uplinks);

/// The uplink of a macvtap link, then the link (where one is named).
std::vector<PathDevice> observe_macvtap_path(const std::string& uplink, const std::string& link);

/// The taps that a process holds (the `iff:` line of /proc/PID/fdinfo,
/// Documentation/filesystems/proc.rst), in the order of its descriptors; where it may not be looked
/// at, none.
std::vector<std::string> taps_of_process(int pid);

}  // namespace nutshell::host
