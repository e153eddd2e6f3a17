// LVM as values: what `lvm` reports of volume groups and logical volumes, what we call our own, and
// what may be asked of a group. Pure; host/lvm reads and changes the real thing.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nutshell/values.hpp"

namespace nutshell {

struct PhysicalVolumeFact {
  std::string device;  ///< "/dev/sdb"; "[unknown]" where it is missing
  std::string uuid;
  Bytes size = 0, free = 0;
  bool missing = false;
};

struct VolumeGroupFact {
  std::string name, uuid;
  Bytes extent = 0, size = 0, free = 0;
  bool partial = false;   ///< a physical volume is missing
  bool exported = false;  ///< vgexport(8): for another host
  /// Another group has the same name (a guest's, that this host sees?): the volumes of both are
  /// left out, and nothing is done with either.
  bool ambiguous = false;
  std::vector<PhysicalVolumeFact> physical_volumes;
};

enum class VolumeKind { thick, thin, thin_pool, thick_snapshot, other };

struct LogicalVolumeFact {
  std::string vg, name, uuid;
  Bytes size = 0;
  VolumeKind kind = VolumeKind::thick;
  std::string pool;    ///< of a thin volume: its pool
  std::string origin;  ///< of a snapshot (thick, or thin): what it is of; empty: none
  /// LVM has forgotten what the thin snapshot is of (a merge of another does that); its name and
  /// mark say it.
  bool origin_by_name = false;
  std::vector<std::string> tags;
  bool active = false, open = false;
  bool skips_activation = false;  ///< lvchange --setactivationskip y
  bool broken = false;            ///< a thick snapshot that overflowed, or a volume on a missing PV
  std::optional<double>
      data_percent;  ///< thin pool, thin volume, thick snapshot: 0 to 100; where active
  std::optional<double> metadata_percent;  ///< thin pool

  [[nodiscard]] std::string path() const { return "/dev/" + vg + "/" + name; }
  [[nodiscard]] bool has_tag(std::string_view tag) const;
};

/// Everything that was read of one or several groups.
struct LvmFacts {
  std::vector<VolumeGroupFact> groups;
  std::vector<LogicalVolumeFact> volumes;
  [[nodiscard]] const VolumeGroupFact* group(std::string_view name) const;
  [[nodiscard]] const LogicalVolumeFact* volume(std::string_view vg, std::string_view name) const;
};

/// Gives thin snapshots back the origin that LVM has forgotten: a volume ORIGIN.SNAP with the mark
/// of a volume ORIGIN in the same thin pool is a snapshot of it. Whoever reads facts calls it once.
void complete_origins(LvmFacts& facts);

/// Our marks, as LVM tags: of a machine's disk or snapshot, and of a volume that belongs to no
/// machine, with the tag of the registry that made it (Registry::tag()).
std::string machine_tag(const Uuid& machine);  ///< "nutshell.machine=UUID"
std::string volume_tag(const Uuid& volume,
                       std::string_view registry);  ///< "nutshell.volume=UUID/REGISTRY"
/// What a mark says.
struct Mark {
  bool machine = false;  ///< of a machine's disk; else of a volume by itself
  Uuid owner;
  std::string registry;  ///< of a volume by itself: whose it is
  bool operator==(const Mark&) const = default;
};
/// nullopt: the tag is no mark of nutshell's.
std::optional<Mark> parse_mark(std::string_view tag);
/// The first tag of ours; nullptr: a stranger's volume, which is never changed.
const std::string* our_tag(const LogicalVolumeFact& volume);

/// VG and LV of a path "/dev/VG/LV", "/dev/mapper/VG-LV" (hyphens doubled, as device-mapper writes
/// them) or the word "VG/LV"; nullopt when it is none of these.
struct VolumeName {
  std::string vg, lv;
  bool operator==(const VolumeName&) const = default;
};
std::optional<VolumeName> parse_volume_name(std::string_view text);
/// Why a name cannot be that of a volume group or logical volume (lvm(8), VALID NAMES); "" when it
/// can. Length is that of the device-mapper name, at most 127 bytes with every hyphen doubled.
std::string volume_name_fault(const VolumeName& name);

}  // namespace nutshell
