// The bridge of a managed network: made once, marked, and removed only when it is provably ours and
// nothing hangs on it.
#pragma once
#include <string>

#include "nutshell/values.hpp"

namespace nutshell::host {

struct BridgeWish {
  std::string name;
  Ipv4Net address;      ///< the bridge's own, with its prefix
  Mac mac;              ///< recorded before the bridge is made: proof of ours until the mark is set
  std::string mark;     ///< network_mark(...), its link alias
  unsigned mtu = 1500;  ///< set when it is made: a bridge that was not told takes its ports' least
  std::string ipv6{};   ///< an address with its prefix, "fd00::1/64"; empty: none
};

/// Makes the bridge with its MAC, mark and address, and sets it up; what is there already of ours
/// (by mark, or by MAC where no mark was set yet) is completed. Throws Conflict when a link of that
/// name is somebody else's, Failed when the kernel refuses.
void ensure_bridge(const BridgeWish& wish);
/// Which of its addresses a bridge of ours lacks, in words ("10.0.0.1/24"); empty: none, or the
/// bridge is not there, not ours, or down (an IPv6 address goes then, and who has set it down knows
/// why).
std::string lost_addresses(const BridgeWish& wish);
/// Removes the bridge; gone already is done. Throws Conflict when it is not ours, or a port is
/// left.
void drop_bridge(const BridgeWish& wish);
/// Who has the prefix or a part of it on this host already, in words ("route fd00::/56 by eth0");
/// empty: nobody. Links with that alias are ours, and do not count, nor do routes that are wider
/// than `widest` bits.
std::string ipv6_holder(const std::string& prefix, const std::string& mark, unsigned widest = 8);
/// Makes the host, and whoever is on the bridge, send to this MAC what is for that address; without
/// it they would go on for seconds with the MAC that had it before (RFC 826; a gratuitous ARP
/// changes only what is remembered). Best effort: who cannot be told finds out himself.
void pass_on_address(const std::string& bridge, Ipv4 address, Mac mac);
/// Puts a public address on a link as a /32, there already or not, and announces it, so that
/// neighbours learn at once who has it. Throws Failed when the kernel refuses.
void hold_address(const std::string& link, Ipv4 address);
/// Takes it away; gone already, or the link, is done.
void let_address(const std::string& link, Ipv4 address);
/// Makes the host forget which addresses a MAC had, so that it is not taken for a stranger's when
/// its machine is gone. Links that are gone, and what cannot be removed, are no error.
void forget_neighbours(Mac mac);

}  // namespace nutshell::host
