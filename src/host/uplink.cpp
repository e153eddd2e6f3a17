// The view is read in bulk and holds names only; the loop that settles trusts no answer but the
// next look, so that it may begin at any half-done state and may be killed at any message.
#include "host/uplink.hpp"

#include <fmt/format.h>

#include <map>
#include <set>

#include "host/learnt_route.hpp"
#include "host/uplink_values.hpp"
#include "nl/bridge.hpp"
#include "nl/error.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr std::size_t most_learnt = 256;  // each costs a message while the network stands still

/// What the kernel makes with an address needs no following, unless it stands in an order with that
/// of another link. Link-local networks are not followed at all.
bool is_automatic(const LinkRoute& route) {
  constexpr unsigned local = 2, multicast = 5;
  return route.is_kernels() && route.type >= local && route.type <= multicast;
}
bool is_link_local(const LinkRoute& route) {
  return route.is_kernels() && route.family == 6 &&
         (route.destination.starts_with("fe80:") || is_automatic(route));
}

std::string place_of(const LinkRoute& r) {
  return fmt::format("{} {} {} {} {} {}", r.family, r.table, r.destination, r.source, r.tos,
                     r.priority);
}
std::string place_of(const LinkRule& r) { return fmt::format("{} {}", r.family, r.priority); }

/// Those that concern us, and those that stand in an order with them.
template <class T, class Concerns>
void keep(std::vector<T>& all, const std::vector<T>* like, Concerns concerns) {
  std::set<std::string> places;
  for (const T& each : all)
    if (concerns(each)) places.insert(place_of(each));
  if (like)
    for (const T& each : *like) places.insert(place_of(each));
  std::erase_if(all, [&](const T& each) { return !places.contains(place_of(each)); });
}

void keep_routes(const UplinkNames& names, const UplinkView* like, std::vector<LinkRoute>& routes) {
  const auto is_ours = [&](const LinkRoute& route) {
    return route.uses(names.uplink) || route.uses(names.bridge);
  };
  std::set<std::string> shared;  // places where another link has a route, too
  for (const LinkRoute& each : routes)
    if (!is_ours(each)) shared.insert(place_of(each));
  keep(routes, like ? &like->routes : nullptr, [&](const LinkRoute& each) {
    return is_ours(each) && (!is_automatic(each) || shared.contains(place_of(each)));
  });
}

void read_routes(nl::Socket& socket, const LinkName& name, UplinkView& view) {
  for (const nl::Route& route : nl::list_routes(socket)) {
    LinkRoute value = to_value(route, name);
    if (is_link_local(value)) continue;
    if (value.family == 4 || value.hops.size() < 2) {
      view.routes.push_back(std::move(value));
      continue;
    }
    for (const RouteHop& hop : std::vector<RouteHop>(value.hops)) {  // each is a route of its own
      value.hops = {hop};
      view.routes.push_back(value);
    }
  }
}

void read_addresses(nl::Socket& socket, const LinkName& name, UplinkView& view) {
  constexpr std::uint32_t temporary = 0x01;  // of an IPv6 address: the kernel makes it, and ends it
  for (const nl::Address& address : nl::list_addresses(socket)) {
    const std::string link = name(address.index);
    if (link != view.uplink && link != view.bridge) continue;
    if (address.ip.family == nl::Family::v6 && (address.flags & temporary)) continue;
    view.addresses.push_back(to_value(address, name));
  }
}

void read_neighbours(nl::Socket& socket, const LinkName& name, UplinkView& view) {
  std::size_t learnt = 0;
  for (const nl::Neighbour& each : nl::list_neighbours(socket)) {
    const std::string link = name(each.index);
    if (link != view.uplink && link != view.bridge) continue;
    const bool known =
        each.mac &&
        (each.state & (nl::neighbour_state::incomplete | nl::neighbour_state::failed)) == 0;
    if (each.permanent() || (known && ++learnt <= most_learnt))
      view.neighbours.push_back(to_value(each, name));
  }
  for (const nl::Neighbour& each : nl::list_neighbours(socket, {.proxies = true})) {
    const std::string link = name(each.index);
    if (link == view.uplink || link == view.bridge)
      view.neighbours.push_back({link, each.ip.text(), "", each.flags, each.protocol});
  }
}

}  // namespace

UplinkView observe_uplink(const UplinkNames& names, const UplinkView* like) {
  try {
    nl::Socket socket;
    UplinkView view;
    view.uplink = names.uplink;
    view.bridge = names.bridge;
    std::map<int, std::string> by_index;
    const auto links = nl::list_links(socket, {.counters = false});
    for (const nl::Link& link : links) by_index[link.index] = link.name;
    const LinkName name = [&](int index) {
      const auto found = by_index.find(index);
      return found == by_index.end() ? std::string() : found->second;
    };
    for (const nl::Link& link : links) {
      const std::string mac = link.mac ? nl::to_text(*link.mac) : "";
      if (link.name == names.uplink) {
        view.uplink_there = true;
        view.uplink_up = link.up;
        view.mac = mac;
        view.mtu = link.mtu;
        view.master = name(link.master);
      } else if (link.name == names.bridge && link.kind == "bridge") {
        view.bridge_there = true;
        view.bridge_up = link.up;
        view.bridge_mac = mac;
        view.bridge_mark = link.alias;
        view.bridge_stp = nl::bridge_settings(socket, link).stp;
        view.bridge_ours =
            link.alias.empty() ? !names.mac.empty() && mac == names.mac : link.alias == names.mark;
      } else if (link.master != 0 && name(link.master) == names.bridge) {
        view.other_ports.push_back(link.name);
      }
    }
    read_addresses(socket, name, view);
    read_routes(socket, name, view);
    keep_routes(names, like, view.routes);
    mark_learnt(view.routes);
    for (const nl::Rule& rule : nl::list_rules(socket)) view.rules.push_back(to_value(rule));
    keep(view.rules, like ? &like->rules : nullptr, [&](const LinkRule& rule) {
      return rule.names(names.uplink) || rule.names(names.bridge);
    });
    read_neighbours(socket, name, view);
    return view;
  } catch (const nl::Error& error) {
    throw Failed(
        fmt::format("cannot look at {} and {}: {}", names.uplink, names.bridge, error.what()));
  }
}

}  // namespace nutshell::host
