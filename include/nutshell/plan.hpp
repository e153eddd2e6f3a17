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

/// Logical volumes as a run keeps them: "VG/LV".
using VolumeWords = std::vector<std::string>;

/// A new disk of ours: the file, or the logical volume whose first MiB is wiped before a guest sees
/// it, left inactive.
std::vector<Step> steps_to_make_disk(const DiskSpec& disk, const Uuid& machine);
/// Takes a disk of ours away.
Step step_to_drop_disk(const DiskSpec& disk, const Uuid& machine);
/// What a machine needs before its first start: its row, folders, volumes, variables, and its spec
/// beside them.
std::vector<Step> steps_to_create(const MachineSpec& spec, const Paths& paths,
                                  const std::string& ovmf_vars_template);
/// What a run has beside its leases: the logical volumes that it activates, the name of each NIC's
/// link (empty: none), of which a macvtap outlives QEMU, and what the firewall knows of its NICs
/// (as in RunRecord; empty: nothing).
struct RunParts {
  VolumeWords volumes{};
  std::vector<std::string> links{};
  std::string guests{};
};
/// Those of a run that is recorded; nothing without one.
RunParts parts_of(const std::optional<RunRecord>& run);
/// One run: its leases, its folder, its networks, the logical volumes that it activates, its
/// macvtap links, QEMU in prelaunch, its firewall rules, and `cont`.
std::vector<Step> steps_to_start(const MachineSpec& spec, const Paths& paths, unsigned boot,
                                 const std::vector<EnsureNetwork>& networks,
                                 const RunParts& parts = {});
/// What is taken back when a run is over. `end` is kept as how it ended ("stopped", "crashed:
/// ...").
std::vector<Step> steps_to_collect(const MachineSpec& spec, const Paths& paths,
                                   const std::string& end, const RunParts& parts = {});
/// The same for a run that is ended at once.
std::vector<Step> steps_to_kill(const MachineSpec& spec, const Paths& paths, const std::string& end,
                                const RunParts& parts = {});
enum class Volumes { drop, wipe, keep };
/// What `rm` gives back of a machine that does not run. With Volumes::wipe all of each volume is
/// zeroed first, and the list is a plan that undoes: what was not wiped is not removed.
std::vector<Step> steps_to_remove(const MachineSpec& spec, const Paths& paths, Volumes volumes);

/// A volume as plans of one volume see it: a logical volume, or a file.
struct VolumePlace {
  std::string path;
  std::string vg;    ///< empty: a file
  std::string thin;  ///< its thin pool; empty: thick
  std::string tag;   ///< our mark on it
  DiskFormat format = DiskFormat::raw;
  Bytes size = 0;
  bool active = false;  ///< a logical volume that is active, and stays so
  bool operator==(const VolumePlace&) const = default;
  [[nodiscard]] bool on_lvm() const { return !vg.empty(); }
  [[nodiscard]] std::string lv() const { return path.substr(path.rfind('/') + 1); }
};
/// The guest that stands still for the moment of a snapshot.
struct GuestHold {
  Uuid machine;
  bool freeze = false;
};
enum class Wipe { no, yes };

/// `volume create`: as a machine's disk is made.
std::vector<Step> steps_to_make_volume(const VolumePlace& volume);
/// `volume rm`. With Wipe::yes a plan that undoes until all is zeroed.
std::vector<Step> steps_to_drop_volume(const VolumePlace& volume, Wipe wipe, const Uuid& id);
/// `volume snapshot`: `name` is the new logical volume's, in the origin's group.
std::vector<Step> steps_to_snapshot(const VolumePlace& origin, const std::string& name,
                                    const std::optional<GuestHold>& hold);
/// `volume restore`: the origin has the snapshot's content, and the size that it has now (a thin
/// one that has grown since would have the snapshot's). A plan that is finished, never undone.
std::vector<Step> steps_to_restore(const VolumePlace& snapshot, const VolumePlace& origin);
/// `volume clone`. A thin volume at once; of a thick one with a guest on it, from a snapshot named
/// `momentary` that goes again; else by copying.
std::vector<Step> steps_to_clone(const VolumePlace& origin, const VolumePlace& copy,
                                 const std::optional<GuestHold>& hold, const std::string& momentary,
                                 const Uuid& id);
/// `volume import`.
std::vector<Step> steps_to_import(const std::string& image, const std::string& image_format,
                                  const VolumePlace& volume);
/// A machine's disk that grows: the changed spec is committed with the plan.
struct Growth {
  const MachineSpec& before;
  const MachineSpec& after;
  unsigned disk = 0;
  VolumePlace volume;  ///< as it is now
  bool running = false;
};
std::vector<Step> steps_to_grow_disk(const Growth& growth, const Paths& paths);

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
