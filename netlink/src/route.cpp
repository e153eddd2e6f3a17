// Routes over RTM_*ROUTE, of all tables: a VPN or a provider keeps its routes in one of its own,
// and an address range that only the main table was asked about is not free. What is listed can be
// added again as it is.
#include "nl/route.hpp"

#include <linux/rtnetlink.h>

#include "link_parts.hpp"

namespace nl {
namespace {

constexpr const char* noun = "routes";

/// RTA_VIA is a family followed by an address.
Ip parse_via(const Attributes& at) {
  const auto data = at.bytes(RTA_VIA);
  Ip ip;
  if (data.size() != 2 + 4 && data.size() != 2 + 16) return ip;
  ip.family = data.size() == 6 ? Family::v4 : Family::v6;
  std::memcpy(ip.bytes.data(), data.data() + 2, data.size() - 2);
  return ip;
}

Ip parse_gateway(const Attributes& at) {
  return at.has(RTA_GATEWAY) ? at.ip(RTA_GATEWAY) : parse_via(at);
}

void put_gateway(Message& message, const Ip& gateway, Family route_family) {
  if (gateway.empty()) return;
  if (gateway.family == route_family) return message.ip(RTA_GATEWAY, gateway);
  std::array<std::uint8_t, 18> via{};
  const auto family = static_cast<std::uint16_t>(gateway.family);
  std::memcpy(via.data(), &family, sizeof family);
  std::memcpy(via.data() + 2, gateway.bytes.data(), gateway.size());
  message.bytes(RTA_VIA, {via.data(), 2 + gateway.size()});
}

std::vector<NextHop> parse_hops(const Attributes& at, unsigned route_flags) {
  std::vector<NextHop> hops;
  const auto data = at.bytes(RTA_MULTIPATH);
  if (data.empty()) {
    if (!at.has(RTA_OIF) && !at.has(RTA_GATEWAY) && !at.has(RTA_VIA)) return hops;
    const auto flags =
        static_cast<std::uint8_t>(route_flags & 0xff);  // RTNH_F_* share the field with RTM_F_*
    return {{at.value<int>(RTA_OIF), parse_gateway(at), 1, flags}};
  }
  auto* cursor = const_cast<std::uint8_t*>(data.data());
  std::size_t left = data.size();
  while (left >= sizeof(rtnexthop)) {
    const auto* hop = reinterpret_cast<const rtnexthop*>(cursor);
    const std::size_t length = hop->rtnh_len;
    if (length < sizeof(rtnexthop) || length > left) break;
    const Attributes inside(cursor + sizeof(rtnexthop),
                            static_cast<int>(length - sizeof(rtnexthop)));
    hops.push_back({hop->rtnh_ifindex, parse_gateway(inside), hop->rtnh_hops + 1, hop->rtnh_flags});
    const std::size_t step = RTNH_ALIGN(length);
    if (step >= left) break;
    cursor += step;
    left -= step;
  }
  return hops;
}

Route parse_route(nlmsghdr* message) {
  const auto* header = static_cast<const rtmsg*>(::nlmsg_data(message));
  const Attributes at(message, sizeof(rtmsg));
  Route route;
  route.family = static_cast<Family>(header->rtm_family);
  route.destination = {at.ip(RTA_DST), header->rtm_dst_len};
  route.source = {at.ip(RTA_SRC), header->rtm_src_len};
  route.hops = parse_hops(at, header->rtm_flags);
  route.table = at.u32(RTA_TABLE, header->rtm_table);
  route.priority = at.u32(RTA_PRIORITY);
  route.preferred_source = at.ip(RTA_PREFSRC);
  route.scope = header->rtm_scope;
  route.type = static_cast<RouteType>(header->rtm_type);
  route.protocol = header->rtm_protocol;
  route.tos = header->rtm_tos;
  route.flags = header->rtm_flags;
  if (at.has(RTA_CACHEINFO)) {
    const auto cache = at.value<rta_cacheinfo>(RTA_CACHEINFO);
    if (cache.rta_expires > 0)
      route.expires = static_cast<std::uint32_t>(cache.rta_expires / 100);  // USER_HZ
  }
  if (at.has(RTA_PREF)) route.preference = at.u8(RTA_PREF);
  route.nexthop_object = at.u32(RTA_NH_ID);
  const auto metrics = at.bytes(RTA_METRICS);
  route.metrics.assign(metrics.begin(), metrics.end());
  return route;
}

std::uint8_t natural_scope(const Route& route) {
  if (route.family == Family::v6) return RT_SCOPE_UNIVERSE;
  if (route.type == RouteType::local || route.type == RouteType::nat) return RT_SCOPE_HOST;
  if (route.type != RouteType::unicast || route.nexthop_object) return RT_SCOPE_UNIVERSE;
  for (const NextHop& hop : route.hops) {
    if (!hop.gateway.empty()) return RT_SCOPE_UNIVERSE;
  }
  return RT_SCOPE_LINK;
}

void put_hops(Message& message, const Route& route) {
  if (route.nexthop_object) return message.u32(RTA_NH_ID, route.nexthop_object);
  if (route.hops.size() == 1 && route.hops[0].weight == 1) {
    if (route.hops[0].index) message.value(RTA_OIF, route.hops[0].index);
    return put_gateway(message, route.hops[0].gateway, route.family);
  }
  if (route.hops.empty()) return;
  message.nest(RTA_MULTIPATH, [&] {
    for (const NextHop& hop : route.hops) {
      const std::size_t start = message.raw()->nlmsg_len;
      auto& header = message.header<rtnexthop>();
      header.rtnh_ifindex = hop.index;
      header.rtnh_hops = static_cast<std::uint8_t>(hop.weight - 1);
      header.rtnh_flags = hop.flags & RTNH_F_ONLINK;
      put_gateway(message, hop.gateway, route.family);
      auto* placed = reinterpret_cast<rtnexthop*>(reinterpret_cast<char*>(message.raw()) + start);
      placed->rtnh_len = static_cast<std::uint16_t>(message.raw()->nlmsg_len - start);
    }
  });
}

void send(Socket& socket, const Route& route, int type, int flags, const char* verb) {
  const std::string subject = "route " + route.text();
  for (const NextHop& hop : route.hops) {
    if (hop.weight < 1 || hop.weight > 256)
      throw Error(subject, verb, EINVAL, "a weight is 1 to 256");
  }
  Message message(type, flags);
  auto& header = message.header<rtmsg>();
  header.rtm_family = static_cast<std::uint8_t>(route.family);
  header.rtm_dst_len = route.destination.length;
  header.rtm_src_len = route.source.length;
  header.rtm_tos = route.tos;
  header.rtm_table = static_cast<std::uint8_t>(route.table < 256 ? route.table : RT_TABLE_UNSPEC);
  header.rtm_type = static_cast<std::uint8_t>(route.type);
  const bool adding = type == RTM_NEWROUTE;
  // The kernel takes an exact scope; for a removal "nowhere" stands for any.
  const int any = adding ? natural_scope(route) : static_cast<int>(RT_SCOPE_NOWHERE);
  header.rtm_scope = static_cast<std::uint8_t>(route.scope ? *route.scope : any);
  header.rtm_protocol = adding ? route.protocol : static_cast<std::uint8_t>(RTPROT_UNSPEC);
  if (route.hops.size() == 1) header.rtm_flags = route.hops[0].flags & RTNH_F_ONLINK;
  if (route.destination.length) message.ip(RTA_DST, route.destination.ip);
  if (route.source.length) message.ip(RTA_SRC, route.source.ip);
  message.u32(RTA_TABLE, route.table);
  if (route.priority) message.u32(RTA_PRIORITY, route.priority);
  if (!route.preferred_source.empty()) message.ip(RTA_PREFSRC, route.preferred_source);
  if (adding) {
    if (!route.metrics.empty()) message.bytes(RTA_METRICS, route.metrics);
    if (route.preference) message.u8(RTA_PREF, *route.preference);
    if (route.expires) message.u32(RTA_EXPIRES, route.expires);
  }
  put_hops(message, route);
  const Answer answer = socket.wire().exchange(message);
  if (answer.error) throw Error(subject, verb, answer.error, answer.kernel_says);
}

}  // namespace

std::string Route::text() const {
  return destination.text() + (table == table_main ? "" : " table " + std::to_string(table));
}

std::vector<Route> list_routes(Socket& socket, const RouteFilter& filter) {
  std::vector<Route> all;
  for (const Family family : {Family::v4, Family::v6}) {
    if (filter.family != Family::none && filter.family != family) continue;
    Message message(RTM_GETROUTE, NLM_F_DUMP);
    message.header<rtmsg>().rtm_family = static_cast<std::uint8_t>(family);
    auto some =
        socket.wire().dump<Route>(message, noun, [&](nlmsghdr* part, std::vector<Route>& out) {
          if (part->nlmsg_type != RTM_NEWROUTE) return;
          Route route = parse_route(part);
          if (route.family != family || (route.flags & RTM_F_CLONED)) return;
          if (filter.table && route.table != filter.table) return;
          out.push_back(std::move(route));
        });
    all.insert(all.end(), std::make_move_iterator(some.begin()),
               std::make_move_iterator(some.end()));
  }
  return all;
}

RouteAnswer look_up_route(Socket& socket, const RouteQuestion& question) {
  Message message(RTM_GETROUTE, 0);
  auto& header = message.header<rtmsg>();
  header.rtm_family = static_cast<std::uint8_t>(question.destination.family);
  header.rtm_dst_len = static_cast<std::uint8_t>(question.destination.size() * 8);
  header.rtm_flags = RTM_F_LOOKUP_TABLE;
  message.ip(RTA_DST, question.destination);
  if (!question.source.empty()) {
    header.rtm_src_len = static_cast<std::uint8_t>(question.source.size() * 8);
    message.ip(RTA_SRC, question.source);
  }
  if (question.incoming) message.value(RTA_IIF, question.incoming);
  RouteAnswer result;
  result.error = socket.wire()
                     .exchange(message,
                               [&](nlmsghdr* part) {
                                 if (part->nlmsg_type == RTM_NEWROUTE)
                                   result.route = parse_route(part);
                               })
                     .error;
  return result;
}

void add_route(Socket& socket, const Route& route) {
  send(socket, route, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, "add");
}
void append_route(Socket& socket, const Route& route) {
  send(socket, route, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, "append");
}
void replace_route(Socket& socket, const Route& route) {
  send(socket, route, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, "replace");
}
void remove_route(Socket& socket, const Route& route) {
  send(socket, route, RTM_DELROUTE, 0, "remove");
}

}  // namespace nl
