// The networks and groups of a cloud: what becomes of each.
#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_work.hpp"

namespace nutshell {
namespace {

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

bool same_place(const CloudNetwork& before, const CloudNetwork& wanted) {
  return before.range == wanted.range && before.prefix == wanted.prefix &&
         before.subnet == wanted.subnet;
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
    NetworkWork one{NetworkWork::Action::add, host_network(work.cloud, network.name), &network, ""};
    const CloudNetwork* before = network_in(work.before, network.name);
    const auto row = house.registry().network(one.name);
    if (!row) {
      work.networks.push_back(one);
      continue;
    }
    if (!before)
      throw Conflict(
          fmt::format("{}: there is a network {} already, which no file of a cloud has "
                      "made; remove it with `nutshell network rm {}`, or give this one "
                      "another name",
                      network.origin, one.name, one.name));
    if (!same_place(*before, network))
      throw Conflict(
          fmt::format("{}: the network {} cannot get another subnet while it is there; `nutshell "
                      "down {} --purge` and `up` make all of it anew, or put the line back",
                      network.origin, network.name, work.cloud));
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
    work.networks.push_back(one);
  }
  for (const CloudNetwork& network : work.before.networks)
    if (!network_in(wanted, network.name) &&
        house.registry().network(host_network(work.cloud, network.name)))
      work.networks.push_back(
          {NetworkWork::Action::remove, host_network(work.cloud, network.name), nullptr, ""});
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
    const bool same = row != rows.end() && before && before->rules == group.rules &&
                      before->description == group.description;
    if (!same)
      work.groups.push_back({GroupWork::Action::put, group.name, &group, row == rows.end()});
  }
  for (const CloudGroup& group : work.before.groups)
    if (!named(wanted, group.name) && row_of(group.name) != rows.end())
      work.groups.push_back({GroupWork::Action::remove, group.name, nullptr, false});
}

}  // namespace nutshell
