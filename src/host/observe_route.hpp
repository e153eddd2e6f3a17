// What this host does with packets between a bridge and an address that lies beyond it.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "nutshell/packet_path.hpp"

namespace nutshell::host {

struct RouteWish {
  std::string bridge;
  std::optional<Ipv4> guest;  ///< the machine's address, where it is known
  std::optional<Ipv4> to;     ///< empty: wherever the default route leads
};
struct SeenRoute {
  PathRoute route;
  std::string outer;  ///< the link that it leads out by; "" none, or the address is this host's
};
/// nullopt where no address was given and there is no default route. The kernel is asked what it
/// would do; no packet is sent. Throws SystemError when it cannot be asked.
std::optional<SeenRoute> observe_route(const RouteWish& wish);

/// The first of these that the host has asked for on its link and nobody has answered for: the
/// machine's address on the bridge, the next hop on the outer link.
std::optional<DeadNeighbour> observe_neighbours(const std::string& bridge,
                                                const std::optional<Ipv4>& guest,
                                                const std::string& outer,
                                                const std::string& next_hop);
/// Links with an IPv4 address that drop by rp_filter what they would not send back the same way;
/// without the one of the default route, and without bridges of ours.
std::vector<std::string> strict_links();
/// The IPv4 address that the host's neighbour table has for that MAC on the bridge.
std::optional<Ipv4> neighbour_address(const std::string& bridge, Mac mac);
/// True when the link has that IPv4 address, or, where none is named, any.
bool has_address(const std::string& link, const std::optional<Ipv4>& address);
/// Who has an IPv6 address as this host sees it: "this host, on br0", "02:00:00:00:00:09 on br0";
/// "" where it does not know.
std::string ipv6_holder(const std::string& address);

}  // namespace nutshell::host
