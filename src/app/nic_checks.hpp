// Whether this host can give a NIC what it asks for; asked when a machine is made and before each
// start, so that nothing is made for one that cannot be had.
#pragma once
#include <string>

#include "nutshell/facts.hpp"
#include "nutshell/spec.hpp"

namespace nutshell {

/// Why a NIC on a bridge cannot have its VLANs, or one on macvtap its uplink; empty: it can.
/// `facts` has the links.
std::string vlan_fault(const NicSpec& nic, const Facts& facts);
std::string macvtap_fault(const NicSpec& nic, const Facts& facts);

}  // namespace nutshell
