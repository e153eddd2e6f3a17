// Only what somebody configured is written: addresses with a lifetime come back by DHCP or router
// advertisement, and routes of the kernel with their address. Our files are read before others that
// could name the uplink, since networkd takes the first that matches.
#include "nutshell/native_config.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nutshell {
namespace {

constexpr unsigned by_kernel = 2, by_router = 9, by_dhcp = 16, main_table = 254, unicast = 1;
constexpr unsigned no_prefix_route = 0x200;  // IFA_F_NOPREFIXROUTE

bool is_configured(const LinkAddress& address) {
  return address.valid == forever && !address.is_link_local();
}
/// Somebody's, rather than the kernel's, a router's or a DHCP client's.
bool is_somebodys(const LinkRoute& route) {
  return !route.learnt && route.protocol != by_kernel && route.protocol != by_router &&
         route.protocol != by_dhcp;
}
bool has_way_beside(const LinkRoute& route, const std::vector<LinkRoute>& all) {
  return std::any_of(all.begin(), all.end(), [&](const LinkRoute& each) {
    return each.family == 6 && route.family == 6 && each.destination == route.destination &&
           each.table == route.table && each.priority == route.priority && !(each == route);
  });
}
/// With nothing to it that these texts have no words for.
bool is_plain(const LinkRoute& route, const std::vector<LinkRoute>& all) {
  return route.hops.size() == 1 && route.source.empty() && route.tos == 0 &&
         route.type == unicast && !has_way_beside(route, all);
}
bool is_configured(const LinkRoute& route) { return is_somebodys(route) && route.hops.size() == 1; }
/// As it is written: "10.9.3.2/32 peer 10.9.3.1".
std::string with_peer(const LinkAddress& address) {
  return address.peer.empty() ? "" : " peer " + address.peer;
}
bool has_dynamic(const NativeBridge& bridge, bool v6) {
  return std::any_of(bridge.addresses.begin(), bridge.addresses.end(),
                     [&](const LinkAddress& each) {
                       return each.is_v6() == v6 && each.valid != forever && !each.is_link_local();
                     });
}

std::string with_prefix(const LinkAddress& address) {
  return fmt::format("{}/{}", address.ip, address.prefix);
}
std::string destination(const LinkRoute& route) {
  return route.destination != "default" ? route.destination
         : route.family == 6            ? "::/0"
                                        : "0.0.0.0/0";
}

std::string route_section(const LinkRoute& route) {
  const RouteHop& hop = route.hops.front();
  std::string text = "\n[Route]\nDestination=" + destination(route) + "\n";
  if (!hop.gateway.empty()) text += "Gateway=" + hop.gateway + "\n";
  if (hop.flags & 4) text += "GatewayOnLink=yes\n";
  if (!route.preferred_source.empty()) text += "PreferredSource=" + route.preferred_source + "\n";
  if (route.priority && !(route.family == 6 && route.priority == 1024))
    text += fmt::format("Metric={}\n", route.priority);
  if (route.table != main_table) text += fmt::format("Table={}\n", route.table);
  return text;
}

/// As `ip route` takes it.
std::string route_words(const LinkRoute& route) {
  const RouteHop& hop = route.hops.front();
  std::string text = route.destination;
  if (!hop.gateway.empty()) text += " via " + hop.gateway;
  if (hop.flags & 4) text += " onlink";
  if (!route.preferred_source.empty()) text += " src " + route.preferred_source;
  if (route.priority) text += fmt::format(" metric {}", route.priority);
  if (route.table != main_table) text += fmt::format(" table {}", route.table);
  return text;
}

std::string netdev(const NativeBridge& bridge) {
  std::string text = native_header(bridge.name) + "[NetDev]\nName=" + bridge.name +
                     "\nKind=bridge\nMACAddress=" + bridge.mac + "\n";
  if (bridge.mtu) text += fmt::format("MTUBytes={}\n", *bridge.mtu);
  text += fmt::format("\n[Bridge]\nSTP={}\n", bridge.stp ? "yes" : "no");
  if (bridge.forward_delay) text += fmt::format("ForwardDelaySec={}\n", *bridge.forward_delay);
  if (bridge.hello) text += fmt::format("HelloTimeSec={}\n", *bridge.hello);
  if (bridge.max_age) text += fmt::format("MaxAgeSec={}\n", *bridge.max_age);
  if (bridge.vlan_filtering) text += "VLANFiltering=yes\n";
  return text;
}

std::string network(const NativeBridge& bridge) {
  std::string text =
      native_header(bridge.name) + "[Match]\nName=" + bridge.name + "\n\n[Network]\n";
  // A bridge without a port has no carrier, and its addresses are wanted all the same.
  text += "ConfigureWithoutCarrier=yes\n";
  if (has_dynamic(bridge, false)) text += "DHCP=ipv4\n";
  if (bridge.uplink.empty()) text += "IPv6AcceptRA=no\n";
  if (bridge.isolated) text += "IPForward=no\n";
  std::string sections;
  for (const LinkAddress& each : bridge.addresses) {
    if (!is_configured(each)) continue;
    const bool plain = each.peer.empty() && (each.flags & no_prefix_route) == 0;
    (plain ? text : sections) +=
        (plain ? "" : "\n[Address]\n") + ("Address=" + with_prefix(each)) + "\n";
    if (!each.peer.empty()) sections += "Peer=" + each.peer + fmt::format("/{}\n", each.prefix);
    if (each.flags & no_prefix_route) sections += "AddPrefixRoute=no\n";
  }
  text += sections;
  for (const LinkRoute& each : bridge.routes)
    if (is_configured(each)) text += route_section(each);
  return text;
}

std::string stanza(const NativeBridge& bridge, bool v6) {
  std::vector<std::string> own;
  const LinkAddress* first = nullptr;
  for (const LinkAddress& each : bridge.addresses)
    if (is_configured(each) && each.is_v6() == v6) {
      if (!first) first = &each;
      own.push_back(!each.peer.empty() && &each != first
                        ? fmt::format("{}{}", each.ip, with_peer(each))
                        : with_prefix(each) + (&each != first && (each.flags & no_prefix_route)
                                                   ? " noprefixroute"
                                                   : ""));
    }
  const bool dynamic = has_dynamic(bridge, v6);
  if (v6 && own.empty()) return "";
  const std::string method = !own.empty() ? "static" : dynamic ? "dhcp" : "manual";
  std::string text = fmt::format("\niface {} {} {}\n", bridge.name, v6 ? "inet6" : "inet", method);
  if (!own.empty()) text += "    address " + own.front() + "\n";
  if (first && !first->peer.empty()) text += "    pointopoint " + first->peer + "\n";
  for (std::size_t i = 1; i < own.size(); ++i)
    text += fmt::format("    up ip address add {} dev $IFACE\n", own[i]);
  if (!v6) {
    text += "    hwaddress ether " + bridge.mac + "\n";
    text += "    bridge_ports " + (bridge.uplink.empty() ? "none" : bridge.uplink) + "\n";
    text += fmt::format("    bridge_stp {}\n    bridge_fd {}\n", bridge.stp ? "on" : "off",
                        bridge.forward_delay.value_or(bridge.stp ? 15 : 0));
    if (bridge.hello) text += fmt::format("    bridge_hello {}\n", *bridge.hello);
    if (bridge.max_age) text += fmt::format("    bridge_maxage {}\n", *bridge.max_age);
    if (bridge.vlan_filtering) text += "    bridge_vlan_aware yes\n";
    if (bridge.mtu) text += fmt::format("    mtu {}\n", *bridge.mtu);
    if (bridge.isolated) text += "    up sysctl -qw net.ipv4.conf.$IFACE.forwarding=0\n";
  }
  for (const LinkRoute& each : bridge.routes)
    if (is_configured(each) && (each.family == 6) == v6)
      text +=
          fmt::format("    up ip {}route add {} dev $IFACE\n", v6 ? "-6 " : "", route_words(each));
  return text;
}

}  // namespace

NativeBridge native_bridge(const UplinkView& view) {
  NativeBridge bridge;
  bridge.name = view.bridge;
  bridge.mac = view.bridge_mac;
  bridge.uplink = view.uplink;
  if (view.mtu != 1500) bridge.mtu = view.mtu;
  for (const LinkAddress& each : view.addresses)
    if (each.link == view.bridge) bridge.addresses.push_back(each);
  bridge.stp = view.bridge_stp;
  for (const LinkRoute& each : view.routes) {
    if (!each.uses(view.bridge)) continue;
    const bool plain = is_plain(each, view.routes);
    if (plain || !is_somebodys(each)) bridge.routes.push_back(each);
    if (is_somebodys(each) && (!plain || !each.metrics.empty()))
      bridge.omitted.push_back((plain ? "MTU and the like of the " : "the ") + describe(each));
  }
  for (const LinkRule& each : view.rules)
    if (each.names(view.bridge)) bridge.omitted.push_back("the " + describe(each));
  for (const LinkNeighbour& each : view.neighbours)
    if (each.permanent && each.link == view.bridge)
      bridge.omitted.push_back(fmt::format("the neighbour {} ({})", each.ip, each.mac));
  return bridge;
}

std::string native_header(const std::string& bridge) {
  return fmt::format("# Written by nutshell for its bridge {}, and removed with it.\n", bridge);
}

std::vector<NativeFile> networkd_files(const NativeBridge& bridge) {
  const std::string stem = "/etc/systemd/network/05-nutshell-" + bridge.name;
  std::vector<NativeFile> files{{stem + ".netdev", netdev(bridge)},
                                {stem + ".network", network(bridge)}};
  if (!bridge.uplink.empty())
    files.push_back({stem + "-uplink.network",
                     native_header(bridge.name) + "[Match]\nName=" + bridge.uplink +
                         "\n\n[Network]\nBridge=" + bridge.name + "\nLinkLocalAddressing=no\n"});
  return files;
}

std::vector<NativeFile> ifupdown_files(const NativeBridge& bridge) {
  std::string text = native_header(bridge.name) + "auto " + bridge.name + "\n";
  if (!bridge.uplink.empty()) text += "\niface " + bridge.uplink + " inet manual\n";
  text += stanza(bridge, false) + stanza(bridge, true);
  return {{"/etc/network/interfaces.d/nutshell-" + bridge.name, text}};
}

std::vector<std::string> nmcli_commands(const NativeBridge& bridge) {
  std::string one = fmt::format(
      "nmcli connection add type bridge con-name nutshell-{0} ifname {0} bridge.mac-address {1} "
      "bridge.stp {2}",
      bridge.name, bridge.mac, bridge.stp ? "yes" : "no");
  if (bridge.forward_delay) one += fmt::format(" bridge.forward-delay {}", *bridge.forward_delay);
  if (bridge.hello) one += fmt::format(" bridge.hello-time {}", *bridge.hello);
  if (bridge.max_age) one += fmt::format(" bridge.max-age {}", *bridge.max_age);
  if (bridge.vlan_filtering) one += " bridge.vlan-filtering yes";
  if (bridge.mtu) one += fmt::format(" 802-3-ethernet.mtu {}", *bridge.mtu);
  for (const bool v6 : {false, true}) {
    std::string addresses, routes, gateway;
    for (const LinkAddress& each : bridge.addresses)
      if (is_configured(each) && each.is_v6() == v6)
        addresses += (addresses.empty() ? "" : ",") + with_prefix(each);
    for (const LinkRoute& each : bridge.routes) {
      if (!is_configured(each) || (each.family == 6) != v6) continue;
      if (each.destination == "default" && each.table == main_table && gateway.empty())
        gateway = each.hops.front().gateway;
      else
        routes +=
            fmt::format("{}{}{}{}{}", routes.empty() ? "" : ", ", destination(each),
                        each.hops.front().gateway.empty() ? "" : " " + each.hops.front().gateway,
                        each.priority ? fmt::format(" {}", each.priority) : "",
                        each.table != main_table ? fmt::format(" table={}", each.table) : "");
    }
    const std::string family = v6 ? "ipv6" : "ipv4";
    one += fmt::format(" {}.method {}", family,
                       !addresses.empty()                                              ? "manual"
                       : bridge.uplink.empty() || (!v6 && !has_dynamic(bridge, false)) ? "disabled"
                                                                                       : "auto");
    if (!addresses.empty()) one += fmt::format(" {}.addresses {}", family, addresses);
    if (!gateway.empty()) one += fmt::format(" {}.gateway {}", family, gateway);
    if (!routes.empty()) one += fmt::format(" {}.routes '{}'", family, routes);
  }
  std::vector<std::string> commands{one};
  if (!bridge.uplink.empty())
    commands.push_back(fmt::format(
        "nmcli connection add type bridge-slave con-name nutshell-{0}-{1} ifname {1} master {0}",
        bridge.name, bridge.uplink));
  commands.push_back(fmt::format("nmcli connection up nutshell-{}", bridge.name));
  return commands;
}

std::vector<std::string> native_paths(const std::string& bridge) {
  NativeBridge any;
  any.name = bridge;
  any.uplink = "any";
  std::vector<std::string> paths;
  for (const auto& files : {networkd_files(any), ifupdown_files(any)})
    for (const NativeFile& file : files) paths.push_back(file.path);
  return paths;
}

}  // namespace nutshell
