// What a machine's port on a bridge is given: its VLANs, where the bridge keeps them apart, and the
// one MAC that may be behind it.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "nutshell/spec.hpp"

namespace nutshell::host {

/// `vlan` is for frames without a tag (0: none), `trunk` for those with one, as NicSpec has them.
struct PortWish {
  unsigned vlan = 0;
  std::vector<VlanRange> trunk{};
  std::optional<Mac> mac{};  ///< of a guest that may send from it alone; nullopt: the bridge learns
  [[nodiscard]] bool has_vlans() const { return vlan != 0 || !trunk.empty(); }
  [[nodiscard]] bool any() const { return has_vlans() || mac; }
};

/// Makes the port's VLANs exactly these. With a MAC, the bridge learns nothing from the port: there
/// are frames that no rule of nftables sees (to 01:80:c2:00:00:0e, and to :00 with STP), and what
/// they claim would be believed; one that speaks STP is shut (bridge(8): learning, guard). Throws
/// nl::Error.
void put_port(const std::string& port, const PortWish& wish);
/// What the port's VLANs are, "100 without a tag, 200-210", where they are not as wished; empty
/// where they are, and where there is no such link.
std::string different_vlans(const std::string& port, const PortWish& wish);
/// "100 without a tag, 200-210"
std::string vlan_words(const PortWish& wish);
/// Why a NIC cannot have VLANs on that bridge, and the cure.
std::string no_vlan_filtering(const std::string& bridge);

}  // namespace nutshell::host
