// The kernel is its own best witness: asked for the route of a packet that comes in by the bridge,
// it applies forwarding, policy routing and rp_filter as it would to the packet itself.
#include "host/observe_route.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "host/ruleset.hpp"
#include "nl/address.hpp"
#include "nl/error.hpp"
#include "nl/link.hpp"
#include "nl/neighbour.hpp"
#include "nl/route.hpp"
#include "nutshell/error.hpp"
#include "nutshell/facts.hpp"

namespace nutshell::host {
namespace {

nl::Ip to_ip(Ipv4 address) { return nl::Ip::v4(address.value); }

std::string name_of(const std::vector<nl::Link>& links, int index) {
  for (const nl::Link& link : links)
    if (link.index == index) return link.name;
  return "";
}

bool is_strict(int error) { return error == EINVAL || error == EXDEV; }

const nl::NextHop* first_hop(const nl::Route& route) {
  return route.hops.empty() ? nullptr : &route.hops.front();
}

/// The default route that is used: the lowest metric of the main table.
std::optional<nl::Route> default_route(nl::Socket& socket) {
  std::optional<nl::Route> best;
  for (nl::Route& each :
       nl::list_routes(socket, {.family = nl::Family::v4, .table = nl::table_main}))
    if (each.destination.length == 0 && each.type == nl::RouteType::unicast &&
        (!best || each.priority < best->priority))
      best = std::move(each);
  return best;
}

/// Finds a link by which packets from there would come in and be dropped: the one that the way out
/// takes; else, as a guess, another link to the outside.
void find_strict_link(nl::Socket& socket, const std::vector<nl::Link>& links, const RouteWish& wish,
                      int bridge, SeenRoute& seen) {
  const std::string& outer = seen.outer;
  const bool dropped = reverse_path_drops() > 0;
  std::vector<int> with_address;
  for (const nl::Address& each : nl::list_addresses(socket, {.family = nl::Family::v4}))
    with_address.push_back(each.index);
  for (const nl::Link& link : links) {
    if (link.loopback || link.index == bridge || !link.up) continue;
    const bool is_outer = link.name == outer;
    // A network of ours is no way in from elsewhere.
    if (!is_outer &&
        (is_mark(link.alias) || !dropped ||
         std::find(with_address.begin(), with_address.end(), link.index) == with_address.end()))
      continue;
    if (reverse_path_filter(link.name) != 1) continue;
    const auto back = nl::look_up_route(
        socket,
        {.destination = to_ip(*wish.guest), .source = to_ip(*wish.to), .incoming = link.index});
    if (!is_strict(back.error)) continue;
    if (!is_outer && !seen.route.strict.empty()) continue;
    seen.route.strict = link.name;
    seen.route.strict_guess = !is_outer;
    if (is_outer) return;
  }
}

/// Each link's own setting is the one that counts, of what comes in by it; the whole one sets them
/// all.
void read_forwarding(const std::string& bridge, SeenRoute& seen) {
  PathRoute& route = seen.route;
  route.forwarding = "net.ipv4.ip_forward";
  for (const std::string& link : {bridge, seen.outer}) {
    if (link.empty() || setting(fmt::format("net/ipv4/conf/{}/forwarding", link)) != "0") continue;
    route.forwards = false;
    if (setting("net/ipv4/ip_forward") == "1")
      route.forwarding = fmt::format("net.ipv4.conf.{}.forwarding", link);
    return;
  }
}

void ask_for_packet(nl::Socket& socket, const std::vector<nl::Link>& links, const RouteWish& wish,
                    int bridge, SeenRoute& seen) {
  const auto out = nl::look_up_route(
      socket, {.destination = to_ip(*wish.to), .source = to_ip(*wish.guest), .incoming = bridge});
  const std::string name = name_of(links, bridge);
  if (is_strict(out.error) && reverse_path_filter(name) == 1)
    seen.route.strict = name;
  else if (out.error)
    seen.route.refused = seen.route.forbidden = true;  // the host itself has a route there
  else if (const nl::NextHop* hop = first_hop(out.route); hop && !seen.route.local) {
    seen.outer = name_of(links, hop->index);  // by whatever table its rules of routing lead to
    seen.route.gateway = hop->gateway.text();
  }
  if (!out.error && !seen.route.local) find_strict_link(socket, links, wish, bridge, seen);
  if (!seen.route.strict.empty()) seen.route.strict_drops = reverse_path_drops();
}

/// An address beyond every network that a host is on, for the question where its machines' default
/// route leads: rules of routing may give them another than its own.
constexpr Ipv4 somewhere{0x0b16212c};  // 11.22.33.44

/// What goes to the machine has to leave by its bridge; where it has no route of its own, or a rule
/// of routing speaks of it, it does not.
void look_back(nl::Socket& socket, const std::vector<nl::Link>& links, const RouteWish& wish,
               int bridge, SeenRoute& seen) {
  seen.route.guest = to_string(*wish.guest);
  const auto back = nl::look_up_route(socket, {.destination = to_ip(*wish.guest)});
  const nl::NextHop* hop = back.error ? nullptr : first_hop(back.route);
  if (!hop)
    seen.route.astray = "";
  else if (hop->index != bridge)
    seen.route.astray = name_of(links, hop->index);
  if (wish.to) return;
  const auto away = nl::look_up_route(
      socket, {.destination = to_ip(somewhere), .source = to_ip(*wish.guest), .incoming = bridge});
  if (const nl::NextHop* next = away.error ? nullptr : first_hop(away.route)) {
    seen.outer = name_of(links, next->index);
    seen.route.gateway = next->gateway.text();
  }
  if (seen.route.gateway.empty()) return;
  const auto gateway = nl::Ip::parse(seen.route.gateway);
  if (!gateway) return;
  const auto out = nl::look_up_route(
      socket, {.destination = *gateway, .source = to_ip(*wish.guest), .incoming = bridge});
  if (out.error == EACCES || out.error == EHOSTUNREACH || out.error == ENETUNREACH)
    seen.route.refused = true;
}

SeenRoute route_to(nl::Socket& socket, const std::vector<nl::Link>& links, const RouteWish& wish) {
  SeenRoute seen;
  seen.route.to = to_string(*wish.to);
  const auto answer = nl::look_up_route(socket, {.destination = to_ip(*wish.to)});
  seen.route.refused = answer.error != 0;
  seen.route.forbidden = answer.error != 0 && answer.error != ENETUNREACH;
  seen.route.local = !answer.error && answer.route.type == nl::RouteType::local;
  if (answer.error || seen.route.local) return seen;
  if (const nl::NextHop* hop = first_hop(answer.route)) {
    seen.outer = name_of(links, hop->index);
    seen.route.gateway = hop->gateway.text();
  }
  return seen;
}

}  // namespace

std::optional<SeenRoute> observe_route(const RouteWish& wish) {
  try {
    nl::Socket socket;
    const std::vector<nl::Link> links = nl::list_links(socket, {.counters = false});
    int bridge = 0;
    for (const nl::Link& link : links)
      if (link.name == wish.bridge) bridge = link.index;
    SeenRoute seen;
    if (wish.to) {
      seen = route_to(socket, links, wish);
    } else {
      const auto route = default_route(socket);
      if (!route) return std::nullopt;
      if (const nl::NextHop* hop = first_hop(*route)) {
        seen.outer = name_of(links, hop->index);
        seen.route.gateway = hop->gateway.text();
      }
    }
    read_forwarding(wish.bridge, seen);
    if (wish.guest && bridge && seen.route.forwards) look_back(socket, links, wish, bridge, seen);
    if (wish.to && wish.guest && bridge && seen.route.forwards && !seen.route.refused)
      ask_for_packet(socket, links, wish, bridge, seen);
    return seen;
  } catch (const nl::Error& error) {
    throw SystemError(error.code(), error.subject() + ": cannot " + error.operation());
  }
}

std::optional<DeadNeighbour> observe_neighbours(const std::string& bridge,
                                                const std::optional<Ipv4>& guest,
                                                const std::string& outer,
                                                const std::string& next_hop) {
  try {
    nl::Socket socket;
    const auto links = nl::list_links(socket, {.counters = false});
    for (const nl::Neighbour& each :
         nl::list_neighbours(socket, {.index = 0, .family = nl::Family::v4})) {
      if ((each.state & nl::neighbour_state::failed) == 0) continue;
      const std::string link = name_of(links, each.index), address = each.ip.text();
      if (guest && link == bridge && address == to_string(*guest))
        return DeadNeighbour{link, address, true};
      if (!next_hop.empty() && link == outer && address == next_hop)
        return DeadNeighbour{link, address, false};
    }
    return std::nullopt;
  } catch (const nl::Error& error) {
    throw SystemError(error.code(), error.subject() + ": cannot " + error.operation());
  }
}

std::vector<std::string> strict_links() {
  try {
    nl::Socket socket;
    const auto route = default_route(socket);
    const nl::NextHop* hop = route ? first_hop(*route) : nullptr;
    std::vector<std::string> names;
    const auto addresses = nl::list_addresses(socket, {.index = 0, .family = nl::Family::v4});
    for (const nl::Link& link : nl::list_links(socket, {.counters = false})) {
      const bool has_address =
          std::any_of(addresses.begin(), addresses.end(),
                      [&](const nl::Address& each) { return each.index == link.index; });
      if (has_address && !link.loopback && link.up && !is_mark(link.alias) &&
          (!hop || hop->index != link.index) && reverse_path_filter(link.name) == 1)
        names.push_back(link.name);
    }
    return names;
  } catch (const nl::Error& error) {
    throw SystemError(error.code(), error.subject() + ": cannot " + error.operation());
  }
}

bool has_address(const std::string& link, const std::optional<Ipv4>& address) {
  try {
    nl::Socket socket;
    const auto found = nl::find_link(socket, link);
    if (!found) return false;
    for (const nl::Address& each :
         nl::list_addresses(socket, {.index = found->index, .family = nl::Family::v4}))
      if (!address || each.ip == to_ip(*address)) return true;
    return false;
  } catch (const nl::Error& error) {
    throw SystemError(error.code(), error.subject() + ": cannot " + error.operation());
  }
}

std::string ipv6_holder(const std::string& address) {
  const auto wanted = nl::Ip::parse(address);
  if (!wanted) return "";
  try {
    nl::Socket socket;
    const auto links = nl::list_links(socket, {.counters = false});
    for (const nl::Address& each :
         nl::list_addresses(socket, {.index = 0, .family = nl::Family::v6}))
      if (each.ip == *wanted) return "this host, on " + name_of(links, each.index);
    for (const nl::Neighbour& each :
         nl::list_neighbours(socket, {.index = 0, .family = nl::Family::v6})) {
      if (each.ip != *wanted || !each.mac) continue;
      Mac mac;
      for (const std::uint8_t byte : *each.mac) mac.value = mac.value << 8 | byte;
      return fmt::format("{} on {}", to_string(mac), name_of(links, each.index));
    }
    return "";
  } catch (const nl::Error& error) {
    throw SystemError(error.code(), error.subject() + ": cannot " + error.operation());
  }
}

std::optional<Ipv4> neighbour_address(const std::string& bridge, Mac mac) {
  try {
    nl::Socket socket;
    const auto link = nl::find_link(socket, bridge);
    if (!link) return std::nullopt;
    for (const nl::Neighbour& each :
         nl::list_neighbours(socket, {.index = link->index, .family = nl::Family::v4})) {
      Mac seen;
      if (each.mac)
        for (const std::uint8_t byte : *each.mac) seen.value = seen.value << 8 | byte;
      if (each.mac && seen == mac) return Ipv4{each.ip.as_v4()};
    }
    return std::nullopt;
  } catch (const nl::Error&) {
    return std::nullopt;
  }
}

}  // namespace nutshell::host
