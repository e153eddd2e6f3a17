// Macvtap links: a tap and a part of a device in one. The link stays until somebody removes it,
// whoever holds its descriptors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nl/link.hpp"

namespace nl {

/// The kernel's MACVLAN_MODE_*.
enum class MacvtapMode : std::uint8_t { closed = 1, vepa = 2, bridge = 4, passthru = 8 };

struct MacvtapOptions {
  LinkRef lower;  ///< the device that it is made on
  MacvtapMode mode = MacvtapMode::bridge;
  Mac mac{};                           ///< part of the create message
  std::optional<std::uint32_t> mtu{};  ///< bytes; the lower device's without
};
/// Makes it, down, and returns its index. EEXIST where the name is taken; ENODEV without the lower
/// device; EBUSY where that is a port of a bridge or has a passthru link.
int make_macvtap(Socket& socket, const std::string& name, const MacvtapOptions& options);

/// Opens its character device, once for each queue (1..256): O_CLOEXEC, O_NONBLOCK, with virtio-net
/// headers as nl::open_tap() gives them. The device's number is asked of the sysfs of the calling
/// thread's network namespace; where /dev has no such node, one is made in a file system of its own
/// that nobody else sees. The caller closes them. Throws nl::Error.
std::vector<int> open_macvtap(Socket& socket, const std::string& name, int queues);

}  // namespace nl
