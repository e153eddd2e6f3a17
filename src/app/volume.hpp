// Volumes as commands know them: the disks of machines, standalone ones, and snapshots, gathered
// from the specs, from the marks in the volume groups, and from the folder of volume files.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "app/house.hpp"
#include "nutshell/plan.hpp"
#include "nutshell/volumes.hpp"

namespace nutshell {

struct Volume {
  enum class Kind {
    disk,        ///< of a machine, made for it
    standalone,  ///< made by `volume create`, `clone` or `import`
    snapshot,    ///< of one of the others
    kept,        ///< of a machine that `rm --keep-volumes` took away: its folder is still here
    lost,        ///< a logical volume with the mark of a machine that this registry does not know
    another,     ///< of another registry of this host, by its mark
    foreign,     ///< not ours: a path, or a logical volume without a mark
  };
  Kind kind = Kind::foreign;
  std::string name;  ///< what commands take: "ciab:0", NAME, "VG/LV", or the path
  VolumePlace place;
  std::string origin;  ///< of a snapshot or a thin clone: the logical volume that it was made of
  Uuid owner;          ///< the machine's; of a standalone one on LVM its own
  std::optional<MachineName> machine;
  unsigned disk = 0;     ///< which of the machine's
  bool missing = false;  ///< a machine's disk that is not there
  std::optional<double> data_percent;
};

struct VolumeList {
  LvmFacts lvm;
  std::vector<Volume> all;
};

/// All of ours. Where LVM cannot be asked, its volumes are missing and a warning says so.
VolumeList gather_volumes(House& house);

/// The volume that a word means: a path, VG/LV, the name of a standalone one, or MACHINE[:N]
/// (`volume` commands first settle what was cut short). Throws NotFound with what was probably
/// meant, Conflict when several have the name.
Volume find_volume(const VolumeList& volumes, House& house, const std::string& word);

/// Machines whose spec names the path, as their own disk or by path=, with the number of the disk.
struct VolumeUser {
  MachineRow row;
  unsigned disk = 0;
};
std::vector<VolumeUser> users_of(House& house, const std::string& path);
/// Throws Conflict when a machine that the registry has lost has that volume, as users_of() has it
/// of the others.
void refuse_lost_user(House& house, const Volume& volume);

/// Throws Conflict when a machine that uses the volume runs, naming what else could be done.
void refuse_running(House& house, const Volume& volume, const std::string& what);
/// Throws Conflict when the volume is none that we may change.
void refuse_foreign(const Volume& volume, const std::string& what);

/// Journals a plan about a volume and executes it; in a dry run it is printed. `id` is the
/// machine's or the volume's.
void run_volume_plan(House& house, const std::string& verb, const std::string& who, const Uuid& id,
                     std::vector<Step> steps, OnFailure on_failure = OnFailure::undo);

}  // namespace nutshell
