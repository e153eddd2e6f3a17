// Three things are compared: what the file says, what it said when it was last applied, and what
// is there. So what a user has changed by hand since is not taken back, and what could not be done
// without a restart is remembered.
#include "app/cloud_work.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/bridge_checks.hpp"
#include "app/cloud_answers.hpp"
#include "app/cloud_seed.hpp"
#include "app/cloud_unit.hpp"
#include "app/lost.hpp"
#include "app/machine_state.hpp"
#include "app/network.hpp"
#include "app/reserved_kept.hpp"

namespace nutshell {
namespace {

void refuse_other_file(const CloudWork& work, const CloudFile& file, const UpOptions& options) {
  if (!work.row || work.row->file == file.path || options.rename) return;
  // By another path it may be the same one: what was moved, and has a link where it was.
  std::error_code error;
  if (std::filesystem::equivalent(work.row->file, file.path, error)) return;
  throw Conflict(
      fmt::format("the cloud {0} exists already, from {1}; give this one another name, take that "
                  "one down with `nutshell down {0} --purge`, or say with --moved that its file is "
                  "here now",
                  work.cloud, printable(work.row->file)));
}

void look_at_row(const House& house, MachineWork& machine) {
  if (!machine.row) return;
  const Seen seen = look_at(house, machine.row->uuid, machine.row->run, machine.row->last_end);
  machine.alive = seen.state == MachineState::running || seen.state == MachineState::paused;
  machine.paused = seen.state == MachineState::paused;
}

const CloudMachine* applied_machine(const CloudWork& work, const std::string& name) {
  return work.before.machine(name);
}

/// What takes no restart does not wait for what does.
void decide_meanwhile(MachineWork& machine) {
  CloudMachine now = *machine.before;
  now.wish.groups = machine.wanted->wish.groups;
  now.wish.tags = machine.wanted->wish.tags;
  now.after = machine.wanted->after;
  now.after_timeout = machine.wanted->after_timeout;
  now.autostart = machine.wanted->autostart;
  for (const char* field : {"groups", "tags"}) {
    const auto origin = machine.wanted->wish.origins.find(field);
    if (origin != machine.wanted->wish.origins.end()) now.wish.origins[field] = origin->second;
  }
  const bool differs =
      std::any_of(machine.changes.begin(), machine.changes.end(), [](const FieldChange& change) {
        return change.field == "groups" || change.field == "tags" || change.field == "after" ||
               change.field == "after_timeout" || change.field == "autostart";
      });
  if (differs) machine.meanwhile = std::move(now);
}

void decide_present(const House& house, MachineWork& machine, const UpOptions& options) {
  machine.changes = changes_of(*machine.before, *machine.wanted, machine.row->spec);
  machine.seed_comes = machine.wanted->seed && !machine.before->seed;
  machine.seed_goes = !machine.wanted->seed && machine.before->seed;
  machine.seed_lacks = machine.wanted->seed && lacks_seed(house, machine.row->spec);
  const auto takes = [&](FieldChange::Takes what) {
    return std::any_of(machine.changes.begin(), machine.changes.end(),
                       [&](const FieldChange& change) { return change.takes == what; });
  };
  const bool needs_restart =
      takes(FieldChange::Takes::restart) || machine.seed_comes || machine.seed_goes;
  if (machine.changes.empty() && !needs_restart) return;
  machine.waits = needs_restart && machine.alive && !options.restart;
  machine.restarts = needs_restart && machine.alive && options.restart;
  if (machine.waits) decide_meanwhile(machine);
  machine.action = MachineWork::Action::change;
}

/// Where `to` has a way out in it, that is told alone.
std::string words_of_new_machine(const MachineWork& machine, const FieldChange& change) {
  const std::string from = change.from.empty() ? "nothing" : change.from,
                    to = change.to.empty() ? "nothing" : change.to;
  const bool has_way = to.find('`') != to.npos;
  return fmt::format("{}: {} cannot be changed in place ({} to {}){}", machine.name, change.field,
                     from, to,
                     has_way ? ""
                             : fmt::format("; remove the machine with `nutshell rm {}` to have it "
                                           "made anew, or put the line back",
                                           to_string(machine.wanted->wish.name)));
}

/// What takes a new machine is refused, all of it at once, each at its line.
void refuse_new_machines(const CloudWork& work) {
  Problems problems;
  for (const MachineWork& machine : work.machines) {
    if (!machine.wanted) continue;
    for (const FieldChange& change : machine.changes) {
      if (change.takes != FieldChange::Takes::new_machine) continue;
      const Origins& origins = machine.wanted->wish.origins;
      const std::string field = change.field.substr(0, change.field.find('['));
      auto at = origins.find(change.field);
      if (at == origins.end()) at = origins.find(field);
      if (at == origins.end()) at = origins.find("name");
      problems.push_back(
          {at == origins.end() ? machine.name : at->second, words_of_new_machine(machine, change)});
    }
  }
  if (problems.empty()) return;
  std::string text;
  for (const Problem& problem : problems)
    text += fmt::format("{}{}: {}", text.empty() ? "" : "\n", problem.where, problem.what);
  throw Conflict(text);
}

/// Those that come up at boot, and what they come after.
std::set<std::string> boot_machines(const CloudSpec& wanted) {
  std::set<std::string> names;
  std::vector<const CloudMachine*> next;
  for (const CloudMachine& machine : wanted.machines)
    if (machine.autostart) next.push_back(&machine);
  while (!next.empty()) {
    const CloudMachine* machine = next.back();
    next.pop_back();
    if (!names.insert(machine->wish.name.name).second) continue;
    for (const After& after : machine->after)
      if (const CloudMachine* other = wanted.machine(after.machine)) next.push_back(other);
  }
  return names;
}

void plan_machines(House& house, CloudWork& work, const CloudSpec& wanted,
                   const UpOptions& options) {
  const std::set<std::string> at_boot = boot_machines(wanted);
  for (const CloudMachine& old : work.before.machines) {
    if (wanted.machine(old.wish.name.name)) continue;
    MachineWork machine;
    machine.name = old.wish.name.name;
    machine.before = &old;
    machine.row = house.registry().machine(old.wish.name);
    if (!machine.row) continue;
    look_at_row(house, machine);
    machine.action = MachineWork::Action::remove;
    work.machines.push_back(std::move(machine));
  }
  for (const CloudMachine& one : wanted.machines) {
    MachineWork machine;
    machine.name = one.wish.name.name;
    machine.wanted = &one;
    machine.before = applied_machine(work, machine.name);
    machine.row = house.registry().machine(one.wish.name);
    look_at_row(house, machine);
    const auto origin = one.wish.origins.find("name");
    if (machine.row && !machine.before)
      throw Conflict(fmt::format(
          "{}: there is a machine {} already, which no file of a cloud has made; remove it with "
          "`nutshell rm {}`, or give this one another name",
          origin == one.wish.origins.end() ? printable(wanted.file) : origin->second,
          to_string(one.wish.name), to_string(one.wish.name)));
    if (!machine.row) {
      if (machine.before) refuse_beside_unreadable(house, machine.name);
      machine.action = MachineWork::Action::create;
      machine.seed_comes = one.seed;
    } else {
      decide_present(house, machine, options);
    }
    const bool is_meant = options.start && (!options.autostart || at_boot.contains(machine.name));
    machine.starts = machine.restarts || (is_meant && !machine.alive);
    work.machines.push_back(std::move(machine));
  }
  refuse_new_machines(work);
}

void plan_ranges(House& house, CloudWork& work, const CloudSpec& wanted, const UpOptions& options) {
  const bool takes = takes_away(house, work.held, wanted.public_range) ||
                     takes_away(work.held, wanted.private_subnet);
  const bool runs = std::any_of(work.machines.begin(), work.machines.end(), [](const auto& each) {
    return each.alive && each.action != MachineWork::Action::remove;
  });
  work.ranges_change =
      !is_met(work.held, wanted.public_range) || !is_met(work.held, wanted.private_subnet);
  work.ranges_wait = takes && runs && !options.restart;
  if (!work.ranges_change || !takes || !options.restart) return;
  for (MachineWork& machine : work.machines)
    if (machine.alive && machine.action != MachineWork::Action::remove)
      machine.restarts = machine.starts = true;
}

/// Somebody has taken a bridge away, or ports off it, under machines that run on.
void plan_repairs(House& house, CloudWork& work) {
  if (!house.root) return;
  const auto note = [&](const Placed& each) {
    for (const MachineWork& machine : work.machines)
      if (machine.row && machine.action != MachineWork::Action::remove &&
          to_string(machine.row->name) == each.machine)
        work.repairs.insert(each.bridge);
  };
  for (const Placed& each : displaced_taps(house)) note(each);
  for (const Mistagged& each : mistagged_taps(house)) note(each.port);
}

}  // namespace

bool CloudWork::is_touched(const MachineWork& machine) {
  return (machine.action != MachineWork::Action::nothing &&
          (!machine.waits || machine.meanwhile)) ||
         machine.starts || machine.restarts;
}

bool CloudWork::waits() const {
  return ranges_wait ||
         std::any_of(machines.begin(), machines.end(),
                     [](const MachineWork& machine) { return machine.waits; }) ||
         std::any_of(networks.begin(), networks.end(), [](const NetworkWork& network) {
           return network.action == NetworkWork::Action::waits;
         });
}

bool CloudWork::has_work() const {
  const bool networks_work = std::any_of(
      networks.begin(), networks.end(),
      [](const NetworkWork& network) { return network.action != NetworkWork::Action::waits; });
  return is_new() || networks_work || !groups.empty() || !repairs.empty() ||
         (ranges_change && !ranges_wait) || answers_change || quota_change || autostart_change ||
         file_moves ||
         std::any_of(machines.begin(), machines.end(), [](const MachineWork& machine) {
           return is_touched(machine) || machine.seed_lacks;
         });
}

CloudWork plan_work(House& house, const CloudFile& file, const UpOptions& options) {
  CloudWork work;
  work.cloud = file.spec.name;
  work.row = house.registry().cloud(work.cloud);
  if (!work.row && is_noted(house, work.cloud))
    throw Conflict(
        fmt::format("{}: the registry has lost the cloud {}; run `nutshell recover` to have it "
                    "again, with all that it holds",
                    printable(file.path), work.cloud));
  refuse_other_file(work, file, options);
  refuse_lost_part(house, work.cloud);
  static_cast<void>(read_ssh_keys(file.spec.answers));
  work.file_moves = work.row && work.row->file != file.path;
  if (work.row) work.before = spec_as_applied(house, *work.row);
  work.held = ranges_of(house, work.cloud);
  plan_machines(house, work, file.spec, options);
  plan_networks(house, work, file.spec, options);
  for (const NetworkWork& network : work.networks)
    if (network.action == NetworkWork::Action::remove) refuse_reserved(house, network.name);
  plan_groups(house, work, file.spec);
  plan_ranges(house, work, file.spec, options);
  plan_repairs(house, work);
  const auto bare = [](AnswersWish answers) {
    answers.origins.clear();
    return answers;
  };
  const auto limits = [](std::optional<Quota> quota) {
    if (quota) quota->origins.clear();
    return quota;
  };
  work.quota_change = work.row && limits(work.before.quota) != limits(file.spec.quota);
  for (const CloudRow& row : house.registry().clouds())
    if (row.file == file.path && row.name != work.cloud)
      work.warnings.push_back(
          fmt::format("the cloud {0} came from this file, too, and stays; `nutshell down {0} "
                      "--purge` takes it away",
                      row.name));
  work.answers_change = work.row && bare(work.before.answers) != bare(file.spec.answers);
  work.autostart_change = is_unit_stale(house, file.spec);
  return work;
}

CloudSpec applied_after(const CloudWork& work, const CloudSpec& wanted) {
  CloudSpec applied = wanted;
  if (work.ranges_wait) {
    applied.public_range = work.before.public_range;
    applied.private_subnet = work.before.private_subnet;
  }
  for (CloudMachine& machine : applied.machines)
    for (const MachineWork& each : work.machines)
      if (each.waits && each.name == machine.wish.name.name)
        machine = each.meanwhile ? *each.meanwhile : *each.before;
  for (const NetworkWork& each : work.networks) {
    if (each.action != NetworkWork::Action::waits) continue;
    std::erase_if(applied.networks, [&](const CloudNetwork& network) {
      return host_network(work.cloud, network.name) == each.name;
    });
    for (const CloudNetwork& network : work.before.networks)
      if (host_network(work.cloud, network.name) == each.name) applied.networks.push_back(network);
  }
  return applied;
}

}  // namespace nutshell
