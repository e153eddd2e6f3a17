// Bridges of the host: those that are there, and the making and removing of ours.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/vlans.hpp"

namespace nutshell::host {

struct BridgePortFact {
  std::string name, alias, state;  ///< state: "forwarding", "blocking" and so on
};
/// Times in seconds.
struct BridgeFact {
  std::string name{}, mac{}, alias{};
  std::uint32_t mtu = 0;
  bool up = false, stp = false, vlan_filtering = false;
  double forward_delay = 0, hello = 0, max_age = 0;
  std::vector<std::string> addresses{};  ///< with prefix
  std::vector<BridgePortFact> ports{};
};
/// All of them, in the order of their indexes. Throws Failed.
std::vector<BridgeFact> list_bridges();

struct NewBridge {
  std::string name, mac, mark;
  std::optional<std::uint32_t> mtu;
  bool stp = false, vlan_filtering = false, isolated = false;
  std::optional<unsigned> forward_delay, hello, max_age;  ///< seconds
  std::vector<std::string> addresses;                     ///< with prefix
};
/// Makes it, exclusively, with its MAC from the first message; marks it, gives it its addresses and
/// sets it up. `isolated`: the host forwards nothing that comes from it. What fails leaves nothing.
void make_host_bridge(const NewBridge& wish);
/// Removes a bridge that carries that mark, or (cut short while it was made) no alias and that MAC;
/// gone already is done. Throws Conflict when it is another's or has a port.
void drop_host_bridge(const std::string& name, const std::string& mark, const std::string& mac);
/// Makes `port` a port of `bridge`, with its VLANs where it has any, and sets both up.
void put_on_bridge(const std::string& port, const std::string& bridge, const PortWish& wish = {});
/// "10.0.0.1/24" or an IPv6 one, as an address of a link can be; nullopt when it is none.
std::optional<std::string> interface_address(const std::string& text);
/// Whose network an address would fall into: "em1 has 10.0.0.2/24"; nullopt for nobody's.
std::optional<std::string> overlapping_network(const std::string& address);

}  // namespace nutshell::host
