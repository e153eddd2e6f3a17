// The plans of the main job. Each is a list that a person can read; what undoes it is in step.cpp.
#include "nutshell/plan.hpp"

#include <algorithm>

#include "core/plan_parts.hpp"
#include "nutshell/facts.hpp"

namespace nutshell {
namespace {

/// The step for a volume that is written "VG/LV".
template <class S>
Step with_volume(const std::string& word) {
  const auto slash = word.find('/');
  return S{word.substr(0, slash), word.substr(slash + 1)};
}

/// The macvtap links of a run, by the names that the run has for its NICs.
std::vector<MakeMacvtap> macvtaps_of(const MachineSpec& spec, const RunParts& parts) {
  std::vector<MakeMacvtap> links;
  for (std::size_t i = 0; i < spec.nics.size() && i < parts.links.size(); ++i) {
    const NicSpec& nic = spec.nics[i];
    if (nic.kind != NicKind::macvtap || parts.links[i].empty()) continue;
    links.push_back({parts.links[i], nic.uplink, nic.macvtap_mode, nic.mac.value_or(Mac{}),
                     tap_mark(spec.name, static_cast<unsigned>(i)), nic.mtu});
  }
  return links;
}

}  // namespace

Plan plan_of(const std::string& verb, const Uuid& machine, OnFailure on_failure,
             std::vector<Step> steps) {
  return {verb, machine, on_failure, std::move(steps)};
}

std::vector<Step> steps_to_create(const MachineSpec& spec, const Paths& paths,
                                  const std::string& ovmf_vars_template) {
  std::vector<Step> steps;
  steps.push_back(HoldMachine{spec.uuid, to_string(spec.name)});
  steps.push_back(MakeDirectory{paths.machine(spec.uuid)});
  steps.push_back(WriteFile{paths.lock(spec.uuid), ""});
  steps.push_back(MakeDirectory{paths.log_dir(spec.uuid)});
  for (const DiskSpec& disk : spec.disks)
    if (disk.ours()) append(steps, steps_to_make_disk(disk, spec.uuid));
  if (spec.firmware == Firmware::uefi)
    steps.push_back(CopyFile{ovmf_vars_template, spec.firmware_vars});
  if (spec.vnc.password)
    steps.push_back(MakeSecret{paths.vnc_password(spec.uuid), spec.vnc.password_file});
  steps.push_back(WriteFile{paths.spec_file(spec.uuid), to_json(spec).dump(true) + "\n"});
  return steps;
}

RunParts parts_of(const std::optional<RunRecord>& run) {
  return run ? RunParts{run->volumes, run->taps, run->guests} : RunParts{};
}

std::vector<Step> steps_to_start(const MachineSpec& spec, const Paths& paths, unsigned boot,
                                 const std::vector<EnsureNetwork>& networks,
                                 const RunParts& parts) {
  std::vector<Step> steps;
  steps.push_back(HoldRun{spec.uuid});
  steps.push_back(MakeDirectory{paths.run_dir(spec.uuid)});
  for (const std::string& word : parts.volumes) steps.push_back(with_volume<ActivateVolume>(word));
  for (const EnsureNetwork& network : networks) steps.push_back(network);
  for (const MakeMacvtap& link : macvtaps_of(spec, parts)) steps.push_back(link);
  steps.push_back(StartQemu{spec.uuid, boot});
  // Its taps are there, and its guest stands still until Continue: no frame goes by before the
  // rules, which are put in while QEMU gets ready.
  if (!parts.guests.empty()) steps.push_back(GuardMachine{spec.uuid, parts.guests});
  steps.push_back(Continue{spec.uuid});
  return steps;
}

std::vector<Step> steps_to_collect(const MachineSpec& spec, const Paths& paths,
                                   const std::string& end, const RunParts& parts) {
  std::vector<Step> steps{DropDirectory{paths.run_dir(spec.uuid)}};
  // While the run is in the registry, its links' names, ports and addresses are nobody else's, and
  // its volumes are known to be active.
  for (const MakeMacvtap& link : macvtaps_of(spec, parts))
    steps.push_back(DropMacvtap{link.link, link.mark, link.mac});
  if (!parts.guests.empty()) steps.push_back(UnguardMachine{spec.uuid, parts.guests});
  for (const std::string& word : parts.volumes)
    steps.push_back(with_volume<DeactivateVolume>(word));
  steps.push_back(FreeRun{spec.uuid, end});
  // After the run is over in the registry: of several that end at once, the last one then sees that
  // it is the last.
  for (const NicSpec& nic : spec.nics) {
    if (nic.kind != NicKind::network) continue;
    const Step leave = LeaveNetwork{spec.uuid, nic.network};
    if (std::find(steps.begin(), steps.end(), leave) == steps.end()) steps.push_back(leave);
  }
  return steps;
}

std::vector<Step> steps_to_kill(const MachineSpec& spec, const Paths& paths, const std::string& end,
                                const RunParts& parts) {
  std::vector<Step> steps{StopQemu{spec.uuid}};
  append(steps, steps_to_collect(spec, paths, end, parts));
  return steps;
}

std::vector<Step> steps_to_remove(const MachineSpec& spec, const Paths& paths, Volumes volumes) {
  std::vector<Step> steps;
  bool kept = false;
  if (volumes == Volumes::wipe) {
    for (const DiskSpec& disk : spec.disks)
      if (disk.ours()) append(steps, steps_to_wipe(disk.path, disk.vg));
    steps.push_back(Commit{spec.uuid});
  }
  for (const DiskSpec& disk : spec.disks) {
    if (!disk.ours()) continue;
    if (volumes != Volumes::keep) steps.push_back(step_to_drop_disk(disk, spec.uuid));
    kept = kept || volumes == Volumes::keep;
  }
  steps.push_back(DropDirectory{paths.log_dir(spec.uuid)});
  // A folder that still holds volumes stays, without the spec: nobody may take it for a machine.
  if (kept)
    steps.push_back(DropFile{paths.spec_file(spec.uuid)});
  else
    steps.push_back(DropDirectory{paths.machine(spec.uuid)});
  steps.push_back(ForgetMachine{spec.uuid, to_string(spec.name)});
  return steps;
}

bool is_held(const Step& step) {
  return std::holds_alternative<HoldMachine>(step) || std::holds_alternative<HoldRun>(step) ||
         std::holds_alternative<HoldSpec>(step);
}

Plan plan_recover(const Unfinished& unfinished) {
  Plan plan{"recover", unfinished.plan.machine, OnFailure::keep_going, {}};
  const std::vector<Step>& steps = unfinished.plan.steps;
  const auto state_of = [&](std::size_t i) {
    return i < unfinished.steps.size() ? unfinished.steps[i] : Unfinished::State::untouched;
  };
  const auto is_done = [&](std::size_t i) { return state_of(i) == Unfinished::State::done; };
  std::size_t forward_from = unfinished.plan.on_failure == OnFailure::keep_going ? 0 : steps.size();
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (std::holds_alternative<Commit>(steps[i]) && is_done(i))
      forward_from = std::min(forward_from, i);
  // The last step done: only the closing line is missing.
  const bool forward = forward_from < steps.size() || steps.empty() || is_done(steps.size() - 1);
  if (forward) {
    for (std::size_t i = forward_from; i < steps.size(); ++i)
      if (!is_done(i)) plan.steps.push_back(steps[i]);
    return plan;
  }
  for (std::size_t i = steps.size(); i-- > 0;) {
    // What was committed together with the plan is held even if no step was begun.
    const bool held = is_held(steps[i]);
    if (state_of(i) == Unfinished::State::undone ||
        (!held && state_of(i) == Unfinished::State::untouched))
      continue;
    if (auto back = inverse(steps[i])) plan.steps.push_back(*std::move(back));
  }
  return plan;
}

}  // namespace nutshell
