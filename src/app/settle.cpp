// Recovery is the same executor with a plan made from what the journal says. A plan is taken over
// by a transaction, so that of two commands that look at once only one puts things right.
#include "app/settle.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "app/execute.hpp"
#include "app/interrupt.hpp"
#include "app/lost.hpp"
#include "app/machine_state.hpp"
#include "app/network.hpp"
#include "app/perform.hpp"
#include "host/files.hpp"
#include "host/unique_name.hpp"
#include "nutshell/plan.hpp"

namespace nutshell {
namespace {

constexpr auto longest_wait = std::chrono::seconds(60);

bool is_about(const Unfinished& unfinished, const std::optional<Uuid>& only) {
  return !only || unfinished.plan.machine == *only;
}

std::vector<std::string> execute_quietly(House& house, const Plan& plan,
                                         const JournalEntry& journal) {
  Performer perform(house);
  const Outcome outcome = execute(
      plan, std::ref(perform), [](const Step&) {}, journal);
  if (outcome.cause) {
    try {
      std::rethrow_exception(outcome.cause);
    } catch (const Interrupted&) {
      throw;  // it stays in the journal
    } catch (const std::exception&) {
      // All is done; only the journal says otherwise, and the next command looks again.
    }
  }
  return outcome.leftovers;
}

// The steps of a recovery are not journaled one by one: each takes "already gone" for done, so it
// can be begun anew at any time.
void recover_one(House& house, const Unfinished& dead, Settled& settled) {
  {
    Transaction transaction = house.registry().begin();
    if (!transaction.adopt(dead.id, dead.owner_pid, dead.owner_start_time, house.self.pid,
                           house.self.start_time, house.boot_id)) {
      settled.busy.push_back(dead.plan.machine);  // somebody else is doing just this
      return;
    }
    transaction.commit();
  }
  const Plan plan = plan_recover(dead);
  const auto leftovers = execute_quietly(house, plan, {});
  host::drop_temporaries(house.paths.machine(dead.plan.machine));
  settled.leftovers.insert(settled.leftovers.end(), leftovers.begin(), leftovers.end());
  if (leftovers.empty()) house.registry().finished(dead.id);
  if (!plan.steps.empty())
    settled.done.push_back(
        fmt::format("a `{}` that was cut short is {}", dead.plan.verb,
                    dead.plan.on_failure == OnFailure::undo ? "undone" : "finished"));
}

struct Ended {
  MachineName name;
  Uuid uuid;
};

std::vector<Ended> ended_runs(House& house, const std::optional<Uuid>& only,
                              const std::vector<Uuid>& busy) {
  std::vector<Ended> ended;
  const auto look = [&](const Uuid& uuid, const MachineName& name,
                        const std::optional<RunRecord>& run, const std::string& last_end) {
    if (!run || std::find(busy.begin(), busy.end(), uuid) != busy.end()) return;
    if (look_at(house, uuid, run, last_end).uncollected) ended.push_back({name, uuid});
  };
  if (only) {
    if (const auto row = house.registry().machine(*only))
      look(row->uuid, row->name, row->run, row->last_end);
  } else {
    for (const auto& row : house.registry().runs()) look(row.uuid, row.name, row.run, row.last_end);
  }
  return ended;
}

std::vector<std::string> journal_and_execute(House& house, Transaction& transaction,
                                             const Plan& plan) {
  const auto id = transaction.journal(plan, house.self.pid, house.self.start_time, house.boot_id);
  transaction.commit();
  return execute_quietly(house, plan, {&house.registry(), id});
}

void collect_one(House& house, const Ended& ended, Settled& settled) {
  Transaction transaction = house.registry().begin();
  check_alone(house, ended.uuid, to_string(ended.name));
  const auto row = house.registry().machine(ended.uuid);
  if (!row || !row->run) return;
  // A start that was looked at in the middle may be done by now.
  const Seen seen = look_at(house, row->uuid, row->run, row->last_end);
  if (!seen.uncollected) return;
  const Plan plan = plan_of("collect", ended.uuid, OnFailure::keep_going,
                            steps_to_collect(row->spec, house.paths, seen.end, parts_of(row->run)));
  const auto leftovers = journal_and_execute(house, transaction, plan);
  settled.leftovers.insert(settled.leftovers.end(), leftovers.begin(), leftovers.end());
  settled.done.push_back(
      fmt::format("{}: {}; what its run had is given back", to_string(ended.name), seen.end));
}

bool may_write(const House& house) {
  return !house.dry() && access(house.paths.state.c_str(), W_OK) == 0;
}

}  // namespace

MachineRow settled_machine(House& house, const MachineRow& found) {
  MachineRow row = settled_row(house, found);
  if (!row.run) refuse_unknown_run(house, row.uuid, row.name);
  return row;
}

MachineRow settled_row(House& house, const MachineRow& found) {
  const Settled settled = settle(house, found.uuid);
  if (auto row = house.registry().machine(found.uuid)) return *std::move(row);
  throw NotFound(fmt::format(
      "{} is gone: {}; `nutshell ls` lists what is there", to_string(found.name),
      settled.done.empty() ? "another command has removed it, or undone its launch, just now"
                           : settled.done.front()));
}

bool owner_lives(const House& house, const Unfinished& unfinished) {
  return unfinished.boot_id == house.boot_id &&
         host::start_time(unfinished.owner_pid) == unfinished.owner_start_time;
}

void check_alone(House& house, const Uuid& uuid, const std::string& who) {
  for (const Unfinished& unfinished : house.registry().unfinished()) {
    if (unfinished.plan.machine != uuid) continue;
    if (unfinished.owner_pid == house.self.pid &&
        unfinished.owner_start_time == house.self.start_time)
      continue;
    if (owner_lives(house, unfinished))
      throw Conflict(
          fmt::format("{}: a `nutshell {}` (pid {}) is at work on it; try again when it is done",
                      who, unfinished.plan.verb, unfinished.owner_pid));
  }
}

void wait_for_others(House& house, const Uuid& uuid, const std::string& who) {
  const auto deadline = std::chrono::steady_clock::now() + longest_wait;
  for (bool said = false;;) {
    try {
      return check_alone(house, uuid, who);
    } catch (const Conflict& conflict) {
      if (std::chrono::steady_clock::now() > deadline) throw;
      if (!std::exchange(said, true)) house.reporter.step(conflict.what());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    check_interrupt();
  }
}

Seen look_calmly(House& house, const MachineRow& row) {
  Seen seen = look_at(house, row.uuid, row.run, row.last_end);
  if (!seen.uncollected || is_over(house, row.uuid)) return seen;
  const auto now = house.registry().machine(row.uuid);
  if (!now) return Seen{};
  seen = look_at(house, now->uuid, now->run, now->last_end);
  return seen.uncollected ? look_at(house, now->uuid, std::nullopt, now->last_end) : seen;
}

std::vector<std::string> run_teardown(House& house, const Plan& plan, const std::string& who) {
  Transaction transaction = house.registry().begin();
  check_alone(house, plan.machine, who);
  return journal_and_execute(house, transaction, plan);
}

bool is_at_work_on(House& house, const Uuid& uuid) {
  const auto all = house.registry().unfinished();
  return std::any_of(all.begin(), all.end(), [&](const Unfinished& unfinished) {
    return unfinished.plan.machine == uuid && owner_lives(house, unfinished);
  });
}

bool is_over(House& house, const Uuid& uuid) {
  const auto row = house.registry().machine(uuid);
  if (!row || !row->run) return false;
  if (is_at_work_on(house, uuid)) return false;
  if (!look_at(house, uuid, row->run, row->last_end).uncollected) return false;
  const auto now = house.registry().machine(uuid);
  return now && now->run == row->run;
}

Settled settle(House& house, const std::optional<Uuid>& only) {
  Settled settled;
  std::vector<Unfinished> dead;
  for (Unfinished& unfinished : house.registry().unfinished()) {
    if (!is_about(unfinished, only)) continue;
    if (owner_lives(house, unfinished))
      settled.busy.push_back(unfinished.plan.machine);
    else
      dead.push_back(std::move(unfinished));
  }
  std::vector<Ended> ended = ended_runs(house, only, settled.busy);
  if (!may_write(house)) return settled;
  if (dead.empty() && ended.empty()) {
    tend_networks(house);
    return settled;
  }
  house.open_for_change();
  for (const Unfinished& unfinished : dead) recover_one(house, unfinished, settled);
  for (const Ended& one : ended_runs(house, only, settled.busy)) {
    try {
      collect_one(house, one, settled);
    } catch (const Conflict&) {
      settled.busy.push_back(one.uuid);  // somebody else is doing just this
    }
  }
  tend_networks(house);
  return settled;
}

}  // namespace nutshell
