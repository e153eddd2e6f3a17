// The VLANs of a machine's port on a bridge that keeps them apart.
#pragma once
#include <string>
#include <vector>

#include "nutshell/spec.hpp"

namespace nutshell::host {

/// As NicSpec has them: `vlan` for frames without a tag (0: none), `trunk` for those with one.
struct VlanWish {
  unsigned vlan = 0;
  std::vector<VlanRange> trunk;
  [[nodiscard]] bool any() const { return vlan != 0 || !trunk.empty(); }
};

/// Makes the port's VLANs exactly these. Throws nl::Error.
void put_vlans(const std::string& port, const VlanWish& wish);
/// What the port's VLANs are, "100 without a tag, 200-210", where they are not as wished; empty
/// where they are, and where there is no such link.
std::string different_vlans(const std::string& port, const VlanWish& wish);
/// "100 without a tag, 200-210"
std::string vlan_words(const VlanWish& wish);
/// Why a NIC cannot have VLANs on that bridge, and the cure.
std::string no_vlan_filtering(const std::string& bridge);

}  // namespace nutshell::host
