// The plans of volumes: how one is made, filled, copied, grown and taken away, alone or as a
// machine's disk. What a guest could lose stands before a commit, or after it, never in between.
#include <utility>

#include "core/plan_parts.hpp"
#include "nutshell/plan.hpp"
#include "nutshell/volumes.hpp"

namespace nutshell {
namespace {

// Where boot sectors, partition tables and signatures are: a guest may not meet those of whoever
// had these extents before.
constexpr Bytes wiped_at_birth = mebi;

VolumePlace place_of(const DiskSpec& disk, const Uuid& machine) {
  return {disk.path, disk.vg, disk.thin, machine_tag(machine), disk.format, disk.size.value_or(0),
          false};
}

Step make(const VolumePlace& volume) {
  if (!volume.on_lvm()) return MakeVolume{volume.path, volume.size, volume.format, {}};
  return MakeLogicalVolume{volume.vg, volume.lv(), volume.size, volume.thin, volume.tag};
}

Step drop(const VolumePlace& volume) {
  if (!volume.on_lvm()) return DropVolume{volume.path};
  return DropLogicalVolume{volume.vg, volume.lv(), volume.tag};
}

/// Puts `inner` between activating and deactivating what is not active anyway.
std::vector<Step> while_active(const std::vector<VolumePlace>& volumes, std::vector<Step> inner) {
  std::vector<Step> steps;
  for (const VolumePlace& volume : volumes)
    if (volume.on_lvm() && !volume.active) steps.push_back(ActivateVolume{volume.vg, volume.lv()});
  append(steps, std::move(inner));
  for (std::size_t i = volumes.size(); i-- > 0;)
    if (volumes[i].on_lvm() && !volumes[i].active)
      steps.push_back(DeactivateVolume{volumes[i].vg, volumes[i].lv()});
  return steps;
}

std::string word_of(DiskFormat format) { return to_string(format); }

}  // namespace

void append(std::vector<Step>& steps, std::vector<Step> more) {
  for (Step& step : more) steps.push_back(std::move(step));
}

std::vector<Step> steps_to_wipe(const std::string& path, const std::string& vg) {
  VolumePlace volume;
  volume.path = path;
  volume.vg = vg;
  return while_active({volume}, {WipeVolume{path, 0}});
}

std::vector<Step> steps_to_make_disk(const DiskSpec& disk, const Uuid& machine) {
  if (disk.on_lvm()) return steps_to_make_volume(place_of(disk, machine));
  return {MakeVolume{disk.path, *disk.size, disk.format, disk.backing}};
}

Step step_to_drop_disk(const DiskSpec& disk, const Uuid& machine) {
  return drop(place_of(disk, machine));
}

std::vector<Step> steps_to_make_volume(const VolumePlace& volume) {
  std::vector<Step> steps{make(volume)};
  if (volume.on_lvm())
    append(steps, while_active({volume}, {WipeVolume{volume.path, wiped_at_birth}}));
  return steps;
}

std::vector<Step> steps_to_drop_volume(const VolumePlace& volume, Wipe wipe, const Uuid& id) {
  std::vector<Step> steps;
  if (wipe == Wipe::yes) {
    append(steps, while_active({volume}, {WipeVolume{volume.path, 0}}));
    steps.push_back(Commit{id});
  }
  steps.push_back(drop(volume));
  return steps;
}

std::vector<Step> steps_to_snapshot(const VolumePlace& origin, const std::string& name,
                                    const std::optional<GuestHold>& hold) {
  std::vector<Step> steps;
  if (hold) steps.push_back(HoldGuest{hold->machine, hold->freeze});
  steps.push_back(SnapshotVolume{origin.vg, origin.lv(), name, origin.tag});
  if (hold) steps.push_back(LetGuest{hold->machine, hold->freeze});
  // A thin pool shows how full it is only while one of its volumes is active.
  if (!origin.thin.empty()) return while_active({origin}, std::move(steps));
  return steps;
}

std::vector<Step> steps_to_restore(const VolumePlace& snapshot, const VolumePlace& origin) {
  std::vector<Step> steps{RestoreVolume{snapshot.vg, snapshot.lv(), snapshot.tag}};
  if (!origin.thin.empty() && snapshot.size < origin.size)
    steps.push_back(ResizeVolume{origin.path, origin.vg, snapshot.tag, origin.format, snapshot.size,
                                 origin.size});
  return steps;
}

std::vector<Step> steps_to_clone(const VolumePlace& origin, const VolumePlace& copy,
                                 const std::optional<GuestHold>& hold, const std::string& momentary,
                                 const Uuid& id) {
  if (origin.on_lvm() && !origin.thin.empty()) {
    VolumePlace marked = origin;
    marked.tag = copy.tag;
    return steps_to_snapshot(marked, copy.lv(), hold);
  }
  VolumePlace source = origin;
  std::vector<Step> steps{make(copy)};
  if (hold) {
    append(steps, steps_to_snapshot(origin, momentary, hold));
    source.path = origin.path.substr(0, origin.path.rfind('/') + 1) + momentary;
    source.active = true;  // a snapshot is active as its origin is, which the guest uses
  }
  append(steps, while_active({copy, source}, {FillVolume{source.path, word_of(source.format),
                                                         copy.path, copy.format}}));
  if (hold) {
    steps.push_back(Commit{id});
    steps.push_back(drop(source));
  }
  return steps;
}

std::vector<Step> steps_to_import(const std::string& image, const std::string& image_format,
                                  const VolumePlace& volume) {
  std::vector<Step> steps = steps_to_make_volume(volume);
  // Still active after the wipe of its beginning: it is filled before it is put away.
  const bool logical = volume.on_lvm();
  if (logical) steps.pop_back();
  steps.push_back(FillVolume{image, image_format, volume.path, volume.format});
  if (logical) steps.push_back(DeactivateVolume{volume.vg, volume.lv()});
  return steps;
}

std::vector<Step> steps_to_grow_disk(const Growth& growth, const Paths& paths) {
  const Uuid& uuid = growth.before.uuid;
  const VolumePlace& now = growth.volume;
  const Bytes size = growth.after.disks[growth.disk].size.value_or(now.size);
  std::vector<Step> steps{HoldSpec{uuid, to_json(growth.before).dump()}};
  // An open qcow2 is QEMU's alone to change: telling the guest is what enlarges it.
  if (!growth.running || now.format == DiskFormat::raw)
    steps.push_back(ResizeVolume{now.path, now.vg, now.tag, now.format, now.size, size});
  steps.push_back(WriteFile{paths.spec_file(uuid), to_json(growth.after).dump(true) + "\n"});
  // A guest that may have seen the new size keeps it.
  steps.push_back(Commit{uuid});
  if (growth.running) steps.push_back(TellGuest{uuid, growth.disk, size});
  return steps;
}

}  // namespace nutshell
