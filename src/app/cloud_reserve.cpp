// One transaction for the whole cloud. What goes comes first, so that what it held can be taken.
#include <fmt/format.h>

#include <algorithm>

#include "app/change.hpp"
#include "app/cloud_apply.hpp"
#include "app/cloud_facts.hpp"
#include "app/cloud_quota.hpp"
#include "app/cloud_seed.hpp"
#include "app/cloud_trial.hpp"
#include "app/lost.hpp"
#include "app/network.hpp"
#include "app/public_address.hpp"
#include "app/reserve.hpp"

namespace nutshell {
namespace {

using Action = MachineWork::Action;

constexpr std::uint64_t most_probed = 256;

void follow_ranges(House& house, Transaction& transaction, const CloudWork& work,
                   const CloudSpec& wanted) {
  const CloudSpec& from = work.ranges_wait ? work.before : wanted;
  const bool whole_net = std::any_of(
      wanted.networks.begin(), wanted.networks.end(),
      [](const CloudNetwork& network) { return network.range == CloudNetwork::Range::the_public; });
  follow_wishes(house, transaction, work.cloud, from.public_range, from.private_subnet, work.facts,
                whole_net);
}

/// The public range as one network, where it is one.
Ipv4Net net_of(const CloudNetwork& network, const CloudRanges& ranges) {
  if (ranges.publics.size() == 1) {
    const auto [first, last] = ranges.publics.front();
    for (unsigned prefix = 8; prefix <= 30; ++prefix) {
      const Ipv4Net net{first, prefix};
      if (net.first() == first && net.last() == last) return net;
    }
  }
  throw ConfigError(
      network.origin,
      fmt::format("the public range ({}) is no network; ask for a count that is a power of two, "
                  "at least 4, out of a pool that has it in one piece, or name a range such as "
                  "203.0.113.16/28",
                  ranges.publics.empty() ? "none" : to_string(ranges.publics)));
}

/// What leads to a machine from outside cannot be an address of a machine as well.
void refuse_allocated(House& house, const CloudNetwork& network, const Ipv4Net& net) {
  if (net.prefix == 0) return;
  for (const PublicAddress& one : house.registry().addresses())
    if (net.contains(one.address))
      throw Conflict(fmt::format(
          "{0}: {1} is to be a network, and {2} of it is allocated; give that back first with "
          "`nutshell address release {2}`",
          network.origin, to_string(net), to_string(one.address)));
}

void add_one(House& house, Transaction& transaction, const CloudWork& work,
             const NetworkWork& one) {
  const CloudNetwork& network = *one.wanted;
  const CloudRanges ranges = ranges_of(house, work.cloud);
  NetworkRow row;
  row.name = one.name;
  row.mode = network.mode;
  row.mtu = network.mtu;
  row.ipv6 = network.ipv6;
  row.dns = network.dns;
  row.by_hand = true;
  row.address.prefix = 0;
  SubnetOf subnet = SubnetOf::pool;
  unsigned prefix = network.prefix;
  switch (network.range) {
    case CloudNetwork::Range::pool: break;
    case CloudNetwork::Range::certain: row.address = *network.subnet; break;
    case CloudNetwork::Range::the_public: row.address = net_of(network, ranges); break;
    case CloudNetwork::Range::the_private:
      if (!ranges.subnet)
        throw ConfigError(network.origin,
                          "the cloud has no private subnet; ask for one in "
                          "[private], or leave range out");
      row.address = *ranges.subnet;
      subnet = SubnetOf::cloud;
      break;
  }
  refuse_allocated(house, network, row.address);
  std::vector<std::string> unreadable;
  const std::vector<std::string> lost = lost_networks(house, unreadable);
  if (std::find(lost.begin(), lost.end(), one.name) != lost.end())
    throw Conflict(
        fmt::format("{}: the registry has lost the network {}; run `nutshell recover` first",
                    network.origin, one.name));
  try {
    Facts facts = work.facts;
    add_other_ranges(house, facts, work.cloud);
    add_network(house, transaction, std::move(row), facts, subnet, prefix);
  } catch (const Conflict& error) {
    throw Conflict(fmt::format("{}: {}", network.origin, error.what()));
  } catch (const Exhausted& error) {
    throw Exhausted(fmt::format("{}: {}", network.origin, error.what()));
  }
}

enum class Turn { first, second };

/// What the file names is taken before what it leaves open; but not what may lie in a public range,
/// which has to be the cloud's own first.
Turn turn_of(const House& house, const NetworkWork& one) {
  if (one.action != NetworkWork::Action::add || one.wanted->range != CloudNetwork::Range::certain)
    return Turn::second;
  const Ipv4Net& net = *one.wanted->subnet;
  const bool in_pool =
      std::any_of(house.config.pools.begin(), house.config.pools.end(), [&](const PoolRange& pool) {
        return pool.kind == "ipv4" && pool.low <= net.last().value &&
               net.first().value <= pool.high;
      });
  return in_pool ? Turn::second : Turn::first;
}

void follow_networks(House& house, Transaction& transaction, const CloudWork& work, Turn turn) {
  for (const NetworkWork& one : work.networks) {
    if (turn_of(house, one) != turn) continue;
    const auto row = house.registry().network(one.name);
    if (one.action == NetworkWork::Action::add) {
      add_one(house, transaction, work, one);
    } else if (one.action == NetworkWork::Action::change && row) {
      NetworkRow changed = *row;
      changed.mode = one.wanted->mode;
      changed.mtu = one.wanted->mtu;
      changed.ipv6 = one.wanted->ipv6;
      changed.dns = one.wanted->dns;
      transaction.change_network(changed);
    }
  }
}

void follow_groups(House& house, Transaction& transaction, const CloudWork& work) {
  if (!work.groups.empty()) transaction.count_kept();
  for (const GroupWork& one : work.groups) {
    if (one.action == GroupWork::Action::put) {
      transaction.put_group({work.cloud, one.name, one.wanted->description, one.wanted->rules});
      continue;
    }
    for (const MachineRow& row : house.registry().machines()) {
      if (row.name.cloud != work.cloud) continue;
      const auto& groups = row.spec.groups;
      const bool changes =
          std::any_of(work.machines.begin(), work.machines.end(), [&](const MachineWork& each) {
            return each.name == row.name.name && each.action != Action::nothing &&
                   (!each.waits || each.meanwhile);
          });
      if (!changes && std::find(groups.begin(), groups.end(), one.name) != groups.end())
        throw Conflict(
            fmt::format("the group {} is not in the file any more, but {} is in it; "
                        "take it out first with `nutshell set {} --drop-group {}`",
                        one.name, to_string(row.name), to_string(row.name), one.name));
    }
    transaction.remove_group(work.cloud, one.name);
  }
}

DiskSpec seed_disk(const House& house, const MachineName& name) {
  DiskSpec disk;
  disk.path = seed_path(house, name);
  disk.read_only = true;
  return disk;
}

/// The networks of new machines. All addresses that lie outside of theirs are said at once.
void find_networks(House& house, Transaction& transaction, CloudWork& work) {
  Problems problems;
  for (MachineWork& machine : work.machines)
    if (machine.action == Action::create)
      for (NicSpec& nic : machine.spec.nics) try {
          if (nic.kind == NicKind::network)
            put_on_network(house, transaction, machine.spec.name, nic, work.facts);
        } catch (const ConfigError& error) {
          problems.push_back({line_of(machine, error.what()), error.what()});
        }
  if (!problems.empty()) throw ConfigError(problems);
}

bool names_values(const MachineWork& machine) {
  return std::any_of(machine.spec.nics.begin(), machine.spec.nics.end(),
                     [](const NicSpec& nic) { return nic.ip || nic.mac; });
}

/// Those that name an address or MAC come first: nobody else of the file is given it.
void reserve_machines(House& house, Transaction& transaction, CloudWork& work) {
  const std::vector<MachineSpec> lost = lost_machines(house);
  find_networks(house, transaction, work);
  std::vector<MachineWork*> machines;
  for (MachineWork& machine : work.machines) {
    if (machine.seed_comes && machine.is_changed() && !machine.waits)
      machine.spec.disks.push_back(seed_disk(house, machine.spec.name));
    if (machine.action == Action::create) machines.push_back(&machine);
  }
  std::stable_partition(machines.begin(), machines.end(),
                        [](const MachineWork* machine) { return names_values(*machine); });
  for (MachineWork* each : machines) {
    MachineWork& machine = *each;
    MachineRow row;
    row.uuid = machine.spec.uuid;
    row.name = machine.spec.name;
    row.spec = machine.spec;
    row.created = now_utc();
    transaction.add_machine(row);
    at_its_line(machine,
                [&] { reserve_machine(house, transaction, machine.spec, work.facts, lost); });
    if (machine.wanted->seed) machine.spec.disks.push_back(seed_disk(house, machine.spec.name));
    transaction.change_spec(machine.spec.uuid, machine.spec);
  }
}

}  // namespace

void reserve_cloud(House& house, Transaction& transaction, CloudWork& work,
                   const CloudSpec& wanted) {
  check_quota_of_work(house, work, wanted);
  follow_networks(house, transaction, work, Turn::first);
  follow_ranges(house, transaction, work, wanted);
  follow_networks(house, transaction, work, Turn::second);
  follow_groups(house, transaction, work);
  reserve_machines(house, transaction, work);
}

void reserve_all(House& house, Transaction& transaction, CloudWork& work, const CloudSpec& wanted) {
  for (const MachineWork& machine : work.machines) {
    if (machine.action != Action::remove) continue;
    transaction.remove_machine(machine.row->uuid);
    if (machine.row->run) forget_display(work.facts, *machine.row->run);
  }
  reserve_cloud(house, transaction, work, wanted);
  for (MachineWork& machine : work.machines)
    if (machine.is_changed())
      at_its_line(machine, [&] {
        reserve_change(house, transaction, machine.row->spec, machine.spec, work.facts);
      });
}

void drop_networks(House& house, Transaction& transaction, const CloudWork& work) {
  for (const NetworkWork& one : work.networks) {
    if (one.action != NetworkWork::Action::remove) continue;
    const auto row = house.registry().network(one.name);
    if (!row) continue;
    std::vector<std::string> users = machines_on(house, one.name);
    if (!users.empty())
      throw Conflict(
          fmt::format("the network {} is not in the file any more, but {} has a NIC there; take "
                      "that NIC away first, with `nutshell set` or in an `up` of its own",
                      one.name, users.front()));
    forget_network(transaction, *row);
  }
}

void probe_new_publics(House& house, CloudWork& work, const CloudSpec& wanted) {
  if (house.dry() || !work.ranges_change || work.ranges_wait || !house.root) return;
  std::vector<Ipv4> asked;
  {
    Transaction look = house.registry().begin();  // rolled back: it only reads what would be taken
    follow_ranges(house, look, work, wanted);
    for (const AddressRange& range : ranges_of(house, work.cloud).publics)
      for (std::uint64_t each = range.first.value;
           each <= range.last.value && asked.size() < most_probed; ++each)
        asked.push_back({static_cast<std::uint32_t>(each)});
  }
  std::erase_if(asked, [&](Ipv4 address) {
    return std::any_of(
        work.held.publics.begin(), work.held.publics.end(),
        [&](const AddressRange& range) { return range.first <= address && address <= range.last; });
  });
  probe_public_addresses(work.facts, asked);
}

}  // namespace nutshell
