// A trial is a start up to where the host would be changed. Those that are restarted give first
// what they have, so that one can take what another gives.
#include "app/cloud_trial.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "app/guard.hpp"
#include "app/reserve.hpp"
#include "app/start.hpp"
#include "host/observe.hpp"

namespace nutshell {
namespace {

/// While it lives, displays are looked at and not bound: those that are restarted have them still.
class Looking {
 public:
  explicit Looking(House& house)
      : house_(house), was_(std::exchange(house.options.dry_run, true)) {}
  Looking(const Looking&) = delete;
  Looking& operator=(const Looking&) = delete;
  ~Looking() { house_.options.dry_run = was_; }

 private:
  House& house_;
  bool was_;
};

bool is_touched(const MachineWork& machine) {
  return machine.restarts || machine.action != MachineWork::Action::nothing;
}

MachineSpec spec_to_start(const MachineWork& machine) {
  MachineRow row;
  if (machine.row) row = *machine.row;
  if (machine.action != MachineWork::Action::nothing) row.spec = machine.spec;
  return spec_of_next_run(row);
}

}  // namespace

std::string line_of(const MachineWork& machine, const std::string& what) {
  const Origins& origins = machine.wanted->wish.origins;
  std::vector<std::string> keys{"nic.0", "name"};
  for (const auto& [word, key] : {std::pair{"port ", "publish"},
                                  {"--publish", "publish"},
                                  {"--vnc", "vnc"},
                                  {"display ", "vnc"}})
    if (what.find(word) != what.npos)
      keys.insert(keys.begin(), {std::string(key), std::string(key) + ".0"});
  for (const std::string& key : keys)
    if (const auto at = origins.find(key); at != origins.end()) return at->second;
  return to_string(machine.spec.name);
}

void at_its_line(const MachineWork& machine, const std::function<void()>& work) {
  const auto told = [&](const Error& error) {
    return fmt::format("{}: {}", line_of(machine, error.what()), error.what());
  };
  try {
    work();
  } catch (const Interrupted&) {
    throw;
  } catch (const ConfigError& error) {
    throw ConfigError(line_of(machine, error.what()), error.what());
  } catch (const Conflict& error) {
    throw Conflict(told(error));
  } catch (const Error& error) {
    throw Error(error.exit(), told(error));
  }
}

void forget_display(Facts& facts, const RunRecord& run) {
  if (!run.display) return;
  std::erase_if(facts.ports,
                [&](const PortFact& fact) { return fact.port == 5900U + *run.display; });
}

bool asks_of_host(const MachineSpec& spec) {
  return !spec.publish.empty() || !spec.groups.empty() || spec.vnc.mode == VncMode::fixed ||
         spec.vnc.password || spec.accel == Accel::kvm || spec.nested == Nested::on;
}

std::vector<MachineLine> try_starts(House& house, Transaction& transaction, const CloudWork& work,
                                    Tried tried) {
  std::vector<MachineLine> lines;
  Facts facts = work.facts;
  if (!facts.qemu) throw Failed(facts.qemu_trouble);
  const bool names_display =
      std::any_of(work.machines.begin(), work.machines.end(), [](const MachineWork& machine) {
        return machine.starts && machine.spec.vnc.mode == VncMode::fixed;
      });
  if (!house.dry() && names_display) facts.ports = observe_parts(house, host::part::ports).ports;
  const Looking looking(house);
  for (const MachineWork& machine : work.machines) {
    if (!machine.row || !machine.row->run) continue;
    if (machine.starts) transaction.end_run(machine.row->uuid, "stopped");
    if (machine.starts || !machine.wanted) forget_display(facts, *machine.row->run);
  }
  for (const MachineWork& machine : work.machines) {
    if (!machine.starts || (tried == Tried::touched && !is_touched(machine))) continue;
    at_its_line(machine, [&] {
      const MachineSpec spec = spec_to_start(machine);
      if (!spec.groups.empty() || !spec.publish.empty()) check_guard(house, spec);
      const Decision decision = decide(spec, facts);
      const unsigned boot = machine.row ? machine.row->boots + 1 : 1;
      RunReservation reservation = reserve_run(house, transaction, spec, boot, facts, decision.kvm);
      lines.push_back({machine.name,
                       prepare_start(house, spec, decision, facts, reservation).start.line.argv()});
    });
  }
  return lines;
}

}  // namespace nutshell
