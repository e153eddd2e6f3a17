// Neighbours: which MAC answers for which address on which link (the ARP and ND tables).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nl/ip.hpp"
#include "nl/link.hpp"

namespace nl {

/// NUD_*.
namespace neighbour_state {
inline constexpr std::uint16_t incomplete = 0x01, reachable = 0x02, stale = 0x04, delay = 0x08,
                               probe = 0x10, failed = 0x20, noarp = 0x40, permanent = 0x80;
}

struct Neighbour {
  Ip ip{};
  int index = 0;             ///< of the link
  std::optional<Mac> mac{};  ///< none while it is unknown
  std::uint16_t state = neighbour_state::permanent;
  std::uint8_t flags = 0;     ///< NTF_*: 8 proxy, 128 router
  std::uint8_t protocol = 0;  ///< NDA_PROTOCOL, who made it

  bool permanent() const { return state & neighbour_state::permanent; }
};

/// Without those of loopback and multicast that the kernel makes up (state noarp). `index` 0: of
/// every link.
struct NeighbourFilter {
  int index = 0;
  Family family = Family::none;
  bool proxies = false;  ///< the addresses that we answer for instead (flag 8), which have no MAC
};
std::vector<Neighbour> list_neighbours(Socket& socket, const NeighbourFilter& filter = {});
/// EEXIST where the link has an entry for that address (neighbour.index is not looked at).
void add_neighbour(Socket& socket, const LinkRef& link, const Neighbour& neighbour);
/// Adds, or changes the entry for that address.
void replace_neighbour(Socket& socket, const LinkRef& link, const Neighbour& neighbour);
/// ENOENT where there is none. `flags` 8: the proxy for that address, and not its neighbour.
void remove_neighbour(Socket& socket, const LinkRef& link, const Ip& ip, std::uint8_t flags = 0);

}  // namespace nl
