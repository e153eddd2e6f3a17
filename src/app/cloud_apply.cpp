// The order is such that whatever kills us leaves something that the next `up` goes on from, and
// `down --purge` gives back: what is handed out is committed with the cloud's row before anything
// is made, and a machine's own plan is in the journal before its first step.
#include "app/cloud_apply.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "app/change.hpp"
#include "app/cloud_seed.hpp"
#include "app/cloud_trial.hpp"
#include "app/execute.hpp"
#include "app/firewall_kept.hpp"
#include "app/guard.hpp"
#include "app/interrupt.hpp"
#include "app/machine_state.hpp"
#include "app/network.hpp"
#include "app/reserved_kept.hpp"
#include "app/settle.hpp"
#include "app/start.hpp"
#include "host/files.hpp"
#include "nutshell/plan.hpp"

namespace nutshell {
namespace {

using Action = MachineWork::Action;

std::vector<std::string> names_where(const CloudWork& work,
                                     bool (*chosen)(const MachineWork& machine)) {
  std::vector<std::string> names;
  for (const MachineWork& machine : work.machines)
    if (chosen(machine)) names.push_back(machine.name);
  return names;
}

bool goes(const MachineWork& machine) { return machine.action == Action::remove; }

/// What stops, removes or makes machines is tried first, on a transaction that is rolled back: an
/// edit that cannot be is refused while they still run, and before any is made that cannot start.
void rehearse(House& house, const CloudWork& work, const CloudSpec& wanted) {
  const bool costs =
      std::any_of(work.machines.begin(), work.machines.end(), [](const MachineWork& each) {
        return goes(each) || each.restarts ||
               (each.action == Action::create && each.starts && asks_of_host(each.spec));
      });
  if (!costs) return;
  Transaction transaction = house.registry().begin();
  CloudWork copy = work;
  reserve_all(house, transaction, copy, wanted);
  try_starts(house, transaction, copy, Tried::touched);
}

void stop_and_remove(House& house, const CloudWork& work, unsigned patience) {
  const auto going = names_where(work, goes);
  if (going.empty()) return;
  const auto alive = names_where(work, [](const auto& each) { return goes(each) && each.alive; });
  if (!alive.empty())
    throw_failures(work.cloud, stop_machines(house, work.before, alive, Stopping::insist, patience),
                   "did not stop");
  throw_failures(work.cloud, remove_machines(house, work.cloud, going), "could not be removed");
  for (const std::string& name : going) drop_seed(house, {work.cloud, name});
}

void stop_for_changes(House& house, CloudWork& work, unsigned patience) {
  const auto stopping = names_where(work, [](const auto& each) { return each.restarts; });
  if (stopping.empty()) return;
  throw_failures(work.cloud,
                 stop_machines(house, work.before, stopping, Stopping::insist, patience),
                 "did not stop");
  for (MachineWork& machine : work.machines)
    if (machine.restarts) {
      machine.alive = false;
      machine.row = house.registry().machine(machine.row->uuid);
    }
}

struct Journaled {
  MachineWork* machine;
  Plan plan;
  std::int64_t id;
};

/// Whether all of an edit is done, or networks that go are still there.
enum class Stand { begun, done };

/// The cloud's row: the file's word on the machines that are `ready`, the old one on the others.
void put_row(Transaction& transaction, const CloudWork& work, const CloudFile& file, Stand stand,
             const std::function<bool(const MachineWork&)>& ready) {
  CloudSpec applied = applied_after(work, file.spec);
  applied.file = file.path;
  for (CloudMachine& machine : applied.machines)
    for (const MachineWork& each : work.machines)
      if (each.name == machine.wish.name.name && each.before && !ready(each))
        machine = *each.before;
  // Whoever goes on after us, be it `down`, must know what is still the cloud's.
  if (stand == Stand::begun)
    for (const CloudNetwork& network : work.before.networks)
      for (const NetworkWork& each : work.networks)
        if (each.action == NetworkWork::Action::remove &&
            each.name == host_network(work.cloud, network.name))
          applied.networks.push_back(network);
  transaction.put_cloud(
      {work.cloud, file.path, to_json(applied).dump(), work.row ? work.row->created : now_utc()});
}

std::vector<Journaled> commit_cloud(House& house, CloudWork& work, const CloudFile& file) {
  Transaction transaction = house.registry().begin();
  reserve_cloud(house, transaction, work, file.spec);
  // What is still to be done after this is written down as it was, so that it is done again by
  // whoever goes on.
  put_row(transaction, work, file, Stand::begun,
          [](const MachineWork& machine) { return machine.action != Action::change; });
  std::vector<Journaled> made;
  for (MachineWork& machine : work.machines) {
    if (machine.action != Action::create) continue;
    Plan plan = plan_of("create", machine.spec.uuid, OnFailure::undo,
                        steps_to_create(machine.spec, house.paths, work.facts.ovmf_vars));
    const auto id = transaction.journal(plan, house.self.pid, house.self.start_time, house.boot_id);
    made.push_back({&machine, std::move(plan), id});
  }
  transaction.commit();
  return made;
}

void follow_notes(House& house, const CloudWork& work, const CloudFile& file) {
  note_cloud(house, work.cloud);
  for (const NetworkWork& network : work.networks) {
    if (network.action == NetworkWork::Action::remove) {
      drop_note(house, network.name);
      drop_network_lock(house, network.name);
    } else if (const auto row = house.registry().network(network.name)) {
      note_network(house, *row);
    }
  }
  follow_firewall(house);
  if (work.ranges_change) follow_reservations(house);
  if (work.groups.empty() || !house.root) return;
  for (const GroupRow& group : house.registry().groups())
    for (const GroupWork& each : work.groups)
      if (group.cloud == file.spec.name && group.name == each.name && each.had)
        guard_group(house, group);
}

ErrandResult failure(const MachineWork& machine, const std::exception& error) {
  const auto* known = dynamic_cast<const Error*>(&error);
  return {machine.name, error.what(), known ? static_cast<int>(known->exit()) : 1};
}

/// Folders and volumes. Where we are interrupted, the plans that are left undo themselves.
void make_machines(House& house, std::vector<Journaled>& made, std::vector<ErrandResult>& results) {
  for (const Journaled& one : made) {
    LiveStart none;
    none.start.who = to_string(one.machine->spec.name);
    try {
      execute_start(house, one.plan, one.id, none);
    } catch (const Interrupted&) {
      // Said once, when all that was begun is undone.
    } catch (const std::exception& error) {
      results.push_back(failure(*one.machine, error));
      one.machine->starts = false;
      one.machine->failed = true;
    }
  }
  if (interrupted())
    throw Interrupted(
        "interrupted while machines were being made; those that were not ready are undone, and "
        "`nutshell up` goes on from there");
}

/// What takes no restart reaches a running machine at once.
void follow_groups(House& house, const MachineWork& machine) {
  const auto row = house.registry().machine(machine.row->uuid);
  if (!row || !row->run || !machine.alive || !house.root) return;
  const std::vector<GuestNic> before = guests_from_json(row->run->guests);
  std::vector<GuestNic> after = guests_of(house, row->spec, row->run->taps);
  if (guests_to_json(before) == guests_to_json(after)) return;
  Transaction transaction = house.registry().begin();
  transaction.change_guests(row->uuid, guests_to_json(after));
  transaction.commit();
  change_guests(house, row->uuid, before, after);
}

/// Gives the names of those that could not be changed.
std::vector<std::string> change_machines(House& house, CloudWork& work,
                                         std::vector<ErrandResult>& results) {
  std::vector<std::string> failed;
  for (MachineWork& machine : work.machines) {
    if (!machine.is_changed()) continue;
    try {
      if (machine.seed_goes && !machine.waits)
        std::erase_if(machine.spec.disks, [&](const DiskSpec& disk) {
          return disk.path == seed_path(house, machine.spec.name);
        });
      const auto now = house.registry().machine(machine.row->uuid);
      if (!now) continue;
      machine.spec.applied = to_json(machine.comes_true()).dump();  // for whoever goes on after us
      Change change{machine.spec, {}, false, true};
      change_machine(house, *now, std::move(change), work.facts);
      follow_groups(house, machine);
    } catch (const Interrupted&) {
      throw;
    } catch (const std::exception& error) {
      results.push_back(failure(machine, error));
      failed.push_back(machine.name);
      machine.starts = false;
      machine.failed = true;
    }
  }
  return failed;
}

/// Networks that nobody uses any more, and the row as it stands.
void finish_cloud(House& house, const CloudWork& work, const CloudFile& file,
                  const std::vector<std::string>& failed) {
  // The notes first: `recover` is not to bring back what a killed `up` has forgotten.
  for (const NetworkWork& network : work.networks)
    if (network.action == NetworkWork::Action::remove) drop_note(house, network.name);
  Transaction transaction = house.registry().begin();
  drop_networks(house, transaction, work);
  put_row(transaction, work, file, Stand::done, [&](const MachineWork& machine) {
    return std::find(failed.begin(), failed.end(), machine.name) == failed.end();
  });
  transaction.commit();
}

/// Seeds are what the answers say by now, also those of machines that run: they find the new one at
/// their next start. What no machine has any more goes.
void write_seeds(House& house, const CloudWork& work, const CloudFile& file) {
  for (const MachineWork& machine : work.machines) {
    if (!machine.wanted) continue;
    const MachineName& name = machine.wanted->wish.name;
    const std::string path = seed_path(house, name);
    if (!machine.wanted->seed && !host::file_exists(path)) continue;
    const auto row = house.registry().machine(name);
    if (!row) continue;
    const bool has_it = std::any_of(row->spec.disks.begin(), row->spec.disks.end(),
                                    [&](const DiskSpec& disk) { return disk.path == path; });
    if (!has_it)
      drop_seed(house, name);
    else if (machine.wanted->seed && write_seed(house, file.spec, *row) && machine.alive)
      house.reporter.note(fmt::format(
          "the seed of {} is written anew; its guest, which runs, finds it at its next start",
          to_string(name)));
  }
}

}  // namespace

void note_lines(House& house, const CloudWork& work, const CloudFile& file) {
  CloudSpec applied = applied_after(work, file.spec);
  applied.file = file.path;
  if (to_json(applied).dump() != work.row->spec) {
    Transaction transaction = house.registry().begin();
    put_row(transaction, work, file, Stand::done, [](const MachineWork&) { return true; });
    transaction.commit();
  }
  // An earlier `up` may have been killed before it wrote them.
  note_cloud(house, work.cloud);
  for (const CloudNetwork& network : applied.networks)
    if (const auto row = house.registry().network(host_network(work.cloud, network.name)))
      note_network(house, *row);
  follow_firewall(house);
  write_seeds(house, work, file);
}

std::vector<ErrandResult> apply_work(House& house, CloudWork& work, const CloudFile& file,
                                     unsigned patience) {
  std::vector<ErrandResult> results;
  rehearse(house, work, file.spec);
  if (work.has_work()) {
    stop_and_remove(house, work, patience);
    stop_for_changes(house, work, patience);
    probe_new_publics(house, work, file.spec);
    std::vector<Journaled> made = commit_cloud(house, work, file);
    // From here all that the cloud has is written down.
    make_machines(house, made, results);
    if (!work.repairs.empty()) {
      auto repaired = repair_bridges(house, work.cloud, work.repairs);
      results.insert(results.end(), repaired.begin(), repaired.end());
    }
    const std::vector<std::string> failed = change_machines(house, work, results);
    finish_cloud(house, work, file, failed);
    follow_notes(house, work, file);
    write_seeds(house, work, file);
  }
  const auto starting = names_where(work, [](const auto& each) { return each.starts; });
  if (!starting.empty()) {
    auto started = start_machines(house, applied_after(work, file.spec), starting);
    for (const ErrandResult& each : started)
      for (MachineWork& machine : work.machines)
        if (machine.name == each.name && !each.error.empty()) machine.is_down = true;
    results.insert(results.end(), started.begin(), started.end());
  }
  return results;
}

}  // namespace nutshell
