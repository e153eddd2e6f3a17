// launch: the main job, from top to bottom. After each line stands what is now true.
#include <fmt/format.h>

#include "app/cloud_quota.hpp"
#include "app/cmd.hpp"
#include "app/complete.hpp"
#include "app/guard.hpp"
#include "app/lost.hpp"
#include "app/lvm_access.hpp"
#include "app/machine_options.hpp"
#include "app/machine_state.hpp"
#include "app/settle.hpp"
#include "app/start.hpp"
#include "app/wait.hpp"
#include "nutshell/plan.hpp"

namespace nutshell {
namespace {

struct NewMachine {
  MachineSpec spec;
  Facts facts;
  std::vector<std::string> warnings;
};

// Text to values, then a look at the host: every mistake is reported at once, and nothing has been
// changed.
NewMachine describe_machine(const Parsed& args, House& house) {
  NewMachine machine;
  MachineSpec& spec = machine.spec;
  spec.uuid = draw_uuid();
  spec.name = new_name(args);
  spec.origins["name"] = "the argument NAME";
  Problems problems;
  apply_type(spec, args, house.config, problems);
  apply_options(spec, args, problems);
  if (!problems.empty()) throw ConfigError(problems);
  machine.facts = observe_for_create(house, spec);
  complete_volumes(house, spec, nullptr, problems, machine.warnings);
  complete_spec(house, machine.facts, spec, problems, machine.warnings);
  if (!problems.empty()) throw ConfigError(problems);
  return machine;
}

MachineRow row_of(const MachineSpec& spec) {
  MachineRow row;
  row.uuid = spec.uuid;
  row.name = spec.name;
  row.spec = spec;
  row.created = now_utc();
  return row;
}

// A launch that was cut short may still hold the name.
void make_room(House& house, const MachineName& name) {
  const auto taken = house.registry().machine(name);
  if (taken) settle(house, taken->uuid);
}

void take_name(House& house, Transaction& transaction, const MachineSpec& spec) {
  if (const auto taken = house.registry().machine(spec.name)) {
    const Seen seen = look_at(house, taken->uuid, taken->run, taken->last_end);
    throw Conflict(
        fmt::format("there is a machine {} already ({}); choose another name, or `nutshell rm {}`",
                    to_string(spec.name), seen.words, to_string(spec.name)));
  }
  for (const MachineSpec& other : lost_machines(house))
    if (other.name == spec.name)
      throw Conflict(
          fmt::format("there is a machine {} already, which the registry has lost; `nutshell "
                      "recover` finds it again",
                      to_string(spec.name)));
  transaction.add_machine(row_of(spec));
  check_quota_of_machine(house, spec);
}

}  // namespace

Exit run_launch(const Parsed& args, House& house) {
  const std::optional<Condition> condition = parse_wait_options(args);
  NewMachine machine = describe_machine(args, house);
  MachineSpec& spec = machine.spec;
  if (condition) check_condition(spec, *condition);
  // From here the spec is complete, and the host is a value.
  const Decision decision = decide(spec, machine.facts);
  check_before_start(house, machine.facts, spec);
  const RunVolumes volumes = volumes_of_run(house, spec, Disks::about_to_be_made);
  // From here it is known that the host can do it.
  make_room(house, spec.name);
  probe_wanted_addresses(house, spec, machine.facts);
  Transaction transaction = house.registry().begin();
  take_name(house, transaction, spec);
  reserve_machine(house, transaction, spec, machine.facts);
  RunReservation reservation =
      reserve_run(house, transaction, spec, 1, machine.facts, decision.kvm);
  reservation.run.volumes = volumes.words;
  // From here MACs, addresses, display and names are ours, if we commit.
  LiveStart live = prepare_start(house, spec, decision, machine.facts, reservation);
  live.unmeasured = volumes.unmeasured;
  Plan plan = plan_of("launch", spec.uuid, OnFailure::undo,
                      steps_to_create(spec, house.paths, machine.facts.ovmf_vars));
  for (Step& step :
       steps_to_start(spec, house.paths, 1, reservation.networks, parts_of(reservation.run)))
    plan.steps.push_back(std::move(step));
  for (const std::string& warning : machine.warnings) house.reporter.warn(warning);
  for (const std::string& warning : decision.warnings) house.reporter.warn(warning);
  if (house.dry()) {
    report_dry_run(house, plan.steps, live.start.line);
    return Exit::done;
  }
  transaction.change_spec(spec.uuid, spec);
  transaction.begin_run(spec.uuid, reservation.run);
  const auto id = transaction.journal(plan, house.self.pid, house.self.start_time, house.boot_id);
  transaction.commit();
  // From here leases and plan are durable: what is killed now is undone by whoever looks next.
  execute_start(house, plan, id, live);
  // From here it runs, and needs us no more.
  live = {};
  if (condition) await(house, spec.uuid, *condition);
  report_running(house, spec.uuid);
  return Exit::done;
}

Exit run_create(const Parsed& args, House& house) {
  NewMachine machine = describe_machine(args, house);
  MachineSpec& spec = machine.spec;
  check_guard(house, spec);
  make_room(house, spec.name);
  probe_wanted_addresses(house, spec, machine.facts);
  Transaction transaction = house.registry().begin();
  take_name(house, transaction, spec);
  reserve_machine(house, transaction, spec, machine.facts);
  const Plan plan = plan_of("create", spec.uuid, OnFailure::undo,
                            steps_to_create(spec, house.paths, machine.facts.ovmf_vars));
  for (const std::string& warning : machine.warnings) house.reporter.warn(warning);
  if (house.dry()) {
    report_dry_run(house, plan.steps, {});
    return Exit::done;
  }
  transaction.change_spec(spec.uuid, spec);
  const auto id = transaction.journal(plan, house.self.pid, house.self.start_time, house.boot_id);
  transaction.commit();
  LiveStart none;
  none.start.who = to_string(spec.name);
  execute_start(house, plan, id, none);
  house.reporter.answer(
      Json::object(
          {{"name", spec.name.name}, {"cloud", spec.name.cloud}, {"uuid", spec.uuid.text}}),
      fmt::format("{} is defined; `nutshell start {}` starts it\n", to_string(spec.name),
                  to_string(spec.name)));
  return Exit::done;
}

}  // namespace nutshell
