// The networks and groups of a cloud: what becomes of each.
#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_work.hpp"
#include "app/firewall_kept.hpp"
#include "app/network.hpp"
#include "nutshell/error.hpp"

namespace nutshell {
namespace {

constexpr const char* restart_does_it = "machines run there, `up --restart` does it";

std::optional<std::size_t> nic_on(const MachineRow& row, const std::string& network) {
  for (std::size_t i = 0; i < row.spec.nics.size(); ++i)
    if (row.spec.nics[i].kind == NicKind::network && row.spec.nics[i].network == network) return i;
  return std::nullopt;
}

std::string change_words(const CloudNetwork& before, const CloudNetwork& wanted) {
  std::string words;
  const auto differs = [&](const std::string& what, const std::string& from,
                           const std::string& to) {
    if (from != to)
      words += fmt::format("{}{} {} to {}", words.empty() ? "" : ", ", what, from, to);
  };
  differs("mode", to_string(before.mode), to_string(wanted.mode));
  differs("mtu", std::to_string(before.mtu), std::to_string(wanted.mtu));
  differs("ipv6", before.ipv6.empty() ? "none" : before.ipv6,
          wanted.ipv6.empty() ? "none" : wanted.ipv6);
  differs("dns", before.dns ? "on" : "off", wanted.dns ? "on" : "off");
  return words;
}

/// Also where the file names what it has already. A subnet that is left out is one of the pool's
/// size.
bool same_place(const House& house, const NetworkRow& row, const CloudNetwork& before,
                const CloudNetwork& wanted) {
  using Range = CloudNetwork::Range;
  if (before.range == wanted.range && before.prefix == wanted.prefix &&
      before.subnet == wanted.subnet)
    return true;
  const auto is_own = [](Range range) { return range == Range::pool || range == Range::certain; };
  if (!is_own(before.range) || !is_own(wanted.range)) return false;
  if (wanted.range == Range::certain)
    return *wanted.subnet == Ipv4Net{row.address.first(), row.address.prefix};
  if (wanted.prefix) return wanted.prefix == row.address.prefix;
  const auto pools = effective_pools(house.config);
  return std::any_of(pools.begin(), pools.end(), [&](const PoolRange& pool) {
    return pool.name == "subnet" && pool.prefix == row.address.prefix;
  });
}

bool is_on_cloud_range(const CloudNetwork& network) {
  return network.range == CloudNetwork::Range::the_public ||
         network.range == CloudNetwork::Range::the_private;
}

void refuse_moved_range(const CloudWork& work, const CloudSpec& wanted,
                        const CloudNetwork& network) {
  const bool is_public = network.range == CloudNetwork::Range::the_public;
  const bool met =
      is_public ? is_met(work.held, wanted.public_range) : is_met(work.held, wanted.private_subnet);
  if (!is_on_cloud_range(network) || met) return;
  throw Conflict(fmt::format(
      "{}: this is the subnet of the network {}, which cannot get another one while it "
      "is there; `nutshell down {} --purge` and `up` make all of it anew, or put the "
      "line back",
      is_public ? (wanted.public_range.asked() ? wanted.public_range.origin : network.origin)
                : (wanted.private_subnet.asked() ? wanted.private_subnet.origin : network.origin),
      network.name, work.cloud));
}

/// Who does not leave it in this `up`: those of the cloud that wait, and those that the file knows
/// nothing of.
struct Stayers {
  bool waiting = false;
  std::vector<MachineRow> others;
};

Stayers stayers_on(House& house, const CloudWork& work, const std::string& network) {
  Stayers stayers;
  for (const MachineRow& row : house.registry().machines()) {
    if (!nic_on(row, network)) continue;
    const auto own = std::find_if(
        work.machines.begin(), work.machines.end(),
        [&](const MachineWork& each) { return each.row && each.row->uuid == row.uuid; });
    if (own == work.machines.end() || own->action == MachineWork::Action::nothing)
      stayers.others.push_back(row);
    else if (own->waits)
      stayers.waiting = true;
  }
  return stayers;
}

/// What a network that is to go waits for.
std::string wait_words(const Stayers& stayers, const std::string& network) {
  if (stayers.others.empty()) return restart_does_it;
  const MachineRow& row = stayers.others.front();
  const std::string more =
      stayers.others.size() == 1 ? "" : fmt::format(", and {} more", stayers.others.size() - 1);
  return fmt::format(
      "{} has a NIC there{}; stop it, and take that away with `nutshell set {} --drop-nic {}`",
      to_string(row.name), more, to_string(row.name), *nic_on(row, network));
}

/// The networks of two clouds may have one name: b-c of a, and c of a-b.
void refuse_other_clouds(House& house, const std::string& name, const std::string& origin) {
  for (const CloudRow& row : house.registry().clouds()) {
    const CloudSpec spec = spec_of(row);
    for (const CloudNetwork& network : spec.networks)
      if (host_network(row.name, network.name) == name)
        throw Conflict(fmt::format(
            "{}: on the host its name is {}, and so is that of the network {} of the cloud {}; "
            "give this one another name",
            origin, name, network.name, row.name));
  }
}

/// A group that goes leaves no rule behind that names it: what was made by hand is taken back
/// first.
void refuse_naming_rule(const std::string& file, const std::string& group, const GroupRow& other) {
  for (const GroupRule& rule : other.rules) {
    if (rule.from_group != group) continue;
    std::string port = rule.low ? fmt::format(" --port {}", rule.low) : "";
    if (rule.high > rule.low) port += fmt::format("-{}", rule.high);
    throw Conflict(
        fmt::format("{0}: the group {1} is not in the file any more, but a rule of the group {2} "
                    "names it; take that back first with `nutshell group revoke {2} --protocol "
                    "{3}{4} --from-group {1} --cloud {5}`, or put the group back",
                    printable(file), group, other.name, rule.protocol, port, other.cloud));
  }
}

}  // namespace

const CloudNetwork* network_in(const CloudSpec& spec, const std::string& name) {
  for (const CloudNetwork& each : spec.networks)
    if (each.name == name) return &each;
  return nullptr;
}

void plan_networks(House& house, CloudWork& work, const CloudSpec& wanted,
                   const UpOptions& options) {
  for (const CloudNetwork& network : wanted.networks) {
    NetworkWork one{NetworkWork::Action::add, host_network(work.cloud, network.name), &network, "",
                    ""};
    const CloudNetwork* before = network_in(work.before, network.name);
    const auto row = house.registry().network(one.name);
    if (!row) {
      work.networks.push_back(one);
      continue;
    }
    if (!before) refuse_other_clouds(house, one.name, network.origin);
    if (!before)
      throw Conflict(
          fmt::format("{}: there is a network {} already, which no file of a cloud has "
                      "made; remove it with `nutshell network rm {}`, or give this one "
                      "another name",
                      network.origin, one.name, one.name));
    if (!same_place(house, *row, *before, network))
      throw Conflict(
          fmt::format("{}: the network {} cannot get another subnet while it is there; `nutshell "
                      "down {} --purge` and `up` make all of it anew, or put the line back",
                      network.origin, network.name, work.cloud));
    refuse_moved_range(work, wanted, network);
    one.change = change_words(*before, network);
    if (one.change.empty()) continue;
    one.action = NetworkWork::Action::change;
    for (MachineWork& machine : work.machines) {
      if (!machine.row || !machine.alive || machine.action == MachineWork::Action::remove) continue;
      const auto& nics = machine.row->spec.nics;
      const bool there = std::any_of(nics.begin(), nics.end(), [&](const NicSpec& nic) {
        return nic.kind == NicKind::network && nic.network == one.name;
      });
      if (!there) continue;
      if (options.restart)
        machine.restarts = machine.starts = true;
      else
        one.action = NetworkWork::Action::waits;
    }
    if (one.action == NetworkWork::Action::waits) one.reason = restart_does_it;
    work.networks.push_back(one);
  }
  for (const CloudNetwork& network : work.before.networks) {
    const std::string name = host_network(work.cloud, network.name);
    if (network_in(wanted, network.name) || !house.registry().network(name)) continue;
    const Stayers stayers = stayers_on(house, work, name);
    const bool waits = stayers.waiting || !stayers.others.empty();
    const std::string reason = waits ? wait_words(stayers, name) : "";
    work.networks.push_back({waits ? NetworkWork::Action::waits : NetworkWork::Action::remove, name,
                             nullptr, waits ? "it is not in the file any more" : "", reason});
    // Of two networks on the cloud's one range, the new one comes when the old one goes.
    for (NetworkWork& other : work.networks)
      if (waits && other.action == NetworkWork::Action::add && is_on_cloud_range(network) &&
          other.wanted->range == network.range) {
        other.action = NetworkWork::Action::waits;
        other.change = fmt::format("it comes when {} goes", name);
        other.reason = reason;
      }
  }
}

void plan_groups(House& house, CloudWork& work, const CloudSpec& wanted) {
  const std::vector<GroupRow> rows = house.registry().groups();
  const auto row_of = [&](const std::string& name) {
    return std::find_if(rows.begin(), rows.end(), [&](const GroupRow& row) {
      return row.cloud == work.cloud && row.name == name;
    });
  };
  const auto named = [](const CloudSpec& spec, const std::string& name) {
    const auto found = std::find_if(spec.groups.begin(), spec.groups.end(),
                                    [&](const CloudGroup& each) { return each.name == name; });
    return found == spec.groups.end() ? nullptr : &*found;
  };
  for (const CloudGroup& group : wanted.groups) {
    const auto row = row_of(group.name);
    const CloudGroup* before = named(work.before, group.name);
    if (row != rows.end() && !before)
      throw Conflict(fmt::format(
          "{}: there is a group {} in the cloud {} already, which no file of a cloud has made; "
          "remove it with `nutshell group rm {} --cloud {}`, or give this one another name",
          group.origin, group.name, work.cloud, group.name, work.cloud));
    for (const GroupRule& rule : group.rules) {
      const std::string& from = rule.from_group;
      const bool made_by_hand = row_of(from) != rows.end() && !named(work.before, from);
      if (!from.empty() && !named(wanted, from) && !made_by_hand)
        throw ConfigError(
            group.origin,
            fmt::format("the group {} lets in from the group {}, which the cloud {} does not have; "
                        "write a [[group]] of that name, or another source",
                        group.name, from, work.cloud));
    }
    const bool same = row != rows.end() && before->rules == group.rules &&
                      before->description == group.description;
    if (!same)
      work.groups.push_back({GroupWork::Action::put, group.name, &group,
                             row == rows.end() ? std::nullopt : std::optional(*row)});
  }
  for (const CloudGroup& group : work.before.groups) {
    if (named(wanted, group.name) || row_of(group.name) == rows.end()) continue;
    for (const GroupRow& other : rows) {
      const bool changes =
          std::any_of(work.groups.begin(), work.groups.end(),
                      [&](const GroupWork& each) { return each.name == other.name; }) ||
          (named(work.before, other.name) && !named(wanted, other.name));
      if (other.cloud == work.cloud && !changes) refuse_naming_rule(wanted.file, group.name, other);
    }
    work.groups.push_back({GroupWork::Action::remove, group.name, nullptr, std::nullopt});
  }
  if (!work.groups.empty()) refuse_later_firewall(house);
}

}  // namespace nutshell
