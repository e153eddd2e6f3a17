// Two tables that the kernel keeps behind one message, RTM_*NEIGH: who answers for an IP address on
// a link (ARP, ND), and, asked in the family AF_BRIDGE, which MAC is behind which port. Both are
// evidence that somebody uses a MAC or an address that no registry knows of.
#include "nl/neighbour.hpp"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "link_parts.hpp"
#include "nl/fdb.hpp"

namespace nl {
namespace {

std::optional<Mac> parse_lladdr(const Attributes& at) {
  if (at.bytes(NDA_LLADDR).size() != std::tuple_size_v<Mac>) return std::nullopt;
  return at.value<Mac>(NDA_LLADDR);
}

struct Request {
  int type;
  int flags;
  const char* verb;
};

void send(Socket& socket, const LinkRef& link, const Neighbour& neighbour, const Request& request) {
  const std::string operation = std::string(request.verb) + " neighbour " + neighbour.ip.text();
  if (neighbour.ip.empty())
    throw Error(link_subject(socket, link), operation, EINVAL, "it has no address");
  Message message(request.type, request.flags);
  auto& header = message.header<ndmsg>();
  header.ndm_family = static_cast<std::uint8_t>(neighbour.ip.family);
  header.ndm_ifindex = link_index(socket, link);
  header.ndm_state = neighbour.state;
  header.ndm_flags = neighbour.flags;
  message.ip(NDA_DST, neighbour.ip);
  if (neighbour.mac) message.value(NDA_LLADDR, *neighbour.mac);
  if (neighbour.protocol) message.u8(NDA_PROTOCOL, neighbour.protocol);
  check(socket, socket.wire().exchange(message), link, operation);
}

void send_fdb(Socket& socket, const LinkRef& port, const Mac& mac, const Request& request) {
  Message message(request.type, request.flags);
  auto& header = message.header<ndmsg>();
  header.ndm_family = AF_BRIDGE;
  header.ndm_ifindex = link_index(socket, port);
  header.ndm_state = NUD_NOARP;
  header.ndm_flags = NTF_MASTER;
  message.value(NDA_LLADDR, mac);
  check(socket, socket.wire().exchange(message), port,
        std::string(request.verb) + " forwarding entry " + to_text(mac));
}

}  // namespace

std::vector<Neighbour> list_neighbours(Socket& socket, const NeighbourFilter& filter) {
  std::vector<Neighbour> all;
  for (const Family family : {Family::v4, Family::v6}) {
    if (filter.family != Family::none && filter.family != family) continue;
    Message message(RTM_GETNEIGH, NLM_F_DUMP);
    auto& asked = message.header<ndmsg>();
    asked.ndm_family = static_cast<std::uint8_t>(family);
    if (filter.proxies) asked.ndm_flags = NTF_PROXY;
    auto some =
        socket.wire().dump<Neighbour>(message, "neighbours", [&](nlmsghdr* part, auto& out) {
          if (part->nlmsg_type != RTM_NEWNEIGH) return;
          const auto* header = static_cast<const ndmsg*>(::nlmsg_data(part));
          if (header->ndm_family != static_cast<std::uint8_t>(family) ||
              header->ndm_state == NUD_NOARP ||
              filter.proxies != ((header->ndm_flags & NTF_PROXY) != 0))
            return;
          if (filter.index > 0 && header->ndm_ifindex != filter.index) return;
          const Attributes at(part, sizeof(ndmsg));
          Neighbour neighbour{at.ip(NDA_DST),    header->ndm_ifindex, parse_lladdr(at),
                              header->ndm_state, header->ndm_flags,   at.u8(NDA_PROTOCOL)};
          if (!neighbour.ip.empty()) out.push_back(neighbour);
        });
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

void add_neighbour(Socket& socket, const LinkRef& link, const Neighbour& neighbour) {
  send(socket, link, neighbour, {RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, "add"});
}
void replace_neighbour(Socket& socket, const LinkRef& link, const Neighbour& neighbour) {
  send(socket, link, neighbour, {RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, "replace"});
}
void remove_neighbour(Socket& socket, const LinkRef& link, const Ip& ip, std::uint8_t flags) {
  Neighbour neighbour;
  neighbour.ip = ip;
  neighbour.flags = flags;
  send(socket, link, neighbour, {RTM_DELNEIGH, 0, "remove"});
}

std::vector<FdbEntry> list_fdb(Socket& socket, const FdbFilter& filter) {
  Message message(RTM_GETNEIGH, NLM_F_DUMP);
  message.header<ndmsg>().ndm_family = AF_BRIDGE;
  return socket.wire().dump<FdbEntry>(message, "forwarding table", [&](nlmsghdr* part, auto& out) {
    if (part->nlmsg_type != RTM_NEWNEIGH) return;
    const auto* header = static_cast<const ndmsg*>(::nlmsg_data(part));
    const Attributes at(part, sizeof(ndmsg));
    const auto mac = parse_lladdr(at);
    if (header->ndm_family != AF_BRIDGE || !mac) return;
    const bool self = header->ndm_flags & NTF_SELF;
    const int master = at.value<int>(NDA_MASTER);
    if (self && !filter.self_entries) return;
    if (filter.bridge > 0 && master != filter.bridge && header->ndm_ifindex != filter.bridge)
      return;
    out.push_back({*mac, header->ndm_ifindex, master, at.u16(NDA_VLAN),
                   (header->ndm_state & NUD_PERMANENT) != 0, (header->ndm_state & NUD_NOARP) != 0,
                   self});
  });
}

void add_fdb(Socket& socket, const LinkRef& port, const Mac& mac) {
  send_fdb(socket, port, mac, {RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, "add"});
}
void replace_fdb(Socket& socket, const LinkRef& port, const Mac& mac) {
  send_fdb(socket, port, mac, {RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, "put"});
}
void remove_fdb(Socket& socket, const LinkRef& port, const Mac& mac) {
  send_fdb(socket, port, mac, {RTM_DELNEIGH, 0, "remove"});
}

}  // namespace nl
