// Links, addresses, routes, MACs and ports, one dump each. What carries our mark is not a
// stranger's: a MAC behind a marked tap, or an address on a marked bridge, is in our registry
// already, and must not come back as somebody else's. Everything else that the host has seen
// counts.
#include "host/observe_network.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "host/proc.hpp"
#include "nl/address.hpp"
#include "nl/error.hpp"
#include "nl/fdb.hpp"
#include "nl/link.hpp"
#include "nl/neighbour.hpp"
#include "nl/route.hpp"
#include "nl/socket_diag.hpp"
#include "nutshell/error.hpp"

#include <fmt/format.h>

namespace nutshell::host {
namespace {

Mac to_mac(const nl::Mac& bytes) {
  Mac mac;
  for (const std::uint8_t byte : bytes) mac.value = mac.value << 8 | byte;
  return mac;
}

/// Links by index, with the two questions that are asked of them.
class LinkTable {
 public:
  explicit LinkTable(const std::vector<LinkFact>& links) {
    for (const LinkFact& link : links) by_index_[link.index] = &link;
  }
  [[nodiscard]] const LinkFact* find(int index) const {
    const auto found = by_index_.find(index);
    return found == by_index_.end() ? nullptr : found->second;
  }
  [[nodiscard]] bool is_ours(int index) const {
    const LinkFact* link = find(index);
    return link != nullptr && is_mark(link->alias);
  }
  /// A macvtap link of ours in passthru mode gives its own MAC to the device below it.
  [[nodiscard]] bool lends_its_mac(const LinkFact& lower) const {
    return std::any_of(by_index_.begin(), by_index_.end(), [&](const auto& each) {
      const LinkFact& link = *each.second;
      return link.lower == lower.index && link.kind == "macvtap" && link.mac == lower.mac &&
             is_mark(link.alias);
    });
  }
  [[nodiscard]] std::string name(int index) const {
    const LinkFact* link = find(index);
    return link ? link->name : fmt::format("link {}", index);
  }

 private:
  std::map<int, const LinkFact*> by_index_;
};

void read_links(nl::Socket& socket, Facts& facts) {
  for (const nl::Link& link : nl::list_links(socket, {.counters = false})) {
    facts.links.push_back({.index = link.index,
                           .name = link.name,
                           .kind = link.kind,
                           .alias = link.alias,
                           .mac = link.mac ? to_mac(*link.mac) : Mac{},
                           .mtu = link.mtu,
                           .master = link.master,
                           .up = link.up,
                           .lower = link.peer,
                           .vlan_filtering = link.vlan_filtering});
  }
}

void read_addresses(nl::Socket& socket, Facts& facts) {
  for (const nl::Address& address : nl::list_addresses(socket, {.family = nl::Family::v4}))
    facts.addresses.push_back({address.index, {{address.ip.as_v4()}, address.prefix}});
}

void read_routes(nl::Socket& socket, Facts& facts) {
  for (const nl::Route& route : nl::list_routes(socket, {.family = nl::Family::v4})) {
    RouteFact fact{{{route.destination.ip.as_v4()}, route.destination.length}, route.table, 0, {}};
    if (!route.hops.empty()) {
      const nl::NextHop& hop = route.hops.front();
      fact.link = hop.index;
      if (hop.gateway.family == nl::Family::v4) fact.gateway = Ipv4{hop.gateway.as_v4()};
    }
    facts.routes.push_back(fact);
  }
}

using Holders = std::map<Mac, std::string>;  // the first evidence of a MAC is the one that is told

void add_mac(Holders& holders, Mac mac, std::string holder) {
  if (mac.value != 0 && !mac.is_multicast()) holders.emplace(mac, std::move(holder));
}

void add_other_qemus(const ObserveOptions& options, Holders& holders) {
  const std::set<std::string> ours(options.our_uuids.begin(), options.our_uuids.end());
  for (const QemuProcess& qemu : running_qemus()) {
    if (ours.contains(qemu.uuid)) continue;
    for (const Mac mac : qemu.macs) add_mac(holders, mac, fmt::format("qemu (pid {})", qemu.pid));
  }
}

void read_macs(nl::Socket& socket, const ObserveOptions& options,
               const std::vector<nl::Neighbour>& neighbours, Facts& facts) {
  const LinkTable table(facts.links);
  Holders holders;
  add_other_qemus(options, holders);
  for (const LinkFact& link : facts.links)
    if (!is_mark(link.alias) && !table.lends_its_mac(link))
      add_mac(holders, link.mac, fmt::format("link {}", link.name));
  for (const nl::FdbEntry& entry : nl::list_fdb(socket)) {
    if (entry.local || table.is_ours(entry.port)) continue;
    add_mac(holders, to_mac(entry.mac),
            fmt::format("port {} of {}", table.name(entry.port), table.name(entry.master)));
  }
  for (const nl::Neighbour& each : neighbours) {
    if (!each.mac || table.is_ours(each.index)) continue;
    add_mac(holders, to_mac(*each.mac),
            fmt::format("neighbour {} on {}", each.ip.text(), table.name(each.index)));
  }
  for (auto& [mac, holder] : holders) facts.macs.push_back({mac, std::move(holder)});
}

void read_ips(nl::Socket& socket, const std::vector<nl::Neighbour>& neighbours, Facts& facts) {
  const LinkTable table(facts.links);
  std::map<Ipv4, std::string> holders;
  for (const nl::Address& address : nl::list_addresses(socket, {.family = nl::Family::v4})) {
    if (!table.is_ours(address.index))
      holders.emplace(Ipv4{address.ip.as_v4()},
                      fmt::format("this host, on {}", table.name(address.index)));
  }
  for (const nl::Neighbour& each : neighbours) {
    if (each.ip.family != nl::Family::v4 || table.is_ours(each.index)) continue;
    holders.emplace(Ipv4{each.ip.as_v4()},
                    fmt::format("{} on {}", to_string(to_mac(*each.mac)), table.name(each.index)));
  }
  for (auto& [ip, holder] : holders) facts.ips.push_back({ip, std::move(holder)});
}

/// Those that have answered: with a MAC, and not given up on.
std::vector<nl::Neighbour> known_neighbours(nl::Socket& socket) {
  std::vector<nl::Neighbour> all = nl::list_neighbours(socket);
  std::erase_if(all, [](const nl::Neighbour& each) {
    constexpr auto unknown = nl::neighbour_state::incomplete | nl::neighbour_state::failed;
    return !each.mac || (each.state & unknown) != 0;
  });
  return all;
}

void read_ports(const ObserveOptions& options, Facts& facts) {
  std::map<std::uint16_t, std::uint32_t> inodes;  // a port that several share is told once
  for (const nl::TcpSocket& socket : nl::list_tcp_sockets(options.port_low, options.port_high))
    inodes.emplace(socket.port, socket.inode);
  for (const auto& [port, inode] : inodes) facts.ports.push_back({port, socket_holder(inode)});
}

}  // namespace

void observe_network(const ObserveOptions& options, Facts& facts) {
  constexpr unsigned over_netlink =
      part::links | part::addresses | part::routes | part::macs | part::ips | part::helper;
  const auto wants = [&](unsigned parts) { return (options.parts & parts) != 0; };
  try {
    if (wants(over_netlink)) {
      nl::Socket socket;
      if (wants(part::links | part::macs | part::ips | part::helper)) read_links(socket, facts);
      if (wants(part::addresses)) read_addresses(socket, facts);
      if (wants(part::routes)) read_routes(socket, facts);
      if (wants(part::macs | part::ips)) {
        const std::vector<nl::Neighbour> neighbours = known_neighbours(socket);
        if (wants(part::macs)) read_macs(socket, options, neighbours, facts);
        if (wants(part::ips)) read_ips(socket, neighbours, facts);
      }
    }
    if (wants(part::ports)) read_ports(options, facts);
  } catch (const nl::Error& error) {
    throw Failed(fmt::format("cannot look at this host's network: {}", error.what()));
  }
}

}  // namespace nutshell::host
