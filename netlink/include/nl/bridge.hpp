// Bridges: made exclusively, with their MAC from the first moment; their ports, spanning tree and
// timers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nl/link.hpp"

namespace nl {

/// Times are in centiseconds (the kernel's USER_HZ, 100 a second): a forward delay of 1500 is 15 s.
struct BridgeOptions {
  /// Part of the create message. Without it the bridge takes the lowest MAC among its ports, and
  /// changes it with them.
  std::optional<Mac> mac{};
  std::optional<std::uint32_t> mtu{};  ///< bytes; the bridge then no longer follows its ports
  bool stp = false;
  std::optional<std::uint32_t> forward_delay{};  ///< 200..3000 while STP is on; 0 is fine without
  std::optional<std::uint32_t> hello_time{};     ///< 100..1000
  std::optional<std::uint32_t> max_age{};        ///< 600..4000
  std::optional<bool> vlan_filtering{};          ///< EOPNOTSUPP where the kernel has none
  std::string alias{};  ///< set in a second message; if that fails the bridge is taken back
  bool up = false;
};
/// Makes it and returns its index; EEXIST where a link of any kind has that name.
int make_bridge(Socket& socket, const std::string& name, const BridgeOptions& options = {});
/// Gives it an MTU that its ports do not lower any more.
void hold_mtu(Socket& socket, const LinkRef& bridge, std::uint32_t mtu);
/// Removes it; a link that is no bridge is refused (EINVAL). Its ports are set free.
void remove_bridge(Socket& socket, const LinkRef& bridge);

/// What a bridge does now. Times in centiseconds.
struct BridgeSettings {
  bool stp = false;  ///< the kernel's, or a daemon's in user space
  std::uint32_t forward_delay = 0;
  std::uint32_t hello_time = 0;
  std::uint32_t max_age = 0;
  std::uint32_t ageing_time = 0;  ///< how long a learnt MAC is kept
  std::uint16_t priority = 0;
  bool vlan_filtering = false;
  std::string id{};    ///< "8000.525400123456", as `bridge` and `ip -d link` know it
  std::string root{};  ///< the id of the root bridge; its own while it is the root
};
/// Throws EINVAL where the link is no bridge, ENODEV where there is none.
BridgeSettings bridge_settings(Socket& socket, const LinkRef& bridge);

/// What is set is changed, in one message; the rest stays. Times in centiseconds, limits as in
/// BridgeOptions.
struct BridgeChange {
  std::optional<bool> stp{};
  std::optional<std::uint32_t> forward_delay{};
  std::optional<std::uint32_t> hello_time{};
  std::optional<std::uint32_t> max_age{};
  std::optional<std::uint32_t> ageing_time{};
  std::optional<std::uint16_t> priority{};
  std::optional<bool> vlan_filtering{};
};
void change_bridge(Socket& socket, const LinkRef& bridge, const BridgeChange& change);

/// The kernel's BR_STATE_*.
enum class PortState : std::uint8_t { disabled, listening, learning, forwarding, blocking };
/// As ip(8) says it: "forwarding".
const char* to_string(PortState state);

struct BridgePort {
  Link link{};
  PortState state = PortState::disabled;
  std::uint32_t cost = 0;
  std::uint16_t priority = 0;
  bool hairpin = false;
  bool learning = true;
  bool isolated = false;  ///< talks to ports that are not isolated only
};
/// What stays nullopt stays as it is.
struct PortChange {
  std::optional<bool> learning{};  ///< the bridge takes MACs that it sees there into its table
  std::optional<bool> guard{};     ///< the port is shut when it gets a BPDU of STP
};
/// Throws ENODEV where there is no such link, EINVAL or EOPNOTSUPP where it is no bridge's port.
void change_port(Socket& socket, const LinkRef& port, const PortChange& change);
/// Its ports, in the order of their indexes. Throws EINVAL where the link is no bridge.
std::vector<BridgePort> list_ports(Socket& socket, const LinkRef& bridge);

}  // namespace nl
