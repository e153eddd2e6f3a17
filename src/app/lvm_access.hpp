// LVM as commands use it: where it may look, what it shows of the groups that are needed, and what
// a machine's disks need of it. Nothing here is called for a machine without logical volumes.
#pragma once
#include <string>
#include <vector>

#include "app/house.hpp"
#include "host/lvm.hpp"
#include "nutshell/plan.hpp"
#include "nutshell/volumes.hpp"

namespace nutshell {

/// How lvm is called by this command: guests' devices are never scanned, a dry run keeps no note.
host::LvmPlace lvm_place(House& house);
/// These groups, each once. Throws NotFound naming the groups that there are.
LvmFacts observe_groups(House& house, const std::vector<std::string>& vgs);
/// Everything that LVM shows; nothing for ordinary users and where lvm is not installed.
LvmFacts observe_all_groups(House& house);
/// Throws Conflict where it is not root who asks; `what` is what needs it.
void need_root_for_lvm(const House& house, const std::string& what);

/// Puts new disks on LVM where the spec or the config says so: names, whole extents, room, thin
/// pools; and finds out which disks that exist are logical volumes. Disks that `before` has are
/// left alone. Mistakes of the user go to `problems`; what the groups cannot give is thrown.
void complete_volumes(House& house, MachineSpec& spec, const MachineSpec* before,
                      Problems& problems, std::vector<std::string>& warnings);

struct RunVolumes {
  VolumeWords words;       ///< "VG/LV" of each that is activated
  VolumeWords unmeasured;  ///< those in a thin pool that is not active yet: how full it is, is seen
                           ///< when they are
};
enum class Disks { there, about_to_be_made };
/// The logical volumes that a run of that machine activates. Those of ours always; a stranger's
/// only where it is not active anyway. Throws what
/// forbids the start: a volume that is gone, a group with a missing disk, a pool that is full.
RunVolumes volumes_of_run(House& house, const MachineSpec& spec, Disks disks);

/// Before disks of a machine are taken away: throws Conflict naming what holds a logical volume
/// (its group, a missing mark, snapshots, another machine; of one that does not run a mount, too)
/// and the way out. `otherwise` is what else the user can do, or empty. Returns the paths of those
/// that are gone already.
std::vector<std::string> check_droppable(House& house, const MachineSpec& spec,
                                         const std::vector<DiskSpec>& disks, bool running,
                                         const std::string& otherwise);

}  // namespace nutshell
