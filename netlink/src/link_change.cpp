// Changing, making and removing links. The one idea: whatever is asked for at once goes out as one
// RTM_NEWLINK, since a message costs far more than an attribute, and a new port is thus never seen
// half configured by more than the kernel.
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sys/socket.h>

#include <algorithm>

#include "link_parts.hpp"

namespace nl {
namespace {

constexpr std::size_t max_alias = 255;  // IFALIASZ less the closing zero

std::string describe(const LinkChange& change) {
  std::string what;
  const auto add = [&](const std::string& part) { what += (what.empty() ? "" : ", ") + part; };
  if (change.name) add("rename to " + *change.name);
  if (change.alias) add("set alias");
  if (change.mac) add("set MAC " + to_text(*change.mac));
  if (change.mtu) add("set MTU " + std::to_string(*change.mtu));
  if (change.master) {
    const std::string& name = change.master->name();
    const bool clear = name.empty() && change.master->index() == 0;
    add(clear ? "clear master" : "set master" + (name.empty() ? "" : " " + name));
  }
  if (change.up) add(*change.up ? "set up" : "set down");
  if (change.promiscuous) add("set promiscuous");
  if (change.netns_fd) add("move to another namespace");
  if (change.ipv6_link_local) add("set IPv6 address mode");
  return what.empty() ? "change nothing" : what;
}

std::span<const std::uint8_t> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

void put_flag(ifinfomsg& header, unsigned flag, const std::optional<bool>& wanted) {
  if (!wanted) return;
  header.ifi_change |= flag;
  if (*wanted) header.ifi_flags |= flag;
}

int master_index(Socket& socket, const LinkRef& link, const LinkRef& master,
                 const std::string& operation) {
  if (master.index() != 0 || master.name().empty()) return master.index();
  const auto found = find_link(socket, master);
  if (!found)
    throw Error(link_subject(socket, link), operation, ENODEV, "there is no " + master.name());
  return found->index;
}

}  // namespace

void check(Socket& socket, const Answer& answer, const LinkRef& link,
           const std::string& operation) {
  if (answer.error)
    throw Error(link_subject(socket, link), operation, answer.error, answer.kernel_says);
}

void require_name(const std::string& name, const std::string& operation) {
  const auto problem = name_problem(name);
  if (!problem) return;
  const bool too_long = name.size() >= IFNAMSIZ;
  throw Error("link " + name, operation, too_long ? ENAMETOOLONG : EINVAL,
              too_long ? "" : *problem);
}

void change_link(Socket& socket, const LinkRef& link, const LinkChange& change) {
  const std::string operation = describe(change);
  if (change.name) require_name(*change.name, operation);
  if (change.alias && change.alias->size() > max_alias) {
    throw Error(link_subject(socket, link), operation, EINVAL, "an alias has at most 255 bytes");
  }
  if (link.index() <= 0 && name_problem(link.name()))
    throw Error("link " + link.name(), operation, ENODEV);
  // A rename uses up the attribute that would name the link.
  const int index = change.name && link.index() <= 0 ? link_index(socket, link) : link.index();

  Message message(RTM_NEWLINK, 0);
  auto& header = message.header<ifinfomsg>();
  header.ifi_index = index;
  put_flag(header, IFF_UP, change.up);
  put_flag(header, IFF_PROMISC, change.promiscuous);
  if (change.name || index <= 0)
    message.text(IFLA_IFNAME, change.name ? *change.name : link.name());
  // Without a closing zero: the kernel counts it, and an alias of one zero byte is not "none".
  if (change.alias) message.bytes(IFLA_IFALIAS, as_bytes(*change.alias));
  if (change.mac) message.value(IFLA_ADDRESS, *change.mac);
  if (change.mtu) message.u32(IFLA_MTU, *change.mtu);
  if (change.master)
    message.value(IFLA_MASTER, master_index(socket, link, *change.master, operation));
  if (change.netns_fd) message.value(IFLA_NET_NS_FD, *change.netns_fd);
  if (change.ipv6_link_local) {
    const std::uint8_t mode =
        *change.ipv6_link_local ? IN6_ADDR_GEN_MODE_EUI64 : IN6_ADDR_GEN_MODE_NONE;
    message.nest(IFLA_AF_SPEC, [&] {
      message.nest(AF_INET6, [&] { message.u8(IFLA_INET6_ADDR_GEN_MODE, mode); });
    });
  }
  check(socket, socket.wire().exchange(message), link, operation);
}

void set_up(Socket& socket, const LinkRef& link) { change_link(socket, link, {.up = true}); }
void set_down(Socket& socket, const LinkRef& link) { change_link(socket, link, {.up = false}); }
void set_mtu(Socket& socket, const LinkRef& link, std::uint32_t mtu) {
  change_link(socket, link, {.mtu = mtu});
}
void set_alias(Socket& socket, const LinkRef& link, const std::string& alias) {
  change_link(socket, link, {.alias = alias});
}
void set_mac(Socket& socket, const LinkRef& link, const Mac& mac) {
  change_link(socket, link, {.mac = mac});
}
void clear_master(Socket& socket, const LinkRef& link) {
  change_link(socket, link, {.master = LinkRef(0)});
}
void set_master(Socket& socket, const Enslave& pair) {
  change_link(socket, pair.port, {.master = pair.master});
}
void rename_link(Socket& socket, const LinkRef& link, const std::string& new_name) {
  change_link(socket, link, {.name = new_name});
}

void remove_link(Socket& socket, const LinkRef& link) {
  // With neither index nor name the kernel would take the message as "remove a whole group of
  // links".
  if (link.index() <= 0 && name_problem(link.name()))
    throw Error("link " + link.name(), "remove", ENODEV);
  Message message(RTM_DELLINK, 0);
  message.header<ifinfomsg>().ifi_index = std::max(link.index(), 0);
  if (link.index() <= 0) message.text(IFLA_IFNAME, link.name());
  check(socket, socket.wire().exchange(message), link, "remove");
}

void make_link(Socket& socket, const std::string& name, const std::string& kind,
               const std::function<void(Message&)>& attributes,
               const std::function<void(Message&)>& data) {
  const std::string operation = "create " + kind;
  require_name(name, operation);
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  message.header<ifinfomsg>();
  message.text(IFLA_IFNAME, name);
  if (attributes) attributes(message);
  message.nest(IFLA_LINKINFO, [&] {
    message.text(IFLA_INFO_KIND, kind);
    if (data) message.nest(IFLA_INFO_DATA, [&] { data(message); });
  });
  check(socket, socket.wire().exchange(message), name, operation);
}

void make_veth(Socket& socket, const VethPair& pair) {
  require_name(pair.peer, "create veth");
  make_link(socket, pair.name, "veth", {}, [&](Message& message) {
    message.nest(VETH_INFO_PEER, [&] {
      message.header<ifinfomsg>();
      message.text(IFLA_IFNAME, pair.peer);
      if (pair.peer_netns_fd >= 0) message.value(IFLA_NET_NS_FD, pair.peer_netns_fd);
    });
  });
}

void make_dummy(Socket& socket, const std::string& name) {
  make_link(socket, name, "dummy", {}, {});
}

}  // namespace nl
