// Each rule is one that LVM or a guest would meet later with a worse sentence, or in the middle of
// something. What a person could do about it stands in the sentence.
#include "nutshell/volume_rules.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "nutshell/error.hpp"

namespace nutshell {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + printable(word);
  return text;
}

std::string word_of(const VolumeName& name) { return printable(name.vg + "/" + name.lv); }

std::string percent(double value) { return fmt::format("{:.1f} %", value); }

}  // namespace

std::string machine_volume(const MachineName& name, unsigned number) {
  return fmt::format("vm.{}.{}.{}", name.cloud, name.name, number);
}

std::string next_machine_volume(const MachineName& name, const std::string& vg,
                                const LvmFacts& facts, const std::vector<std::string>& taken) {
  for (unsigned number = 0;; ++number) {
    std::string candidate = machine_volume(name, number);
    if (!facts.volume(vg, candidate) &&
        std::find(taken.begin(), taken.end(), candidate) == taken.end())
      return candidate;
  }
}

Bytes whole_extents(Bytes size, const VolumeGroupFact& group) {
  if (group.extent == 0) return size;
  return (size / group.extent + (size % group.extent != 0)) * group.extent;
}

const VolumeGroupFact& usable_group(const LvmFacts& facts, const std::string& vg) {
  const VolumeGroupFact* group = facts.group(vg);
  if (!group) {
    std::vector<std::string> names;
    for (const VolumeGroupFact& other : facts.groups) names.push_back(other.name);
    throw NotFound(
        fmt::format("there is no volume group {}; {}", printable(vg),
                    names.empty() ? "this host shows none" : "this host shows " + joined(names)));
  }
  if (group->ambiguous)
    throw Conflict(fmt::format(
        "two volume groups are called {} (one may be a guest's, on a disk that this host sees); "
        "`vgs -o vg_name,vg_uuid,pv_name` shows both, `vgrename UUID NAME` renames one",
        vg));
  if (group->partial) {
    std::vector<std::string> lost;
    for (const PhysicalVolumeFact& pv : group->physical_volumes)
      if (pv.missing) lost.push_back(pv.uuid.empty() ? pv.device : pv.uuid);
    throw Conflict(fmt::format(
        "volume group {} lacks a physical volume ({}); bring that disk back, or give it up with "
        "`vgreduce --removemissing {}`",
        vg, lost.empty() ? "unknown" : joined(lost), vg));
  }
  if (group->exported)
    throw Conflict(fmt::format(
        "volume group {} is exported, for another host to take; `vgimport {}` takes it back", vg,
        vg));
  return *group;
}

std::optional<Shortage> find_shortage(const VolumeGroupFact& group,
                                      const std::vector<Bytes>& sizes) {
  Shortage shortage{group.name, 0, group.free};
  for (const Bytes size : sizes) {
    const Bytes whole = whole_extents(size, group);
    if (whole < size || shortage.needed + whole < whole)  // beyond all numbers
      return Shortage{group.name, ~Bytes{0} >> 1, group.free};
    shortage.needed += whole;
  }
  if (shortage.needed <= shortage.free) return std::nullopt;
  return shortage;
}

std::string shortage_words(const Shortage& shortage, const std::string& spare_device) {
  const std::string cure =
      spare_device.empty()
          ? "remove something from it, or add a disk to it (this host has none to spare)"
          : fmt::format("`vgextend {} {}` would add that unused device", shortage.vg,
                        printable(spare_device));
  return fmt::format("volume group {} has {} free, and {} is needed; {}", shortage.vg,
                     format_size(shortage.free), format_size(shortage.needed), cure);
}

const LogicalVolumeFact& usable_pool(const LvmFacts& facts, const VolumeName& pool,
                                     unsigned limit) {
  const LogicalVolumeFact* found = facts.volume(pool.vg, pool.lv);
  std::vector<std::string> pools;
  for (const LogicalVolumeFact& volume : facts.volumes)
    if (volume.vg == pool.vg && volume.kind == VolumeKind::thin_pool) pools.push_back(volume.name);
  const std::string known = pools.empty()
                                ? fmt::format(
                                      "it has none; `lvcreate --type thin-pool -L SIZE -n {} {}` "
                                      "makes one, or leave thin= out",
                                      printable(pool.lv), pool.vg)
                                : "it has " + joined(pools);
  if (!found)
    throw NotFound(
        fmt::format("volume group {} has no thin pool {}: {}", pool.vg, printable(pool.lv), known));
  if (found->kind != VolumeKind::thin_pool)
    throw Conflict(fmt::format("{} is a volume and no thin pool; of volume group {}: {}",
                               word_of(pool), pool.vg, known));
  if (found->broken)
    throw Conflict(fmt::format("thin pool {} is damaged; `lvconvert --repair {}` may repair it",
                               word_of(pool), word_of(pool)));
  const auto refuse = [&](const char* what, const std::optional<double>& value,
                          const std::string& cure) {
    if (!value || *value <= limit) return;
    throw Conflict(fmt::format(
        "thin pool {} is {} full of {}, past its limit of {} %: a full pool stops its guests; {}, "
        "or raise thin_limit in nutshell.toml",
        word_of(pool), percent(*value), what, limit, cure));
  };
  refuse("data", found->data_percent,
         fmt::format("enlarge it with `lvextend -L +SIZE {}`", word_of(pool)));
  refuse("metadata", found->metadata_percent,
         fmt::format("enlarge that with `lvextend --poolmetadatasize +SIZE {}`", word_of(pool)));
  return *found;
}

std::optional<std::string> overcommit_warning(const LvmFacts& facts, const LogicalVolumeFact& pool,
                                              Bytes more) {
  Bytes promised = more;
  for (const LogicalVolumeFact& volume : facts.volumes)
    if (volume.vg == pool.vg && volume.kind == VolumeKind::thin && volume.pool == pool.name)
      promised += volume.size;
  if (promised <= pool.size) return std::nullopt;
  return fmt::format(
      "thin pool {}/{} has {} and its volumes may grow to {} together; watch it with `nutshell "
      "doctor`, a guest that finds it full is paused",
      pool.vg, pool.name, format_size_roughly(pool.size), format_size_roughly(promised));
}

const LogicalVolumeFact& usable_volume(const LvmFacts& facts, const VolumeName& name,
                                       unsigned limit) {
  usable_group(facts, name.vg);
  const LogicalVolumeFact* volume = facts.volume(name.vg, name.lv);
  if (!volume)
    throw NotFound(
        fmt::format("there is no logical volume {}; if it was removed by hand, its content is gone",
                    word_of(name)));
  if (volume->kind == VolumeKind::thin_pool || volume->kind == VolumeKind::other)
    throw Conflict(
        fmt::format("{} is {} and no disk; name a volume", word_of(name),
                    volume->kind == VolumeKind::thin_pool ? "a thin pool" : "a part of LVM's own"));
  if (volume->broken)
    throw Conflict(
        fmt::format("{} cannot be read: {}", word_of(name),
                    volume->kind == VolumeKind::thick_snapshot
                        ? "as a snapshot it has overflowed, and only removing it is left"
                        : "LVM shows it as damaged; `lvs -a -o +lv_health_status` says how"));
  if (!volume->pool.empty()) usable_pool(facts, {name.vg, volume->pool}, limit);
  return *volume;
}

const LogicalVolumeFact& own_volume(const LvmFacts& facts, const VolumeName& name, unsigned limit) {
  const LogicalVolumeFact& volume = usable_volume(facts, name, limit);
  if (!our_tag(volume))
    throw Conflict(fmt::format(
        "{} carries no mark of nutshell's, and is never changed; use lvm itself", word_of(name)));
  return volume;
}

std::vector<std::string> snapshots_of(const LvmFacts& facts, const VolumeName& name) {
  const LogicalVolumeFact* origin = facts.volume(name.vg, name.lv);
  const std::string* tag = origin ? our_tag(*origin) : nullptr;
  std::vector<std::string> names;
  for (const LogicalVolumeFact& volume : facts.volumes) {
    if (volume.vg != name.vg || volume.origin != name.lv) continue;
    if (volume.kind == VolumeKind::thick_snapshot || (tag && volume.has_tag(*tag)))
      names.push_back(volume.name);
  }
  return names;
}

}  // namespace nutshell
