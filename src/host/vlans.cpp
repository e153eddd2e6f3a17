// A wish in the kernel's terms: `vlan` is the port's PVID and leaves untagged, `trunk` keeps its
// tags, and the default VLAN that every port gets when it joins is not there.
#include "host/vlans.hpp"
#include "host/mac_bytes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "nl/bridge.hpp"
#include "nl/error.hpp"
#include "nl/fdb.hpp"
#include "nl/vlan.hpp"

namespace nutshell::host {
namespace {

std::vector<nl::PortVlans> kernel_form(const PortWish& wish) {
  std::vector<nl::PortVlans> vlans;
  for (const VlanRange& range : wish.trunk)
    vlans.push_back({static_cast<std::uint16_t>(range.first),
                     static_cast<std::uint16_t>(range.last), false, false});
  if (wish.vlan != 0) {
    const auto id = static_cast<std::uint16_t>(wish.vlan);
    vlans.push_back({id, id, true, true});
  }
  std::sort(vlans.begin(), vlans.end(),
            [](const auto& one, const auto& other) { return one.first < other.first; });
  return vlans;
}

std::string words_of(const std::vector<nl::PortVlans>& vlans) {
  std::string text;
  for (const nl::PortVlans& each : vlans) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", each.first);
    if (each.last != each.first) text += fmt::format("-{}", each.last);
    if (each.untagged) text += " without a tag";
  }
  return text.empty() ? "none" : text;
}

}  // namespace

void put_port(const std::string& port, const PortWish& wish) {
  nl::Socket socket;
  if (wish.has_vlans()) nl::set_vlans(socket, port, kernel_form(wish));
  if (!wish.mac) return;
  nl::change_port(socket, port, {.learning = false, .guard = true});
  nl::replace_fdb(socket, port, to_bytes(*wish.mac));
}

std::string different_vlans(const std::string& port, const PortWish& wish) {
  try {
    nl::Socket socket;
    const std::vector<nl::PortVlans> now = nl::list_vlans(socket, port);
    return now == kernel_form(wish) ? "" : words_of(now);
  } catch (const nl::Error& error) {
    if (error.code() == ENODEV) return "";
    throw;
  }
}

std::string no_vlan_filtering(const std::string& bridge) {
  return fmt::format(
      "the bridge {} does not keep VLANs apart; `ip link set {} type bridge vlan_filtering 1` lets "
      "it, and one of ours is made so with `nutshell bridge create {} --vlan-filtering`",
      bridge, bridge, bridge);
}

std::string vlan_words(const PortWish& wish) { return words_of(kernel_form(wish)); }

}  // namespace nutshell::host
