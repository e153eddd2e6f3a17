// Bridges over RTM_NEWLINK. A bridge without a MAC of its own takes the lowest of its ports, so
// that a tap that joins would change the address that everyone has in their ARP caches: hence the
// MAC belongs in the create message.
#include "nl/bridge.hpp"

#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstdio>

#include "link_parts.hpp"

namespace nl {
namespace {

template <class Options>
void put_settings(Message& message, const Options& options) {
  if (options.forward_delay) message.u32(IFLA_BR_FORWARD_DELAY, *options.forward_delay);
  if (options.hello_time) message.u32(IFLA_BR_HELLO_TIME, *options.hello_time);
  if (options.max_age) message.u32(IFLA_BR_MAX_AGE, *options.max_age);
  if (options.vlan_filtering) message.u8(IFLA_BR_VLAN_FILTERING, *options.vlan_filtering);
}

[[noreturn]] void not_a_bridge(const Link& link, const std::string& operation) {
  const std::string kind = link.kind.empty() ? "device without a kind" : link.kind;
  throw Error("link " + link.name, operation, EINVAL, "it is no bridge but a " + kind);
}

Link require_bridge(Socket& socket, const LinkRef& bridge, const std::string& operation) {
  const auto link = find_link(socket, bridge);
  if (!link) throw Error(link_subject(socket, bridge), operation, ENODEV);
  if (link->kind != "bridge") not_a_bridge(*link, operation);
  return *link;
}

/// The kernel keeps a bridge's MTU against its ports' only when it was changed after it was made
/// (br_change_mtu); to what it is already is no change.
std::uint32_t beside(std::uint32_t mtu) { return mtu > ETH_MIN_MTU ? mtu - 1 : mtu + 1; }

std::string bridge_id(const ifla_bridge_id& id) {
  char text[20];
  std::snprintf(text, sizeof text, "%02x%02x.%02x%02x%02x%02x%02x%02x", id.prio[0], id.prio[1],
                id.addr[0], id.addr[1], id.addr[2], id.addr[3], id.addr[4], id.addr[5]);
  return text;
}

}  // namespace

int make_bridge(Socket& socket, const std::string& name, const BridgeOptions& options) {
  make_link(
      socket, name, "bridge",
      [&](Message& message) {
        if (options.mac) message.value(IFLA_ADDRESS, *options.mac);
      },
      [&](Message& message) {
        put_settings(message, options);
        message.u32(IFLA_BR_STP_STATE, options.stp);
      });
  try {
    const int index = link_index(socket, name);
    LinkChange change;
    if (!options.alias.empty()) change.alias = options.alias;
    if (options.up) change.up = true;
    if (options.mtu) set_mtu(socket, index, beside(*options.mtu));
    change.mtu = options.mtu;
    if (change.alias || change.up || change.mtu) change_link(socket, index, change);
    return index;
  } catch (...) {
    try {
      remove_link(socket, name);
    } catch (const Error&) {
      // the first error is the one to report
    }
    throw;
  }
}

void hold_mtu(Socket& socket, const LinkRef& bridge, std::uint32_t mtu) {
  set_mtu(socket, bridge, beside(mtu));
  set_mtu(socket, bridge, mtu);
}

void remove_bridge(Socket& socket, const LinkRef& bridge) {
  remove_link(socket, require_bridge(socket, bridge, "remove bridge"));
}

BridgeSettings bridge_settings(Socket& socket, const LinkRef& bridge) {
  BridgeSettings settings;
  const bool found = get_link(socket, bridge, [&](nlmsghdr* message) {
    const Link link = parse_link(message);
    if (link.kind != "bridge") not_a_bridge(link, "read bridge settings");
    const Attributes data =
        Attributes(message, sizeof(ifinfomsg)).nested(IFLA_LINKINFO).nested(IFLA_INFO_DATA);
    settings.stp = data.u32(IFLA_BR_STP_STATE) != 0;
    settings.forward_delay = data.u32(IFLA_BR_FORWARD_DELAY);
    settings.hello_time = data.u32(IFLA_BR_HELLO_TIME);
    settings.max_age = data.u32(IFLA_BR_MAX_AGE);
    settings.ageing_time = data.u32(IFLA_BR_AGEING_TIME);
    settings.priority = data.u16(IFLA_BR_PRIORITY);
    settings.vlan_filtering = data.u8(IFLA_BR_VLAN_FILTERING) != 0;
    settings.id = bridge_id(data.value<ifla_bridge_id>(IFLA_BR_BRIDGE_ID));
    settings.root = bridge_id(data.value<ifla_bridge_id>(IFLA_BR_ROOT_ID));
  });
  if (!found) throw Error(link_subject(socket, bridge), "read bridge settings", ENODEV);
  return settings;
}

void change_bridge(Socket& socket, const LinkRef& bridge, const BridgeChange& change) {
  const Link link = require_bridge(socket, bridge, "change bridge");
  Message message(RTM_NEWLINK, 0);
  message.header<ifinfomsg>().ifi_index = link.index;
  message.nest(IFLA_LINKINFO, [&] {
    message.text(IFLA_INFO_KIND, "bridge");
    message.nest(IFLA_INFO_DATA, [&] {
      put_settings(message, change);
      if (change.ageing_time) message.u32(IFLA_BR_AGEING_TIME, *change.ageing_time);
      if (change.priority) message.u16(IFLA_BR_PRIORITY, *change.priority);
      if (change.stp) message.u32(IFLA_BR_STP_STATE, *change.stp);
    });
  });
  check(socket, socket.wire().exchange(message), link, "change bridge");
}

const char* to_string(PortState state) {
  switch (state) {
    case PortState::disabled: return "disabled";
    case PortState::listening: return "listening";
    case PortState::learning: return "learning";
    case PortState::forwarding: return "forwarding";
    case PortState::blocking: return "blocking";
  }
  return "";
}

void change_port(Socket& socket, const LinkRef& port, const PortChange& change) {
  Message message(RTM_NEWLINK, 0);
  message.header<ifinfomsg>().ifi_index = link_index(socket, port);
  message.nest(IFLA_LINKINFO, [&] {
    message.text(IFLA_INFO_SLAVE_KIND, "bridge");
    message.nest(IFLA_INFO_SLAVE_DATA, [&] {
      if (change.learning) message.u8(IFLA_BRPORT_LEARNING, *change.learning);
      if (change.guard) message.u8(IFLA_BRPORT_GUARD, *change.guard);
    });
  });
  check(socket, socket.wire().exchange(message), port, "change bridge port");
}

std::vector<BridgePort> list_ports(Socket& socket, const LinkRef& bridge) {
  const Link master = require_bridge(socket, bridge, "list ports");
  Message message(RTM_GETLINK, NLM_F_DUMP);
  message.header<ifinfomsg>();
  message.value(IFLA_MASTER, master.index);
  auto ports =
      socket.wire().dump<BridgePort>(message, "bridge ports", [&](nlmsghdr* part, auto& out) {
        if (part->nlmsg_type != RTM_NEWLINK) return;
        BridgePort port;
        port.link = parse_link(part);
        if (port.link.master != master.index) return;
        const Attributes data =
            Attributes(part, sizeof(ifinfomsg)).nested(IFLA_LINKINFO).nested(IFLA_INFO_SLAVE_DATA);
        port.state = static_cast<PortState>(data.u8(IFLA_BRPORT_STATE));
        port.cost = data.u32(IFLA_BRPORT_COST);
        port.priority = data.u16(IFLA_BRPORT_PRIORITY);
        port.hairpin = data.u8(IFLA_BRPORT_MODE) != 0;
        port.learning = data.u8(IFLA_BRPORT_LEARNING, 1) != 0;
        port.isolated = data.u8(IFLA_BRPORT_ISOLATED) != 0;
        out.push_back(std::move(port));
      });
  std::sort(ports.begin(), ports.end(),
            [](const BridgePort& a, const BridgePort& b) { return a.link.index < b.link.index; });
  return ports;
}

}  // namespace nl
