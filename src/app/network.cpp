// Which networks there are is the registry's to say: a name, a subnet that nobody else has, a
// bridge's name and MAC. What the host has of it is network_up.cpp's.
#include "app/network.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_facts.hpp"
#include "host/network.hpp"

namespace nutshell {
namespace {

constexpr unsigned most_bridges = 100;
constexpr std::size_t longest_stem = 12;  // with a number of two digits it is an interface's name

std::string pool_of(const std::string& network) { return "ipv4:" + network; }

// The bridge's name is the network's, unless it is too long for a link or something else has it.
std::string free_bridge_name(House& house, const std::string& network, const Facts& facts) {
  const auto known = house.registry().networks();
  const auto is_free = [&](const std::string& name) {
    return is_interface_name(name) && !facts.link(name) &&
           std::none_of(known.begin(), known.end(),
                        [&](const NetworkRow& row) { return row.bridge == name; });
  };
  if (is_free(network)) return network;
  // nutshell1 is as good as nutshell0; beside somebody's eth0, eth1 would be taken for his.
  std::string stem =
      network == default_network ? "nutshell" : network.substr(0, longest_stem) + "-";
  for (unsigned i = 0; i < most_bridges; ++i)
    if (const std::string name = fmt::format("{}{}", stem, i); is_free(name)) return name;
  throw Exhausted(
      fmt::format("no name is free for the bridge of network {}; remove a bridge from {}0 to {}99",
                  network, stem, stem));
}

std::optional<Ipv4Net> configured_subnet(const House& house, const std::string& network) {
  if (network != default_network || !house.config.network) return std::nullopt;
  return Ipv4Net{house.config.network->first(), house.config.network->prefix};
}

// Also of networks whose subnet is no lease: the one that the config names.
void refuse_overlap(House& house, const std::string& name, const Ipv4Net& subnet) {
  for (const NetworkRow& other : house.registry().networks())
    if (other.name != name && other.address.overlaps(subnet))
      throw Conflict(fmt::format(
          "network {}: the subnet {} overlaps {}, which is the network {}'s; choose another", name,
          to_string(subnet), to_string(Ipv4Net{other.address.first(), other.address.prefix}),
          other.name));
}

// What the host's owner has chosen may lie in a route, but not where somebody has it.
Ipv4Net take_configured(House& house, Transaction& transaction, const std::string& network,
                        const Ipv4Net& configured, const Facts& facts) {
  const auto refuse = [&](const std::string& why) {
    throw Conflict(fmt::format("the network {} is to be {} ({}), which {}; choose another there",
                               network, to_string(configured), house.config.file, why));
  };
  for (const AddressFact& fact : facts.addresses)
    if (fact.net.overlaps(configured)) refuse("this host has already as " + to_string(fact.net));
  Facts others;
  others.seen = facts.seen;
  others.ranges = facts.ranges;
  std::erase_if(others.ranges,
                [](const RangeFact& range) { return range.holder == holder_of_configured(); });
  const Want want{"subnet", 0, Lifetime::network, to_string(configured)};
  Allocator& allocator = transaction.allocator();
  if (const auto other = allocator.obstacle(network_holder(network), want, others))
    refuse("is held by " + printable(*other));
  allocator.take(network_holder(network), {want}, others);
  return configured;
}

Ipv4Net take_subnet(House& house, Transaction& transaction, const NetworkRow& wanted,
                    const Facts& facts, unsigned prefix) {
  if (const auto configured = configured_subnet(house, wanted.name)) {
    refuse_overlap(house, wanted.name, *configured);
    return take_configured(house, transaction, wanted.name, *configured, facts);
  }
  Want want{"subnet", 0, Lifetime::network, std::nullopt};
  want.prefix = prefix;
  if (wanted.address.prefix) {
    refuse_overlap(house, wanted.name, wanted.address);
    want.value = to_string(wanted.address);
  }
  Facts all = facts;
  if (!want.value) all.cloud.clear();  // unasked, no range is right but one that nobody has
  const Taken taken = transaction.allocator().take(network_holder(wanted.name), {want}, all);
  for (const Skipped& one : taken.skipped)
    house.reporter.note(fmt::format("subnet {} is passed over: {} has it", one.value, one.holder));
  return parse_ipv4_net(taken.leases.front().value).value();
}

void refuse_ipv6_overlap(House& house, const NetworkRow& wanted) {
  if (wanted.ipv6.empty()) return;
  for (const NetworkRow& other : house.registry().networks())
    if (other.name != wanted.name && other.ipv6 == wanted.ipv6)
      throw Conflict(fmt::format("network {}: the prefix {} is the network {}'s; choose another",
                                 wanted.name, wanted.ipv6, other.name));
  const std::string holder = host::ipv6_holder(wanted.ipv6, mark_of_network(house, wanted.name));
  if (!holder.empty())
    throw Conflict(fmt::format("network {}: the prefix {} is held by {}; choose another",
                               wanted.name, wanted.ipv6, holder));
}

}  // namespace

Uuid network_holder(const std::string& name) { return Uuid{"network:" + name}; }

std::string mark_of_network(House& house, const std::string& name) {
  return network_mark(name) + ":" + house.registry().tag();
}

std::vector<std::string> machines_on(House& house, const std::string& network) {
  std::vector<std::string> names;
  for (const MachineRow& row : house.registry().machines())
    if (std::any_of(row.spec.nics.begin(), row.spec.nics.end(), [&](const NicSpec& nic) {
          return nic.kind == NicKind::network && nic.network == network;
        }))
      names.push_back(to_string(row.name));
  return names;
}

NetworkRow add_network(House& house, Transaction& transaction, NetworkRow wanted,
                       const Facts& facts, SubnetOf whose, unsigned prefix) {
  NetworkRow row = std::move(wanted);
  row.bridge = free_bridge_name(house, row.name, facts);
  refuse_ipv6_overlap(house, row);
  const Ipv4Net subnet =
      whose == SubnetOf::cloud ? row.address : take_subnet(house, transaction, row, facts, prefix);
  row.address = {Ipv4{subnet.first().value + 1}, subnet.prefix};
  const Want mac{"mac", 0, Lifetime::network, std::nullopt};
  row.bridge_mac =
      parse_mac(
          transaction.allocator().take(network_holder(row.name), {mac}, facts).leases.front().value)
          .value();
  transaction.add_network(row);
  return row;
}

NetworkRow find_or_add_network(House& house, Transaction& transaction, const std::string& name,
                               const Facts& facts) {
  if (const auto row = house.registry().network(name)) return *row;
  if (name != default_network)
    throw NotFound(fmt::format(
        "there is no managed network {}; `nutshell network create {}` makes it", name, name));
  // The registry was lost, and machines that it does not know are on this network: theirs it is.
  if (needed_by_lost_machines(house, name)) {
    restore_network(house, transaction, name);
    return house.registry().network(name).value();
  }
  NetworkRow row;
  row.name = name;
  row.address.prefix = 0;  // whichever is free
  return add_network(house, transaction, row, facts);
}

void put_on_network(House& house, Transaction& transaction, const MachineName& machine,
                    NicSpec& nic, const Facts& facts) {
  const NetworkRow network = find_or_add_network(house, transaction, nic.network, facts);
  nic.bridge = network.bridge;
  if (nic.ip && network.address.prefix != 0 && !network.address.contains(*nic.ip))
    throw ConfigError(
        to_string(machine),
        fmt::format("ip={} is not in {}, the network {}; name an address of it, or leave ip= out",
                    to_string(*nic.ip),
                    to_string(Ipv4Net{network.address.first(), network.address.prefix}),
                    nic.network));
}

void forget_network(Transaction& transaction, const NetworkRow& row) {
  transaction.remove_network(row.name);
  transaction.allocator().release(network_holder(row.name), Lifetime::network);
}

void remove_unused_networks(House& house, Transaction& transaction) {
  const auto leases = house.registry().leases();
  for (const NetworkRow& network : house.registry().networks()) {
    if (network.by_hand) continue;
    const bool used = std::any_of(leases.begin(), leases.end(), [&](const Lease& lease) {
      return lease.pool == pool_of(network.name) && lease.foreign.empty();
    });
    if (used) continue;
    forget_network(transaction, network);
    drop_note(house, network.name);
  }
}

void restore_row(Transaction& transaction, const NetworkRow& row) {
  std::vector<Want> wants{{"mac", 0, Lifetime::network, to_string(row.bridge_mac)}};
  const std::string subnet = to_string(Ipv4Net{row.address.first(), row.address.prefix});
  const auto lease = transaction.allocator().who("subnet", subnet);
  const bool is_clouds = lease && lease->value == subnet && lease->lifetime == Lifetime::cloud &&
                         row.name.starts_with(lease->cloud + "-");
  if (!is_clouds) wants.push_back({"subnet", 0, Lifetime::network, subnet});
  transaction.take_again(network_holder(row.name), wants);
  transaction.add_network(row);
}

}  // namespace nutshell
