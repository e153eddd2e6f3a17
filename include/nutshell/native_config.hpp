// A bridge in the words of the host's own network configuration: systemd-networkd, ifupdown,
// NetworkManager. Pure: texts, not files.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nutshell/adoption.hpp"

namespace nutshell {

/// What of a bridge outlives a reboot.
struct NativeBridge {
  std::string name, mac;
  std::string uplink;  ///< "" for none
  std::optional<std::uint32_t> mtu;
  bool stp = false, vlan_filtering = false, isolated = false;
  std::optional<unsigned> forward_delay, hello, max_age;  ///< seconds
  std::vector<LinkAddress> addresses;                     ///< those of the bridge
  std::vector<LinkRoute> routes;                          ///< those over the bridge
  /// What these texts leave out: rules, permanent neighbours, routes with several ways...
  std::vector<std::string> omitted;
};
/// The bridge's part of a view, as `adopted` makes it.
NativeBridge native_bridge(const UplinkView& view);

struct NativeFile {
  std::string path, text;
};
/// The first line of every file of ours; what does not begin with it is not ours.
std::string native_header(const std::string& bridge);
std::vector<NativeFile> networkd_files(const NativeBridge& bridge);
std::vector<NativeFile> ifupdown_files(const NativeBridge& bridge);
std::vector<std::string> nmcli_commands(const NativeBridge& bridge);
/// Every path that a file of ours for that bridge may have.
std::vector<std::string> native_paths(const std::string& bridge);

}  // namespace nutshell
