// One packet, one wait. Raw sockets rather than ping(8): there is no time to look for a program,
// and the kernel's own neighbour table would answer from memory.
#include "host/answers.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <sstream>

#include "host/fd.hpp"
#include "nl/arp.hpp"
#include "nl/error.hpp"
#include "nl/ip.hpp"
#include "nl/link.hpp"
#include "nl/socket.hpp"
#include "nl/socket_diag.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::uint16_t ssh_port = 22;
constexpr std::size_t most_peers = 4;
constexpr unsigned resent_too_often = 3;  // about a second and a half after it was sent first

bool hears(const Fd& socket, std::chrono::milliseconds timeout,
           const std::function<bool(const std::uint8_t*, std::size_t)>& is_answer) {
  const auto end = Clock::now() + timeout;
  for (auto left = timeout; left.count() > 0;
       left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now())) {
    pollfd readable{socket.get(), POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(left.count())) <= 0) continue;
    std::array<std::uint8_t, 2048> packet;
    const ssize_t got = ::recv(socket.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (got > 0 && is_answer(packet.data(), static_cast<std::size_t>(got))) return true;
  }
  return false;
}

sockaddr_in6 address_of(const nl::Ip& ip, const std::string& link) {
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  std::memcpy(&to.sin6_addr, ip.bytes.data(), 16);
  if (IN6_IS_ADDR_LINKLOCAL(&to.sin6_addr) || IN6_IS_ADDR_MULTICAST(&to.sin6_addr))
    to.sin6_scope_id = ::if_nametoindex(link.c_str());
  return to;
}

std::uint16_t checksum(const std::uint8_t* data, std::size_t size) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < size; i += 2)
    sum += static_cast<std::uint32_t>(data[i] << 8 | data[i + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<std::uint16_t>(~sum));
}

bool echo_v4(const nl::Ip& ip, std::chrono::milliseconds timeout) {
  const Fd socket(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  std::memcpy(&to.sin_addr, ip.bytes.data(), 4);
  icmphdr request{};
  request.type = ICMP_ECHO;
  request.un.echo.id = htons(static_cast<std::uint16_t>(::getpid()));
  request.checksum = checksum(reinterpret_cast<const std::uint8_t*>(&request), sizeof request);
  if (!socket || ::sendto(socket.get(), &request, sizeof request, 0,
                          reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0)
    return false;
  return hears(socket, timeout, [&](const std::uint8_t* data, std::size_t size) {
    iphdr head{};
    icmphdr reply{};
    if (size < sizeof head + sizeof reply) return false;
    std::memcpy(&head, data, sizeof head);
    const std::size_t length = head.ihl * 4U;
    if (size < length + sizeof reply) return false;
    std::memcpy(&reply, data + length, sizeof reply);
    return reply.type == ICMP_ECHOREPLY && reply.un.echo.id == request.un.echo.id &&
           head.saddr == to.sin_addr.s_addr;
  });
}

/// Sends one ICMPv6 message (the kernel adds its checksum) and waits for one of type `wanted`.
bool ask_v6(const sockaddr_in6& to, const std::string& link, const void* request, std::size_t size,
            std::chrono::milliseconds timeout,
            const std::function<bool(const std::uint8_t*, std::size_t)>& is_answer) {
  const Fd socket(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
  if (!socket) return false;
  const int hops = 255, index = static_cast<int>(::if_nametoindex(link.c_str()));
  ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof hops);
  ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
  if (to.sin6_scope_id != 0)
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index);
  if (::sendto(socket.get(), request, size, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) <
      0)
    return false;
  return hears(socket, timeout, is_answer);
}

bool echo_v6(const nl::Ip& ip, const std::string& link, std::chrono::milliseconds timeout) {
  icmp6_hdr request{};
  request.icmp6_type = ICMP6_ECHO_REQUEST;
  request.icmp6_id = htons(static_cast<std::uint16_t>(::getpid()));
  return ask_v6(address_of(ip, link), link, &request, sizeof request, timeout,
                [&](const std::uint8_t* data, std::size_t size) {
                  icmp6_hdr reply{};
                  if (size < sizeof reply) return false;
                  std::memcpy(&reply, data, sizeof reply);
                  return reply.icmp6_type == ICMP6_ECHO_REPLY && reply.icmp6_id == request.icmp6_id;
                });
}

/// A neighbour solicitation to the solicited-node group, with our MAC (RFC 4861, 4.3).
bool solicit(const nl::Ip& ip, const std::string& link, std::chrono::milliseconds timeout) {
  struct {
    nd_neighbor_solicit head;
    nd_opt_hdr option;
    std::array<std::uint8_t, 6> mac;
  } request{};
  static_assert(sizeof request == 32);
  request.head.nd_ns_type = ND_NEIGHBOR_SOLICIT;
  std::memcpy(&request.head.nd_ns_target, ip.bytes.data(), 16);
  request.option = {ND_OPT_SOURCE_LINKADDR, 1};
  nl::Socket netlink;
  const auto found = nl::find_link(netlink, link);
  if (!found || !found->mac) return false;
  request.mac = *found->mac;
  nl::Ip group = *nl::Ip::parse("ff02::1:ff00:0");
  std::memcpy(group.bytes.data() + 13, ip.bytes.data() + 13, 3);
  sockaddr_in6 to = address_of(group, link);
  return ask_v6(to, link, &request, sizeof request, timeout,
                [&](const std::uint8_t* data, std::size_t size) {
                  nd_neighbor_advert reply{};
                  if (size < sizeof reply) return false;
                  std::memcpy(&reply, data, sizeof reply);
                  return reply.nd_na_type == ND_NEIGHBOR_ADVERT &&
                         std::memcmp(&reply.nd_na_target, ip.bytes.data(), 16) == 0;
                });
}

bool arp(const nl::Ip& ip, const std::string& link, std::chrono::milliseconds timeout) {
  nl::Socket socket;
  return !nl::probe_addresses(socket, link, {ip.as_v4()}, timeout).empty();
}

/// A server that listens for both families sees an IPv4 peer as ::ffff:192.0.2.7.
nl::Ip plain(const nl::Ip& ip) {
  constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (ip.family != nl::Family::v6 || !std::equal(mapped.begin(), mapped.end(), ip.bytes.begin()))
    return ip;
  nl::Ip v4;
  v4.family = nl::Family::v4;
  std::copy(ip.bytes.begin() + mapped.size(), ip.bytes.end(), v4.bytes.begin());
  return v4;
}

bool connection_lives(const nl::Ip& peer, std::uint16_t port) {
  for (const nl::TcpSocket& each :
       nl::list_tcp_sockets(ssh_port, ssh_port, nl::only(nl::TcpState::established)))
    if (plain(each.remote) == peer && each.remote_port == port &&
        each.retransmits >= resent_too_often)
      return false;
  return true;
}

}  // namespace

bool answers(const std::string& link, const std::string& asked, std::chrono::milliseconds timeout) {
  std::istringstream words(asked);
  std::string how, who;
  std::uint16_t port = 0;
  words >> how >> who >> port;
  const auto ip = nl::Ip::parse(who);
  if (!ip) return false;
  try {
    if (how == "arp") return arp(*ip, link, timeout);
    if (how == "nd") return solicit(*ip, link, timeout);
    if (how == "tcp") return connection_lives(*ip, port);
    return ip->family == nl::Family::v4 ? echo_v4(*ip, timeout) : echo_v6(*ip, link, timeout);
  } catch (const nl::Error&) {
    return false;
  }
}

std::vector<std::string> ssh_peers(const std::vector<std::string>& addresses) {
  std::vector<std::string> asked;
  try {
    for (const nl::TcpSocket& each :
         nl::list_tcp_sockets(ssh_port, ssh_port, nl::only(nl::TcpState::established))) {
      const std::string local = plain(each.local).text(), remote = plain(each.remote).text();
      if (std::find(addresses.begin(), addresses.end(), local) == addresses.end()) continue;
      if (std::find(addresses.begin(), addresses.end(), remote) != addresses.end()) continue;
      if (asked.size() >= 2 * most_peers) break;
      asked.push_back("tcp " + remote + " " + std::to_string(each.remote_port));
      asked.push_back("echo " + remote);
    }
  } catch (const nl::Error& error) {
    throw Failed(error.what());
  }
  std::sort(asked.begin(), asked.end());
  asked.erase(std::unique(asked.begin(), asked.end()), asked.end());
  return asked;
}

}  // namespace nutshell::host
