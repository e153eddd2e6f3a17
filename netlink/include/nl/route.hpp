// Routes of every table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nl/ip.hpp"
#include "nl/socket.hpp"

namespace nl {

inline constexpr std::uint32_t table_default = 253, table_main = 254, table_local = 255;

/// RTN_*.
enum class RouteType : std::uint8_t {
  unspecified,
  unicast,
  local,
  broadcast,
  anycast,
  multicast,
  blackhole,
  unreachable,
  prohibit,
  throw_on,
  nat
};

/// One way of a route: through a gateway, or straight onto a link.
struct NextHop {
  int index = 0;   ///< of the link; 0 lets the kernel find it from the gateway
  Ip gateway{};    ///< none: what is routed is on the link itself. May be IPv6 for an IPv4 route
  int weight = 1;  ///< 1..256, its share where there are several
  std::uint8_t flags = 0;  ///< RTNH_F_*: 4 onlink; the kernel shows 1 dead and 16 linkdown
  bool operator==(const NextHop&) const = default;
};

struct Route {
  Family family = Family::v4;
  Prefix destination{};         ///< length 0: the default route
  Prefix source{};              ///< IPv6 only: for packets from there
  std::vector<NextHop> hops{};  ///< none for blackhole and the like
  std::uint32_t table = table_main;
  std::uint32_t priority =
      0;  ///< the metric; the lower one wins. The kernel makes an IPv6 0 into 1024
  Ip preferred_source{};
  std::optional<std::uint8_t> scope{};  ///< RT_SCOPE_*; without, the natural one is added
  RouteType type = RouteType::unicast;
  std::uint8_t protocol =
      4;  ///< RTPROT_*: 2 kernel, 3 boot, 4 static, 9 router advertisement, 16 DHCP
  std::uint8_t tos = 0;
  std::uint32_t flags = 0;                   ///< RTM_F_*, as listed
  std::uint32_t expires = 0;                 ///< IPv6: seconds left, 0 for ever
  std::optional<std::uint8_t> preference{};  ///< IPv6: RFC 4191
  std::uint32_t nexthop_object = 0;          ///< RTA_NH_ID: the hops come from there
  std::vector<std::uint8_t> metrics{};  ///< RTA_METRICS (MTU, window...), kept to be given back

  /// "10.0.0.0/8 table 100".
  std::string text() const;
};

struct RouteFilter {
  Family family = Family::none;  ///< none: both
  std::uint32_t table = 0;       ///< 0: every table
};
/// Every route of every table, cached clones left out; filtered here.
std::vector<Route> list_routes(Socket& socket, const RouteFilter& filter = {});

/// A packet that the kernel is asked about: to where, from whom, and by which link it came in (0:
/// this host sends it).
struct RouteQuestion {
  Ip destination{};
  Ip source{};
  int incoming = 0;
};
/// What the kernel would do with it: `error` 0 and the route, or the errno with which it refuses it
/// (EHOSTUNREACH and ENETUNREACH: no route, or it does not forward; EINVAL and EXDEV: its source
/// does not belong to that link, rp_filter).
struct RouteAnswer {
  int error = 0;
  Route route{};
};
/// Sends nothing but the question.
RouteAnswer look_up_route(Socket& socket, const RouteQuestion& question);

/// Adds; EEXIST where the same destination, priority and table is there.
void add_route(Socket& socket, const Route& route);
/// Adds behind those with the same destination, priority and table; EEXIST where the very same is
/// there. An IPv6 route through a gateway becomes one more way of the one that is there.
void append_route(Socket& socket, const Route& route);
/// Adds, or takes the place of the one with the same destination, priority and table.
void replace_route(Socket& socket, const Route& route);
/// Removes the first that matches all that is set. ESRCH where there is none.
void remove_route(Socket& socket, const Route& route);

}  // namespace nl
