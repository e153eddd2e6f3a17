// IPv4 and IPv6 addresses of links.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nl/ip.hpp"
#include "nl/link.hpp"

namespace nl {

/// Lifetime of what never ends.
inline constexpr std::uint32_t forever = 0xffffffff;

/// IFA_F_*: the flags that one sets or looks for.
namespace address_flag {
inline constexpr std::uint32_t secondary = 0x01, no_dad = 0x02, dad_failed = 0x08,
                               deprecated = 0x20, tentative = 0x40, permanent = 0x80,
                               no_prefix_route = 0x200;
}

struct Address {
  Ip ip{};
  std::uint8_t prefix = 0;                 ///< length of the network
  int index = 0;                           ///< of the link
  Ip peer{};                               ///< the other end of a point-to-point link, usually none
  Ip broadcast{};                          ///< IPv4 only
  std::uint8_t scope = 0;                  ///< RT_SCOPE_*: 0 global, 253 link, 254 host
  std::uint32_t flags = 0;                 ///< address_flag::*
  std::string label{};                     ///< IPv4 only: the link's name, or name:something
  std::uint32_t valid_lifetime = forever;  ///< seconds
  std::uint32_t preferred_lifetime = forever;  ///< seconds
  std::uint32_t metric = 0;   ///< of the network's route that comes with it; 0: the kernel's own
  std::uint8_t protocol = 0;  ///< IFA_PROTO, who set it; 0 unknown or older kernel

  /// "10.0.0.1/24".
  std::string text() const { return ip.text() + "/" + std::to_string(prefix); }
};

/// All of them, or those of one link (0: all) or family (none: both).
struct AddressFilter {
  int index = 0;
  Family family = Family::none;
};
std::vector<Address> list_addresses(Socket& socket, const AddressFilter& filter = {});

/// Adds to `link` (address.index is not looked at). EEXIST where the link has it. Of the flags the
/// kernel takes no_dad and no_prefix_route, and sets the others itself. An IPv6 address without
/// no_dad cannot be used for a second or so.
void add_address(Socket& socket, const LinkRef& link, const Address& address);
/// Adds, or changes lifetimes and flags of the one that is there.
void replace_address(Socket& socket, const LinkRef& link, const Address& address);
/// Removes ip/prefix. EADDRNOTAVAIL where the link does not have it.
void remove_address(Socket& socket, const LinkRef& link, const Address& address);

}  // namespace nl
