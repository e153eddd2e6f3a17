// What may be done with logical volumes, decided from what LVM shows: names, room, thin pools, and
// whose a volume is. Pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "nutshell/values.hpp"
#include "nutshell/volumes.hpp"

namespace nutshell {

/// The name of a machine's logical volume: "vm.CLOUD.NAME.N". A part of a machine's name has no
/// dot, so two clouds never meet, and it never begins as the names that LVM keeps for itself do
/// (snapshot, pvmove).
std::string machine_volume(const MachineName& name, unsigned number);
/// The first of them that is neither in the group nor among `taken` (names that are about to be
/// made).
std::string next_machine_volume(const MachineName& name, const std::string& vg,
                                const LvmFacts& facts, const std::vector<std::string>& taken);
/// The size in whole extents of the group.
Bytes whole_extents(Bytes size, const VolumeGroupFact& group);

/// Throws NotFound when there is no such group (naming those that there are), Conflict when a
/// physical volume of it is missing or it is exported.
const VolumeGroupFact& usable_group(const LvmFacts& facts, const std::string& vg);

struct Shortage {
  std::string vg;
  Bytes needed = 0, free = 0;
};
/// Whether thick volumes of these sizes have room in the group; nullopt: they do.
std::optional<Shortage> find_shortage(const VolumeGroupFact& group,
                                      const std::vector<Bytes>& sizes);
/// One sentence: how much is free and needed, and `vgextend` with the spare device, if there is
/// one.
std::string shortage_words(const Shortage& shortage, const std::string& spare_device);

/// Throws NotFound when the group has no such volume (naming its pools), Conflict when it is no
/// thin pool, or is fuller than `limit` percent (data or metadata).
const LogicalVolumeFact& usable_pool(const LvmFacts& facts, const VolumeName& pool, unsigned limit);
/// A warning when all thin volumes of the pool, and `more` bytes, together are larger than it is.
std::optional<std::string> overcommit_warning(const LvmFacts& facts, const LogicalVolumeFact& pool,
                                              Bytes more);

/// Throws NotFound when the volume is not there (removed by hand), Conflict when it is broken or a
/// thin pool. Of a thin volume its pool is checked, too.
const LogicalVolumeFact& usable_volume(const LvmFacts& facts, const VolumeName& name,
                                       unsigned limit);
/// The same, and it must carry a mark of ours: throws Conflict for a stranger's.
const LogicalVolumeFact& own_volume(const LvmFacts& facts, const VolumeName& name, unsigned limit);
/// The snapshots that go or stay with a volume: those with its own mark, and every thick one,
/// whoever made it.
std::vector<std::string> snapshots_of(const LvmFacts& facts, const VolumeName& name);

}  // namespace nutshell
