// Reading links: one dump, or one question by name or index. Everything comes out of the
// RTM_NEWLINK message itself; there is no cache that could be stale.
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "link_parts.hpp"

namespace nl {

std::optional<std::string> name_problem(std::string_view name) {
  if (name.empty()) return "it is empty";
  if (name.size() > IFNAMSIZ - 1) return "it is longer than 15 bytes";
  if (name == "." || name == "..") return "it is a directory's name";
  for (const char c : name) {
    if (c == '/' || c == ':' || c == '%' || c == '\0')
      return "it contains '/', ':', '%' or a zero byte";
    if (c == ' ' || (c >= '\t' && c <= '\r')) return "it contains white space";
  }
  return std::nullopt;
}

Link parse_link(nlmsghdr* message) {
  const auto* header = static_cast<const ifinfomsg*>(::nlmsg_data(message));
  const Attributes at(message, sizeof(ifinfomsg));
  Link link;
  link.index = header->ifi_index;
  link.type = header->ifi_type;
  link.up = header->ifi_flags & IFF_UP;
  link.running = header->ifi_flags & IFF_RUNNING;
  link.lower_up = header->ifi_flags & IFF_LOWER_UP;
  link.loopback = header->ifi_flags & IFF_LOOPBACK;
  link.promiscuous = header->ifi_flags & IFF_PROMISC;
  link.name = at.text(IFLA_IFNAME);
  link.alias = at.text(IFLA_IFALIAS);
  link.mtu = at.u32(IFLA_MTU);
  link.master = at.value<int>(IFLA_MASTER);
  link.peer = at.value<int>(IFLA_LINK);
  link.operstate = static_cast<OperState>(at.u8(IFLA_OPERSTATE));
  if (at.bytes(IFLA_ADDRESS).size() == std::tuple_size_v<Mac>)
    link.mac = at.value<Mac>(IFLA_ADDRESS);
  const Attributes info = at.nested(IFLA_LINKINFO);
  link.kind = info.text(IFLA_INFO_KIND);
  if (link.kind == "bridge")
    link.vlan_filtering = info.nested(IFLA_INFO_DATA).u8(IFLA_BR_VLAN_FILTERING) != 0;
  link.port_kind = info.text(IFLA_INFO_SLAVE_KIND);
  const auto stats = at.value<rtnl_link_stats64>(IFLA_STATS64);
  link.received = {stats.rx_bytes, stats.rx_packets, stats.rx_dropped, stats.rx_errors};
  link.sent = {stats.tx_bytes, stats.tx_packets, stats.tx_dropped, stats.tx_errors};
  return link;
}

bool get_link(Socket& socket, const LinkRef& link, const std::function<void(nlmsghdr*)>& each) {
  if (link.index() <= 0 && name_problem(link.name())) return false;
  Message message(RTM_GETLINK, 0);
  message.header<ifinfomsg>().ifi_index = std::max(link.index(), 0);
  if (link.index() <= 0) message.text(IFLA_IFNAME, link.name());
  const Answer answer = socket.wire().exchange(message, each);
  if (answer.error == ENODEV) return false;
  if (answer.error) check(socket, answer, link, "read");
  return true;
}

std::optional<Link> find_link(Socket& socket, const LinkRef& link) {
  std::optional<Link> found;
  get_link(socket, link, [&](nlmsghdr* message) {
    if (message->nlmsg_type == RTM_NEWLINK) found = parse_link(message);
  });
  return found;
}

int link_index(Socket& socket, const LinkRef& link) {
  if (link.index() > 0) return link.index();
  const auto found = find_link(socket, link);
  if (!found) throw Error("link " + link.name(), "find", ENODEV);
  return found->index;
}

std::vector<Link> list_links(Socket& socket, const LinkFilter& filter) {
  Message message(RTM_GETLINK, NLM_F_DUMP);
  message.header<ifinfomsg>();
  if (!filter.counters) message.u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  if (filter.master > 0) message.value(IFLA_MASTER, filter.master);
  if (!filter.kind.empty()) {
    message.nest(IFLA_LINKINFO, [&] { message.text(IFLA_INFO_KIND, filter.kind); });
  }
  auto links =
      socket.wire().dump<Link>(message, "links", [&](nlmsghdr* part, std::vector<Link>& out) {
        if (part->nlmsg_type != RTM_NEWLINK) return;
        Link link = parse_link(part);
        if (filter.master > 0 && link.master != filter.master)
          return;  // kernels before 4.4 send everything,
        if (!filter.kind.empty() && link.kind != filter.kind)
          return;  // as does any for a kind that it does not know
        out.push_back(std::move(link));
      });
  std::sort(links.begin(), links.end(),
            [](const Link& a, const Link& b) { return a.index < b.index; });
  return links;
}

std::string link_subject(Socket& socket, const LinkRef& link) {
  if (!link.name().empty()) return "link " + link.name();
  try {
    if (const auto found = find_link(socket, link)) return "link " + found->name;
  } catch (const Error&) {
    // the number says enough
  }
  return "link " + std::to_string(link.index());
}

}  // namespace nl
