// A name proves nothing: a bridge is ours by its mark, or, in the moment between its making and its
// marking, by the MAC that was recorded before it was made.
#include "host/network.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "host/fd.hpp"
#include "host/mac_bytes.hpp"
#include "nl/address.hpp"
#include "nl/arp.hpp"
#include "nl/bridge.hpp"
#include "nl/error.hpp"
#include "nl/link.hpp"
#include "nl/neighbour.hpp"
#include "nl/route.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

bool is_ours(const nl::Link& link, const BridgeWish& wish) {
  if (link.kind != "bridge") return false;
  return link.alias == wish.mark || (link.alias.empty() && link.mac == to_bytes(wish.mac));
}

/// Runs `act`, its errors told as ours.
template <typename Act>
auto told(Act act) {
  try {
    return act();
  } catch (const nl::Error& error) {
    throw Failed(error.what());
  }
}

void add_once(nl::Socket& socket, const std::string& link, const nl::Address& address) {
  try {
    nl::add_address(socket, link, address);
  } catch (const nl::Error& error) {
    if (error.code() != EEXIST) throw;
  }
}

void add_own_addresses(nl::Socket& socket, const BridgeWish& wish) {
  nl::Address address;
  address.ip = nl::Ip::v4(wish.address.address.value);
  address.prefix = static_cast<std::uint8_t>(wish.address.prefix);
  address.broadcast = nl::Ip::v4(wish.address.last().value);
  add_once(socket, wish.name, address);
  const auto ipv6 = nl::Prefix::parse(wish.ipv6);
  if (!ipv6) return;
  nl::Address second;
  second.ip = ipv6->ip;
  second.prefix = ipv6->length;
  second.flags = nl::address_flag::no_dad;  // nobody else can have it, and dnsmasq wants it now
  add_once(socket, wish.name, second);
}

/// "This address is that MAC's", to all who are on the link (RFC 5227, 3).
void send_gratuitous_arp(int link, Ipv4 address, const nl::Mac& mac) {
  struct {
    arphdr head{htons(ARPHRD_ETHER), htons(ETH_P_IP), 6, 4, htons(ARPOP_REQUEST)};
    nl::Mac sender{};
    std::array<std::uint8_t, 4> sender_ip{};
    nl::Mac target{};
    std::array<std::uint8_t, 4> target_ip{};
  } packet;
  static_assert(sizeof packet == 28);
  packet.sender = mac;
  const std::uint32_t ordered = htonl(address.value);
  std::memcpy(packet.sender_ip.data(), &ordered, sizeof ordered);
  packet.target_ip = packet.sender_ip;
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(ETH_P_ARP);
  to.sll_ifindex = link;
  to.sll_halen = mac.size();
  std::fill_n(to.sll_addr, mac.size(), std::uint8_t{0xff});
  const Fd socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket)
    (void)::sendto(socket.get(), &packet, sizeof packet, MSG_DONTWAIT,
                   reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

bool overlap(const nl::Prefix& a, const nl::Prefix& b) {
  const unsigned bits = std::min(a.length, b.length);
  for (unsigned i = 0; i < bits; ++i)
    if (((a.ip.bytes[i / 8] ^ b.ip.bytes[i / 8]) >> (7 - i % 8)) & 1) return false;
  return true;
}

}  // namespace

void ensure_bridge(const BridgeWish& wish) {
  told([&] {
    nl::Socket socket;
    if (const auto link = nl::find_link(socket, wish.name)) {
      if (!is_ours(*link, wish)) {
        const std::string why =
            link->alias.empty()
                ? "not nutshell's (it carries no mark)"
                : fmt::format("not this network's (its alias is '{}')", printable(link->alias));
        throw Conflict(fmt::format(
            "bridge {}: there is a {} of that name which is {}; rename it, or remove it", wish.name,
            link->kind.empty() ? "link" : link->kind, why));
      }
      if (link->alias.empty()) nl::set_alias(socket, *link, wish.mark);
      if (link->mtu != wish.mtu) nl::hold_mtu(socket, wish.name, wish.mtu);
    } else {
      nl::make_bridge(socket, wish.name,
                      {.mac = to_bytes(wish.mac), .mtu = wish.mtu, .alias = wish.mark});
    }
    add_own_addresses(socket, wish);
    nl::set_up(socket, wish.name);
  });
}

std::string lost_addresses(const BridgeWish& wish) {
  return told([&]() -> std::string {
    nl::Socket socket;
    const auto link = nl::find_link(socket, wish.name);
    if (!link || !is_ours(*link, wish) || !link->up) return "";
    std::vector<std::string> wanted{to_string(wish.address)};
    if (!wish.ipv6.empty()) wanted.push_back(wish.ipv6);
    for (const nl::Address& address : nl::list_addresses(socket, {.index = link->index}))
      std::erase(wanted, address.text());
    std::string lost;
    for (const std::string& each : wanted) lost += (lost.empty() ? "" : " and ") + each;
    return lost;
  });
}

void drop_bridge(const BridgeWish& wish) {
  told([&] {
    nl::Socket socket;
    const auto link = nl::find_link(socket, wish.name);
    if (!link) return;
    if (!is_ours(*link, wish)) {
      throw Conflict(fmt::format(
          "bridge {}: is not nutshell's (it carries no mark), and is left alone", wish.name));
    }
    const std::vector<nl::Link> ports =
        nl::list_links(socket, {.master = link->index, .counters = false});
    if (!ports.empty()) {
      throw Conflict(fmt::format("bridge {}: {} is still a port of it, so it is left alone",
                                 wish.name, ports.front().name));
    }
    nl::remove_bridge(socket, *link);
  });
}

std::string ipv6_holder(const std::string& prefix, const std::string& mark, unsigned widest) {
  return told([&]() -> std::string {
    const auto wanted = nl::Prefix::parse(prefix);
    if (!wanted) return "";
    nl::Socket socket;
    std::map<int, nl::Link> links;
    for (nl::Link& link : nl::list_links(socket, {.counters = false}))
      links.emplace(link.index, std::move(link));
    for (const nl::Route& route : nl::list_routes(socket, {.family = nl::Family::v6})) {
      if (route.destination.length < widest || route.hops.empty()) continue;  // the default route's
      const auto link = links.find(route.hops.front().index);
      if (link == links.end() || link->second.alias == mark) continue;
      if (overlap(*wanted, route.destination))
        return fmt::format("route {} by {}", route.destination.text(), link->second.name);
    }
    return "";
  });
}

void pass_on_address(const std::string& bridge, Ipv4 address, Mac mac) {
  told([&] {
    nl::Socket socket;
    const auto link = nl::find_link(socket, bridge);
    if (!link) return;
    for (const nl::Neighbour& each :
         nl::list_neighbours(socket, {.index = link->index, .family = nl::Family::v4})) {
      if (each.ip != nl::Ip::v4(address.value) || each.mac == to_bytes(mac) || each.permanent())
        continue;
      try {
        nl::remove_neighbour(socket, each.index, each.ip);
      } catch (const nl::Error&) {
        // It went by itself.
      }
    }
    send_gratuitous_arp(link->index, address, to_bytes(mac));
  });
}

namespace {
nl::Address whole(Ipv4 address) {
  nl::Address made;
  made.ip = nl::Ip::v4(address.value);
  made.prefix = 32;
  return made;
}
}  // namespace

void hold_address(const std::string& link, Ipv4 address) {
  told([&] {
    nl::Socket socket;
    nl::replace_address(socket, link, whole(address));
    nl::announce_address(socket, link, address.value);
  });
}

void let_address(const std::string& link, Ipv4 address) {
  told([&] {
    nl::Socket socket;
    if (!nl::find_link(socket, link)) return;
    try {
      nl::remove_address(socket, link, whole(address));
    } catch (const nl::Error& error) {
      if (error.code() != EADDRNOTAVAIL) throw;
    }
  });
}

void forget_neighbours(Mac mac) {
  told([&] {
    nl::Socket socket;
    for (const nl::Neighbour& each : nl::list_neighbours(socket)) {
      if (each.mac != to_bytes(mac) || each.permanent()) continue;
      try {
        nl::remove_neighbour(socket, each.index, each.ip);
      } catch (const nl::Error&) {
        // It went by itself, or we may not: then it is a stranger's a little longer.
      }
    }
  });
}

}  // namespace nutshell::host
