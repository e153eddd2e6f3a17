// The registry says which network there is and who has which address; the host is made to agree,
// under a lock of the network's own, by whoever starts or stops a machine on it.
#include "app/network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "app/start.hpp"
#include "host/dhcp.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/network.hpp"
#include "host/observe.hpp"

namespace nutshell {
namespace {

constexpr auto lock_patience = std::chrono::seconds(60);
constexpr unsigned most_bridges = 100;

std::string pool_of(const std::string& network) { return "ipv4:" + network; }

std::string notes_file(const House& house, const std::string& network) {
  return house.paths.state + "/networks/" + network + ".json";
}

// The bridge's name is the network's, unless something else on this host has it.
std::string free_bridge_name(House& house, const std::string& network, const Facts& facts) {
  std::string stem = network;
  while (!stem.empty() && stem.back() >= '0' && stem.back() <= '9') stem.pop_back();
  if (!facts.link(network)) return network;
  const auto known = house.registry().networks();
  for (unsigned i = 0; i < most_bridges; ++i) {
    const std::string name = fmt::format("{}{}", stem, i);
    const bool ours = std::any_of(known.begin(), known.end(),
                                  [&](const NetworkRow& row) { return row.bridge == name; });
    if (!ours && !facts.link(name)) return name;
  }
  throw Exhausted(
      fmt::format("no name is free for the bridge of network {}; remove a bridge from {}0 to {}99",
                  network, stem, stem));
}

std::optional<Ipv4Net> configured_subnet(const House& house, const std::string& network) {
  if (network != "nutshell0" || !house.config.network) return std::nullopt;
  return Ipv4Net{house.config.network->first(), house.config.network->prefix};
}

Ipv4Net take_subnet(House& house, Transaction& transaction, const std::string& network,
                    const Facts& facts) {
  const auto configured = configured_subnet(house, network);
  if (configured) {
    for (const AddressFact& fact : facts.addresses)
      if (fact.net.overlaps(*configured))
        throw Conflict(
            fmt::format("the network {} is to be {} ({}), which this host has already as {}; "
                        "choose another there",
                        network, to_string(*configured), house.config.file, to_string(fact.net)));
    return *configured;
  }
  const Want want{"subnet", 0, Lifetime::network, std::nullopt};
  const Taken taken = transaction.allocator().take(network_holder(network), {want}, facts);
  for (const Skipped& one : taken.skipped)
    house.reporter.note(fmt::format("subnet {} is passed over: {} has it", one.value, one.holder));
  return parse_ipv4_net(taken.leases.front().value).value();
}

std::string line_of(const NetworkRow& row) {
  return Json::object({{"name", row.name},
                       {"bridge", row.bridge},
                       {"address", to_string(row.address)},
                       {"mac", to_string(row.bridge_mac)}})
             .dump(true) +
         "\n";
}

/// MAC and address of every machine that has one on this network.
std::vector<host::DhcpHost> hosts_of(House& house, const std::string& network) {
  std::vector<host::DhcpHost> hosts;
  for (const MachineRow& row : house.registry().machines())
    for (const NicSpec& nic : row.spec.nics)
      if (nic.kind == NicKind::network && nic.network == network && nic.mac && nic.ip)
        hosts.push_back({*nic.mac, *nic.ip});
  return hosts;
}

bool others_run(House& house, const LeaveNetwork& step) {
  for (const MachineRow& row : house.registry().machines())
    if (row.run && row.uuid != step.user && row.run->boot_id == house.boot_id)
      for (const NicSpec& nic : row.spec.nics)
        if (nic.kind == NicKind::network && nic.network == step.network) return true;
  return false;
}

host::Lock lock_network(House& house, const std::string& network) {
  host::make_directories(house.paths.state + "/networks");
  return host::Lock::exclusive(house.paths.state + "/networks/" + network + ".lock", lock_patience,
                               "network " + network);
}

/// While it is held, nobody else writes a note; what killed commands left half written is swept.
host::Lock lock_notes(House& house) {
  const std::string folder = house.paths.state + "/networks";
  host::make_directories(folder);
  host::Lock lock =
      host::Lock::exclusive(folder + "/notes.lock", lock_patience, "the notes of the networks");
  host::drop_temporaries(folder);
  return lock;
}

std::string mark_of(House& house, const std::string& network) {
  return network_mark(network) + ":" + house.registry().tag();
}

}  // namespace

Uuid network_holder(const std::string& name) { return Uuid{"network:" + name}; }

NetworkRow find_or_add_network(House& house, Transaction& transaction, const std::string& name,
                               const Facts& facts) {
  if (const auto row = house.registry().network(name)) return *row;
  NetworkRow row;
  row.name = name;
  row.bridge = free_bridge_name(house, name, facts);
  const Ipv4Net subnet = take_subnet(house, transaction, name, facts);
  row.address = {Ipv4{subnet.first().value + 1}, subnet.prefix};
  const Want mac{"mac", 0, Lifetime::network, std::nullopt};
  row.bridge_mac =
      parse_mac(
          transaction.allocator().take(network_holder(name), {mac}, facts).leases.front().value)
          .value();
  transaction.add_network(row);
  return row;
}

void remove_unused_networks(House& house, Transaction& transaction) {
  for (const NetworkRow& network : house.registry().networks()) {
    const auto leases = house.registry().leases();
    const bool used = std::any_of(leases.begin(), leases.end(), [&](const Lease& lease) {
      return lease.pool == pool_of(network.name) && !lease.holder.text.empty();
    });
    if (used) continue;
    transaction.remove_network(network.name);
    transaction.allocator().release(network_holder(network.name), Lifetime::network);
    const host::Lock lock = lock_notes(house);
    host::drop_file(notes_file(house, network.name));
  }
}

void note_networks(House& house, const Uuid& uuid) {
  const auto machine = house.registry().machine(uuid);
  if (!machine) return;
  for (const NicSpec& nic : machine->spec.nics) {
    if (nic.kind != NicKind::network) continue;
    const auto row = house.registry().network(nic.network);
    if (!row) continue;
    const std::string file = notes_file(house, nic.network), text = line_of(*row);
    if (host::read_file(file) == text) continue;
    const host::Lock lock = lock_notes(house);
    host::write_file(file, text);
  }
}

void ensure_network(House& house, const EnsureNetwork& step) {
  const host::Lock lock = lock_network(house, step.network);
  host::ensure_bridge({step.bridge, step.address, step.bridge_mac, mark_of(house, step.network)});
  host::make_directories(house.paths.run);
  host::start_dhcp({house.paths.network_dir(step.network), step.bridge, step.address},
                   hosts_of(house, step.network));
}

void leave_network(House& house, const LeaveNetwork& step) {
  const auto row = house.registry().network(step.network);
  if (!row) return;
  const host::Lock lock = lock_network(house, step.network);
  if (others_run(house, step)) return;
  host::stop_dhcp(house.paths.network_dir(step.network));
  // Somebody else may have taken the name while nobody ran here: his bridge is none of our
  // business.
  const Facts facts = observe_parts(house, host::part::links);
  const LinkFact* link = facts.link(row->bridge);
  const bool ours = link && (link->alias == mark_of(house, step.network) ||
                             (link->alias.empty() && link->mac == row->bridge_mac));
  if (!ours) return;
  host::drop_bridge({row->bridge, row->address, row->bridge_mac, mark_of(house, step.network)});
}

void restore_network(House& house, Transaction& transaction, const std::string& name) {
  if (house.registry().network(name)) return;
  const auto text = host::read_file(notes_file(house, name));
  if (!text)
    throw NotFound(fmt::format(
        "the network {} has no note at {}, so its range is not known; move the machine's folder "
        "away and launch it anew",
        name, notes_file(house, name)));
  const Json json = Json::parse(*text);
  NetworkRow row{name,
                 json.text("bridge"),
                 parse_ipv4_net(json.text("address")).value_or(Ipv4Net{}),
                 parse_mac(json.text("mac")).value_or(Mac{}),
                 {}};
  std::vector<Want> wants{{"mac", 0, Lifetime::network, to_string(row.bridge_mac)}};
  if (!configured_subnet(house, name))
    wants.push_back({"subnet", 0, Lifetime::network,
                     to_string(Ipv4Net{row.address.first(), row.address.prefix})});
  transaction.allocator().take(network_holder(name), wants, Facts{});
  transaction.add_network(row);
}

}  // namespace nutshell
