// The kernel knows a router of its own by two flags of the route that netlink neither shows nor
// takes. A default route without them, in the place of a learnt one, makes it drop each whole
// advertisement from then on, and the addresses that it learnt run out: so such a route is read
// from /proc and put back by the ioctl, which has both.
#include "host/learnt_route.hpp"

#include <net/route.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <sstream>
#include <string>

#include "host/fd.hpp"
#include "host/files.hpp"
#include "nl/error.hpp"
#include "nl/ip.hpp"
#include "nl/link.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr std::uint32_t learnt_flags = RTF_ADDRCONF | RTF_DEFAULT;
constexpr std::uint32_t expires_flag = 0x00400000;  // RTF_EXPIRES of linux/ipv6_route.h
constexpr unsigned preference_shift = 27;           // RTF_PREF
constexpr Bytes most_of_it = 512 * mebi;  // of the file: more routes than the Internet has
constexpr unsigned long ticks = 100;      // USER_HZ, of a lifetime

struct Learnt {
  std::string link, gateway;
  std::uint32_t metric = 0;
};

std::uint32_t hex(const std::string& text) {
  std::uint32_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

std::string address_of(const std::string& digits) {
  nl::Ip ip;
  ip.family = nl::Family::v6;
  for (std::size_t i = 0; i < ip.bytes.size() && 2 * i + 1 < digits.size(); ++i)
    ip.bytes[i] = static_cast<std::uint8_t>(hex(digits.substr(2 * i, 2)));
  return ip.text();
}

std::vector<Learnt> list_learnt() {
  std::vector<Learnt> all;
  std::istringstream lines(read_file("/proc/net/ipv6_route", most_of_it).value_or(""));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string to, to_length, from, from_length, gateway, metric, references, used, flags, link;
    words >> to >> to_length >> from >> from_length >> gateway >> metric >> references >> used >>
        flags >> link;
    if (to_length == "00" && (hex(flags) & learnt_flags) == learnt_flags)
      all.push_back({link, address_of(gateway), hex(metric)});
  }
  return all;
}

}  // namespace

void mark_learnt(std::vector<LinkRoute>& routes) {
  const auto is_candidate = [](const LinkRoute& route) {
    return route.family == 6 && route.destination == "default" && route.hops.size() == 1;
  };
  if (std::none_of(routes.begin(), routes.end(), is_candidate)) return;
  const std::vector<Learnt> all = list_learnt();
  for (LinkRoute& route : routes)
    route.learnt = is_candidate(route) && route.source.empty() &&
                   std::any_of(all.begin(), all.end(), [&](const Learnt& each) {
                     return each.link == route.hops[0].link &&
                            each.gateway == route.hops[0].gateway && each.metric == route.priority;
                   });
}

void add_learnt_route(nl::Socket& socket, const LinkRoute& route) {
  const RouteHop& hop = route.hops.at(0);
  const auto gateway = nl::Ip::parse(hop.gateway);
  if (!gateway) throw Failed("the note of an adoption has the gateway " + hop.gateway);
  in6_rtmsg message{};
  std::copy(gateway->bytes.begin(), gateway->bytes.end(), message.rtmsg_gateway.s6_addr);
  message.rtmsg_type = route.type;
  message.rtmsg_metric = route.priority;
  message.rtmsg_ifindex = nl::link_index(socket, hop.link);
  message.rtmsg_flags = RTF_UP | RTF_GATEWAY | learnt_flags;
  if (route.preference > 0)
    message.rtmsg_flags |= static_cast<std::uint32_t>(route.preference) << preference_shift;
  if (route.expires != 0) {
    message.rtmsg_flags |= expires_flag;
    message.rtmsg_info = route.expires * ticks;
  }
  const Fd control(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!control || ::ioctl(control.get(), SIOCADDRT, &message) != 0)
    throw nl::Error(describe(route), "add", errno);
}

}  // namespace nutshell::host
