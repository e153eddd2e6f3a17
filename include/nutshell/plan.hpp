// Plans: what a command will do, as a list of steps, from values alone. Pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "nutshell/paths.hpp"
#include "nutshell/registry.hpp"
#include "nutshell/spec.hpp"
#include "nutshell/step.hpp"

namespace nutshell {

/// What a machine needs before its first start: its row, folders, volumes, variables, and its spec
/// beside them.
std::vector<Step> steps_to_create(const MachineSpec& spec, const Paths& paths,
                                  const std::string& ovmf_vars_template);
/// One run: its leases, its folder, its networks, QEMU in prelaunch, and `cont`.
std::vector<Step> steps_to_start(const MachineSpec& spec, const Paths& paths, unsigned boot,
                                 const std::vector<EnsureNetwork>& networks);
/// What is taken back when a run is over. `end` is kept as how it ended ("stopped", "crashed:
/// ...").
std::vector<Step> steps_to_collect(const MachineSpec& spec, const Paths& paths,
                                   const std::string& end);
/// The same for a run that is ended at once.
std::vector<Step> steps_to_kill(const MachineSpec& spec, const Paths& paths,
                                const std::string& end);
enum class Volumes { drop, keep };
/// What `rm` gives back of a machine that does not run.
std::vector<Step> steps_to_remove(const MachineSpec& spec, const Paths& paths, Volumes volumes);

Plan plan_of(const std::string& verb, const Uuid& machine, OnFailure on_failure,
             std::vector<Step> steps);

/// True for the steps whose effect is committed together with the plan, before its first step: they
/// are undone however early the plan failed.
bool is_held(const Step& step);
/// What to do with a plan whose owner is gone. A plan that undoes is undone: each step that was
/// done, and the one that was begun (its drop takes "already gone" for done), in reverse. A
/// teardown is finished: every step that is not done, in order.
Plan plan_recover(const Unfinished& unfinished);

}  // namespace nutshell
