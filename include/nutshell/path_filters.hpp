// Which packet filters a machine's packets meet on their way through the host, and what of them is
// dropped there. Pure.
#pragma once
#include <optional>
#include <string>

#include "nutshell/packet_path.hpp"
#include "nutshell/ruleset.hpp"

namespace nutshell {

/// What is known of the packets beside the devices that they cross.
struct PathView {
  bool meets_ip = false;  ///< frames between ports of the bridge go through ip and inet, too
                          ///< (br_netfilter)
  bool serves = false;    ///< the host gives the machine its address (DHCP)
  bool invites = false;   ///< others may begin a connection with the machine by a routed way
  std::optional<Ipv4> guest, to;
  std::optional<Ipv4Net> guests;  ///< where the machine's address is not known: the net of it
  bool has_ipv6 = false;          ///< the machine may speak IPv6
  bool meets_ip6 = false;         ///< as meets_ip, of IPv6
  std::optional<Mac> mac;
  std::string ports;      ///< a pattern for our taps, "nt12ab-*", or one tap
  bool iptables = false;  ///< the program is there, for cures
  std::string cloud;
  std::string groups;  ///< of the machine, "web+ssh"; "" none
};

/// Puts onto the path's devices what drops packets there. The ruleset is without our own tables.
void add_foreign_filters(HostPath& path, const Ruleset& ruleset, const PathView& view);
/// The same of our own tables, by what has counted: anti-spoofing, groups, other clouds.
void add_own_filters(HostPath& path, const Ruleset& ruleset, const PathView& view);

}  // namespace nutshell
