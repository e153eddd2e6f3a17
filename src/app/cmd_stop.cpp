// stop, kill, restart, rm: the ways to an end. Pressing the button is a request; everything after
// it is a teardown that keeps going.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "app/cmd.hpp"
#include "app/complete.hpp"
#include "app/execute.hpp"
#include "app/guard.hpp"
#include "app/interrupt.hpp"
#include "app/lvm_access.hpp"
#include "app/machine_options.hpp"
#include "app/machine_state.hpp"
#include "app/qmp_access.hpp"
#include "app/settle.hpp"
#include "app/start.hpp"
#include "app/volume.hpp"
#include "app/wait.hpp"
#include "nutshell/plan.hpp"

namespace nutshell {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto button_patience = std::chrono::seconds(60);
// A guest that has not loaded its ACPI driver yet does not see the button, so it is pressed again.
constexpr auto press_every = std::chrono::seconds(4);

void finish(House& house, const Plan& plan, const std::string& who) {
  Outcome outcome;
  outcome.leftovers = run_teardown(house, plan, who);
  rethrow(outcome);
}

bool runs(const House& house, const MachineRow& row) {
  const Seen seen = look_at(house, row.uuid, row.run, row.last_end);
  return seen.state == MachineState::running || seen.state == MachineState::paused;
}

[[noreturn]] void throw_interrupted(const MachineRow& row) {
  throw Interrupted(
      fmt::format("interrupted; {} may still power off, or run on", to_string(row.name)));
}

enum class Insist { no, yes };

/// Presses the button until the guest has powered off. False when the time is up.
bool press_and_wait(House& house, const MachineRow& row, std::chrono::seconds patience,
                    Insist insist) {
  const auto deadline = Clock::now() + patience;
  auto next_press = Clock::now();
  house.reporter.step(
      fmt::format("{}: the power button is pressed; waiting for the guest", to_string(row.name)));
  while (is_alive(house, row.uuid)) {
    if (Clock::now() >= deadline) return false;
    if (Clock::now() >= next_press) {
      try {
        host::Qmp qmp = open_qmp(house, row);
        if (qmp.execute("query-status").text("status") == "paused") qmp.execute("cont");
        qmp.execute("system_powerdown");
      } catch (const Interrupted&) {
        throw_interrupted(row);
      } catch (const Error& error) {
        if (is_alive(house, row.uuid) && insist == Insist::yes) return false;
        if (is_alive(house, row.uuid))
          throw Failed(fmt::format("{}; insist with --force", error.what()));
      }
      next_press = Clock::now() + press_every;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (interrupted()) throw_interrupted(row);
  }
  return true;
}

void kill_machine(House& house, const MachineRow& row, const std::string& end) {
  finish(house,
         plan_of("kill", row.uuid, OnFailure::keep_going,
                 steps_to_kill(row.spec, house.paths, end, parts_of(row.run))),
         to_string(row.name));
}

/// The machine stands still when this returns.
void stop_machine(House& house, const MachineRow& row, const Parsed& args) {
  const std::string who = to_string(row.name);
  const auto patience = parse_timeout(args, button_patience);
  if (!press_and_wait(house, row, patience, args.has("force") ? Insist::yes : Insist::no)) {
    house.reporter.steps_over();
    if (!args.has("force"))
      throw Failed(
          fmt::format("{} did not power off in {} s and runs on; wait longer with --timeout, or "
                      "insist with --force",
                      who, patience.count()));
    house.reporter.note(fmt::format("{} did not power off; it is killed", who));
    return kill_machine(house, row, "stopped: killed when it did not power off");
  }
  house.reporter.steps_over();
  settle(house, row.uuid);
}

MachineRow find_settled(House& house, const Parsed& args) {
  const MachineRow found = find_machine(house, args.word(0, "NAME"));
  if (!house.dry()) wait_for_others(house, found.uuid, to_string(found.name));
  return settled_machine(house, found);
}

bool said_dry(House& house, const MachineRow& row, const std::string& first,
              const std::vector<Step>& steps) {
  if (!house.dry()) return false;
  Json plan = Json::array();
  std::string text;
  if (!first.empty()) {
    plan.push(Json::object({{"step", "power_button"}, {"description", first}}));
    text = first + "\n";
  }
  for (const Step& step : steps) {
    plan.push(Json::object({{"step", kind(step)}, {"description", describe(step)}}));
    text += describe(step) + "\n";
  }
  if (text.empty()) text = fmt::format("nothing to do: {} does not run\n", to_string(row.name));
  house.reporter.answer(Json::object({{"plan", plan}, {"argv", Json::array()}}), text);
  return true;
}

}  // namespace

Exit run_stop(const Parsed& args, House& house) {
  const MachineRow row = find_settled(house, args);
  const bool alive = runs(house, row);
  if (said_dry(house, row, alive ? "press the power button and wait" : "",
               alive ? steps_to_collect(row.spec, house.paths, "stopped", parts_of(row.run))
                     : std::vector<Step>{}))
    return Exit::done;
  if (!alive) {
    house.reporter.done(fmt::format("{} does not run", to_string(row.name)));
    return Exit::done;
  }
  stop_machine(house, row, args);
  house.reporter.done(fmt::format("{} is stopped", to_string(row.name)));
  return Exit::done;
}

Exit run_kill(const Parsed& args, House& house) {
  const MachineRow row = find_settled(house, args);
  const bool alive = runs(house, row);
  std::vector<Step> steps;
  if (alive) steps = steps_to_kill(row.spec, house.paths, "stopped: killed", parts_of(row.run));
  if (said_dry(house, row, "", steps)) return Exit::done;
  if (alive) kill_machine(house, row, "stopped: killed");
  house.reporter.done(
      fmt::format("{} {}", to_string(row.name), alive ? "is killed" : "does not run"));
  return Exit::done;
}

namespace {

/// What its start would refuse is refused while it still runs.
void check_start_again(House& house, const MachineRow& row) {
  check_needs(house, row.spec);
  Transaction trial = house.registry().begin();  // rolled back
  trial.end_run(row.uuid, "stopped");
  reserve_ports(trial, row.spec, Facts{});
}

}  // namespace

Exit run_restart(const Parsed& args, House& house) {
  const std::optional<BootOrder> boot = parse_boot_option(args);
  const MachineRow row = find_settled(house, args);
  if (said_dry(house, row, "press the power button, wait, and start again", {})) return Exit::done;
  if (runs(house, row)) {
    check_start_again(house, row);
    stop_machine(house, row, args);
  }
  start_machine(house, row, boot);
  report_running(house, row.uuid);
  return Exit::done;
}

namespace {

std::string paths_of(const MachineSpec& spec) {
  std::string text;
  for (const DiskSpec& disk : spec.disks)
    if (disk.ours()) text += (text.empty() ? "" : ", ") + disk.path;
  return text.empty() ? "there are none" : text;
}

}  // namespace

Exit run_rm(const Parsed& args, House& house) {
  const MachineRow row = find_settled(house, args);
  const std::string who = to_string(row.name);
  const bool alive = runs(house, row);
  if (args.has("keep-volumes") && args.has("wipe"))
    throw UsageError("--keep-volumes and --wipe contradict each other; give one");
  if (alive && !args.has("force"))
    throw Conflict(fmt::format(
        "{} is running; stop it with `nutshell stop {}`, or insist with --force", who, who));
  const Volumes volumes = args.has("keep-volumes") ? Volumes::keep
                          : args.has("wipe")       ? Volumes::wipe
                                                   : Volumes::drop;
  MachineSpec spec = row.spec;
  if (volumes != Volumes::keep) {
    const auto gone = check_droppable(house, spec, spec.disks, alive,
                                      ", or keep all volumes with --keep-volumes");
    std::erase_if(spec.disks, [&](const DiskSpec& disk) {
      return std::find(gone.begin(), gone.end(), disk.path) != gone.end();
    });
  }
  std::vector<Step> kill, removal = steps_to_remove(spec, house.paths, volumes);
  if (alive)
    kill = steps_to_kill(row.spec, house.paths, "stopped: killed by rm", parts_of(row.run));
  if (volumes == Volumes::wipe) {
    // Wiping may be ended, and then the machine stays; so it is a plan of its own, that undoes.
    if (house.dry()) {
      for (Step& step : removal) kill.push_back(std::move(step));
      said_dry(house, row, "", kill);
      return Exit::done;
    }
    if (alive) finish(house, plan_of("kill", row.uuid, OnFailure::keep_going, kill), who);
    run_volume_plan(house, "rm", who, row.uuid, std::move(removal));
  } else {
    for (Step& step : removal) kill.push_back(std::move(step));
    if (said_dry(house, row, "", kill)) return Exit::done;
    finish(house, plan_of("rm", row.uuid, OnFailure::keep_going, std::move(kill)), who);
  }
  house.reporter.done(
      fmt::format("{} is removed{}", who,
                  volumes == Volumes::keep ? "; its volumes stay: " + paths_of(row.spec) : ""));
  return Exit::done;
}

}  // namespace nutshell
