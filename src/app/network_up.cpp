// The host is made to agree with the registry, under a lock of the network's own, by whoever starts
// or stops a machine on it: rules first, then the bridge, then dnsmasq, and back in reverse. Which
// networks are up is read from the registry each time (a machine runs there), so that nobody keeps
// a count that a killed command could leave wrong.
#include "app/network_up.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "app/firewall.hpp"
#include "app/forwarding.hpp"
#include "app/lost.hpp"
#include "app/machine_state.hpp"
#include "app/network.hpp"
#include "app/start.hpp"
#include "host/dhcp.hpp"
#include "host/files.hpp"
#include "host/network.hpp"
#include "host/observe.hpp"

namespace nutshell {
namespace {

constexpr auto lock_patience = std::chrono::seconds(60);
constexpr int most_locks = 100;

std::string lock_file(const House& house, const std::string& network) {
  return house.paths.state + "/networks/" + network + ".lock";
}

/// The networks of machines that run although the registry has lost them.
std::set<std::string> networks_of_lost_machines(House& house) {
  std::set<std::string> networks;
  for (const MachineSpec& spec : lost_machines(house))
    if (is_alive(house, spec.uuid))
      for (const NicSpec& nic : spec.nics)
        if (nic.kind == NicKind::network) networks.insert(nic.network);
  return networks;
}

bool has(const std::vector<NetworkRow>& networks, const std::string& name) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const NetworkRow& row) { return row.name == name; });
}

std::vector<NetworkRow> with(std::vector<NetworkRow> networks, const NetworkRow& row) {
  if (!has(networks, row.name)) networks.push_back(row);
  return networks;
}

/// Every machine that has an address of this network: who starts a line of `command --by-hand` gets
/// it, too. Names are of those alone that run or are being started: nobody else would answer.
std::vector<host::DhcpHost> hosts_of(House& house, const NetworkRow& network) {
  std::vector<host::DhcpHost> hosts;
  const auto add = [&](const MachineSpec& spec, const MachineName& name, std::size_t answering) {
    for (std::size_t i = 0; i < spec.nics.size(); ++i)
      if (const NicSpec& nic = spec.nics[i];
          nic.kind == NicKind::network && nic.network == network.name && nic.mac && nic.ip)
        hosts.push_back({*nic.mac, *nic.ip, i < answering ? name.name : "", name.cloud, nic.mtu});
  };
  for (const MachineRow& row : house.registry().machines())
    add(row.spec, row.name,
        row.run && row.run->boot_id == house.boot_id ? row.run->taps.size() : 0);
  for (const MachineSpec& spec : lost_machines(house))
    if (is_alive(house, spec.uuid)) add(spec, spec.name, spec.nics.size());
  return hosts;
}

host::DhcpNetwork dhcp_of(const House& house, const NetworkRow& row) {
  host::DhcpNetwork network{house.paths.network_dir(row.name), row.bridge, row.address};
  network.gateway = row.mode != NetworkMode::isolated;
  network.dns = row.dns;
  network.upstream = network.gateway && host::read_file("/etc/resolv.conf").has_value();
  network.mtu = row.mtu;
  network.ipv6 = row.ipv6;
  return network;
}

/// The host may have changed since the network was made. An address that overlaps ours, or a route
/// into it, would take its packets away; a wider route (a VPN's) does not.
void refuse_taken_subnet(House& house, const NetworkRow& row) {
  const Facts facts =
      observe_parts(house, host::part::links | host::part::addresses | host::part::routes);
  if (facts.link(row.bridge)) return;  // it stands, or ensure_bridge() says whose it is
  const auto name_of = [&](int index) {
    const auto link = std::find_if(facts.links.begin(), facts.links.end(),
                                   [&](const LinkFact& each) { return each.index == index; });
    return link == facts.links.end() ? std::string("a link") : link->name;
  };
  const auto refuse = [&](const std::string& range, const std::string& holder) {
    throw Conflict(
        fmt::format("network {}: {} is held by {} now; take that away, or give the network up and "
                    "make one with another range",
                    row.name, range, holder));
  };
  const std::string subnet = to_string(Ipv4Net{row.address.first(), row.address.prefix});
  for (const AddressFact& fact : facts.addresses)
    if (fact.net.overlaps(row.address))
      refuse(subnet, fmt::format("address {} of {}", to_string(fact.net), name_of(fact.link)));
  for (const RouteFact& fact : facts.routes)
    if (fact.destination.prefix >= row.address.prefix && fact.destination.overlaps(row.address))
      refuse(subnet, fmt::format("route {} {}", to_string(fact.destination),
                                 fact.link == 0 ? "(unreachable)" : "via " + name_of(fact.link)));
  if (row.ipv6.empty()) return;
  constexpr unsigned inside = 64;
  if (const std::string holder =
          host::ipv6_holder(row.ipv6, mark_of_network(house, row.name), inside);
      !holder.empty())
    refuse(row.ipv6, holder);
}

/// Its addresses may have been another machine's a moment ago.
void pass_on_addresses(House& house, const NetworkRow& network, const Uuid& user) {
  const auto machine = house.registry().machine(user);
  if (!machine) return;
  for (const NicSpec& nic : machine->spec.nics)
    if (nic.kind == NicKind::network && nic.network == network.name && nic.mac && nic.ip)
      host::pass_on_address(network.bridge, *nic.ip, *nic.mac);
}

}  // namespace

bool runs_on(const MachineRow& row, const std::string& network) {
  if (!row.run) return false;
  for (std::size_t i = 0; i < row.spec.nics.size() && i < row.run->taps.size(); ++i)
    if (const NicSpec& nic = row.spec.nics[i];
        nic.kind == NicKind::network && nic.network == network && !row.run->taps[i].empty())
      return true;
  return false;
}

std::vector<NetworkRow> networks_up(House& house, const Uuid& leaving) {
  std::vector<NetworkRow> up;
  const auto machines = house.registry().machines();
  std::set<std::string> lost = networks_of_lost_machines(house);
  for (const NetworkRow& network : house.registry().networks())
    if (lost.erase(network.name) > 0 ||
        std::any_of(machines.begin(), machines.end(), [&](const MachineRow& row) {
          return row.uuid != leaving && row.run && row.run->boot_id == house.boot_id &&
                 runs_on(row, network.name);
        }))
      up.push_back(network);
  for (const std::string& name : lost) {  // networks that the registry has lost, too
    try {
      if (auto row = noted_network(house, name)) up.push_back(*std::move(row));
    } catch (const Error& error) {
      house.reporter.warn(
          fmt::format("network {}: a machine that the registry has lost is on it, and its rules "
                      "cannot be known: {}",
                      name, error.what()));
    }
  }
  return up;
}

host::BridgeWish bridge_of(House& house, const NetworkRow& row) {
  host::BridgeWish wish{row.bridge, row.address, row.bridge_mac, mark_of_network(house, row.name),
                        row.mtu,    ""};
  if (!row.ipv6.empty()) wish.ipv6 = first_ipv6_address(row.ipv6) + "/64";
  return wish;
}

void serve(House& house, const NetworkRow& row) {
  host::make_directories(house.paths.run);
  host::start_dhcp(dhcp_of(house, row), hosts_of(house, row));
}

bool is_served(const House& house, const std::string& network) {
  return host::find_dhcp(house.paths.network_dir(network)).has_value();
}

void make_network(House& house, const NetworkRow& row) {
  follow_networks(house, with(networks_up(house, Uuid{}), row));
  // One that served a bridge which somebody removed answers nobody on another of its name.
  const bool stands = observe_parts(house, host::part::links).link(row.bridge) != nullptr;
  if (!stands && is_served(house, row.name)) host::stop_dhcp(house.paths.network_dir(row.name));
  host::ensure_bridge(bridge_of(house, row));
  serve(house, row);
}

host::Lock lock_network(House& house, const std::string& network) {
  host::make_directories(house.paths.state + "/networks");
  for (int i = 0; i < most_locks; ++i) {
    host::Lock lock =
        host::Lock::exclusive(lock_file(house, network), lock_patience, "network " + network);
    // It may be the lock of a network that was removed while we waited.
    struct stat held {
    }, named{};
    if (::fstat(lock.fd(), &held) == 0 && ::stat(lock_file(house, network).c_str(), &named) == 0 &&
        held.st_ino == named.st_ino)
      return lock;
  }
  throw Conflict(
      fmt::format("network {}: others make and remove it all the time; try again", network));
}

void drop_network_lock(House& house, const std::string& network) {
  host::drop_file(lock_file(house, network));
}

void ensure_network(House& house, const EnsureNetwork& step) {
  const host::Lock lock = lock_network(house, step.network);
  const auto row = house.registry().network(step.network);
  if (!row) throw NotFound(fmt::format("the network {} was removed meanwhile", step.network));
  // Its own run is in the registry since before the first step.
  refuse_taken_subnet(house, *row);
  make_network(house, *row);
  pass_on_addresses(house, *row, step.user);
}

void leave_network(House& house, const LeaveNetwork& step) {
  const auto row = house.registry().network(step.network);
  if (!row) return;
  const host::Lock lock = lock_network(house, step.network);
  const std::vector<NetworkRow> up = networks_up(house, step.user);
  if (has(up, step.network)) return;
  host::stop_dhcp(house.paths.network_dir(step.network));
  // Somebody else may have taken the name while nobody ran here: his bridge is none of our
  // business.
  const Facts facts = observe_parts(house, host::part::links);
  const LinkFact* link = facts.link(row->bridge);
  const bool ours = link && (link->alias == mark_of_network(house, step.network) ||
                             (link->alias.empty() && link->mac == row->bridge_mac));
  if (ours) host::drop_bridge(bridge_of(house, *row));
  follow_networks(house, up, step.user);
}

void refresh_networks(House& house) { follow_networks(house, networks_up(house, Uuid{})); }

void tell_networks(House& house, const std::vector<std::string>& networks) {
  for (const std::string& name : networks) {
    if (!is_served(house, name)) continue;
    const host::Lock lock = lock_network(house, name);
    auto row = house.registry().network(name);
    if (!row) row = noted_network(house, name);  // up for a machine that the registry has lost
    if (row && is_served(house, name)) serve(house, *row);
  }
}

void follow_isolated_bridges(House& house) {
  if (has_firewall(house) || !isolated_bridges(house).empty())
    follow_networks(house, networks_up(house, Uuid{}));
}

}  // namespace nutshell
