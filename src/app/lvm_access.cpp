// The facts are read once for each group; the rules that they are held against are core's
// (volume_rules). A name is chosen here, and made ours by the lease that follows.
#include "app/lvm_access.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "app/volume.hpp"
#include "host/lvm_holders.hpp"
#include "host/tool.hpp"
#include "nutshell/volume_rules.hpp"

namespace nutshell {
namespace {

void add_once(std::vector<std::string>& words, const std::string& word) {
  if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
}

bool is_new(const DiskSpec& disk, const MachineSpec* before) {
  if (disk.path.empty() || !before) return true;
  return std::none_of(before->disks.begin(), before->disks.end(),
                      [&](const DiskSpec& old) { return old.path == disk.path; });
}

void take_default_group(const House& house, DiskSpec& disk) {
  const Config& config = house.config;
  if (!disk.ours() || !disk.path.empty() || disk.file || config.vg.empty()) return;
  if (!disk.vg.empty() || disk.format != DiskFormat::raw) return;  // qcow2 is always a file
  disk.vg = config.vg;
  if (disk.thin.empty()) disk.thin = config.thin;
}

// A path may lead to a logical volume that is not active, and so is no file yet.
std::optional<VolumeName> logical_volume_at(const std::string& path) {
  const auto name = parse_volume_name(path);
  if (!name || !path.starts_with('/')) return std::nullopt;
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return name;
  if (!S_ISBLK(status.st_mode)) return std::nullopt;
  const std::string real = canonical(path);
  return real.starts_with("/dev/dm-") || real.starts_with("/dev/mapper/") ? name : std::nullopt;
}

void find_named_volume(House& house, DiskSpec& disk) {
  const auto name = logical_volume_at(disk.path);
  if (!name) return;
  LvmFacts facts;
  try {
    facts = observe_groups(house, {name->vg});
  } catch (const NotFound&) {
    return;  // no such group: it is a plain path, and whoever looks at it says what is wrong
  }
  usable_volume(facts, *name, house.config.thin_limit);
  disk.vg = name->vg;
  disk.path = fmt::format("/dev/{}/{}", name->vg, name->lv);
}

// Names and sizes; what is asked of each group is summed up before anything is decided.
class Placement {
 public:
  Placement(House& house, const LvmFacts& facts) : house_(house), facts_(facts) {}

  void place(const MachineName& name, DiskSpec& disk) {
    const VolumeGroupFact& group = usable_group(facts_, disk.vg);
    disk.size = whole_extents(*disk.size, group);
    if (disk.path.empty()) {
      const std::string lv = next_machine_volume(name, disk.vg, facts_, taken_);
      taken_.push_back(lv);
      disk.path = fmt::format("/dev/{}/{}", disk.vg, lv);
    }
    if (disk.thin.empty())
      thick_[disk.vg].push_back(*disk.size);
    else
      thin_[{disk.vg, disk.thin}] += *disk.size;
  }

  void check_room(std::vector<std::string>& warnings) {
    for (const auto& [vg, sizes] : thick_)
      if (const auto shortage = find_shortage(usable_group(facts_, vg), sizes))
        throw Conflict(shortage_words(
            *shortage,
            host::spare_device(shortage->needed - std::min(shortage->needed, shortage->free))));
    for (const auto& [pool, size] : thin_) {
      const LogicalVolumeFact& found =
          usable_pool(facts_, {pool.first, pool.second}, house_.config.thin_limit);
      if (auto warning = overcommit_warning(facts_, found, size))
        warnings.push_back(*std::move(warning));
    }
  }

 private:
  House& house_;
  const LvmFacts& facts_;
  std::vector<std::string> taken_;
  std::map<std::string, std::vector<Bytes>> thick_;
  std::map<std::pair<std::string, std::string>, Bytes> thin_;
};

bool is_strangers(House& house, const LogicalVolumeFact& volume) {
  const std::string* tag = our_tag(volume);
  const auto mark = tag ? parse_mark(*tag) : std::nullopt;
  return !mark || (!mark->machine && mark->registry != house.registry().tag());
}

/// Why a volume of that machine cannot be removed; "": it can.
std::string held_words(House& house, const Uuid& machine, const LvmFacts& facts,
                       const LogicalVolumeFact& volume, bool running) {
  const VolumeName name{volume.vg, volume.name};
  if (!volume.has_tag(machine_tag(machine)))
    return fmt::format(
        "{} does not carry the mark of its machine, and is not removed without it; if it is the "
        "machine's, `lvchange --addtag {} {}/{}` marks it again",
        volume.path(), machine_tag(machine), name.vg, name.lv);
  for (const VolumeUser& user : users_of(house, volume.path()))
    if (user.row.uuid != machine)
      return fmt::format("{} is disk {} of {}, too; `nutshell set {} --drop-disk {}` first",
                         volume.path(), user.disk, to_string(user.row.name),
                         to_string(user.row.name), user.disk);
  if (const auto snapshots = snapshots_of(facts, name); !snapshots.empty()) {
    std::string names;
    for (const std::string& each : snapshots) names += (names.empty() ? "" : ", ") + each;
    return fmt::format("{} has snapshots ({}); remove them first with `nutshell volume rm {}/{}`",
                       volume.path(), names, name.vg, snapshots.front());
  }
  if (running || house.dry()) return "";
  try {
    // What the host has merely found inside goes with it; what somebody uses does not.
    host::drop_holders(name);
    host::refuse_when_used(name);
  } catch (const Conflict& error) {
    return error.what();
  }
  return "";
}

}  // namespace

host::LvmPlace lvm_place(House& house) {
  host::LvmPlace place;
  if (!house.dry()) place.cache = house.paths.cache;
  // Only the specs that name a device are parsed.
  for (const MachineSummary& row : house.registry().summaries()) {
    if (row.spec_json.find("\"path\":\"/dev/") == std::string::npos) continue;
    for (const DiskSpec& disk : spec_from_json(Json::parse(row.spec_json)).disks)
      if (!disk.on_lvm() && disk.path.starts_with("/dev/"))
        add_once(place.guests_devices, disk.path);
  }
  return place;
}

void need_root_for_lvm(const House& house, const std::string& what) {
  if (house.root) return;
  throw Conflict(
      fmt::format("{} is on LVM, which needs root; run it as root, or use a file", what));
}

LvmFacts observe_groups(House& house, const std::vector<std::string>& vgs) {
  LvmFacts all;
  const host::LvmPlace place = lvm_place(house);
  for (const std::string& vg : vgs) {
    LvmFacts one = host::observe_group(place, vg);
    std::move(one.groups.begin(), one.groups.end(), std::back_inserter(all.groups));
    std::move(one.volumes.begin(), one.volumes.end(), std::back_inserter(all.volumes));
  }
  return all;
}

LvmFacts observe_all_groups(House& house) {
  if (!house.root || !host::find_program("lvm")) return {};
  return host::observe_lvm(lvm_place(house));
}

void complete_volumes(House& house, MachineSpec& spec, const MachineSpec* before,
                      Problems& problems, std::vector<std::string>& warnings) {
  std::vector<std::string> groups;
  for (DiskSpec& disk : spec.disks) {
    if (!is_new(disk, before)) continue;
    take_default_group(house, disk);
    if (disk.ours() && !disk.thin.empty() && disk.vg.empty()) continue;  // check() says it
    if (disk.ours() && disk.on_lvm())
      add_once(groups, disk.vg);
    else if (!disk.ours() && house.root)
      find_named_volume(house, disk);
  }
  if (groups.empty()) return;
  if (!house.root) {
    problems.push_back({"--disk", fmt::format("the volume group {} needs root; add file=on for a "
                                              "file, or run it as root",
                                              printable(groups.front()))});
    return;
  }
  // A name that cannot be one is check()'s to say.
  if (std::any_of(groups.begin(), groups.end(), [](const std::string& vg) {
        return !volume_name_fault({vg, "x"}).empty();
      }))
    return;
  const LvmFacts facts = observe_groups(house, groups);
  Placement placement(house, facts);
  for (DiskSpec& disk : spec.disks)
    if (disk.ours() && disk.on_lvm() && is_new(disk, before)) placement.place(spec.name, disk);
  placement.check_room(warnings);
}

RunVolumes volumes_of_run(House& house, const MachineSpec& spec, Disks disks) {
  const bool made = disks == Disks::about_to_be_made;
  RunVolumes run;
  VolumeWords& words = run.words;
  std::vector<std::string> groups;
  for (const DiskSpec& disk : spec.disks) {
    if (!disk.on_lvm()) continue;
    if (made && disk.ours())
      words.push_back(disk.vg + "/" + disk.lv());
    else
      add_once(groups, disk.vg);
  }
  if (groups.empty()) return run;
  need_root_for_lvm(house, "a disk of " + to_string(spec.name));
  const LvmFacts facts = observe_groups(house, groups);
  for (const DiskSpec& disk : spec.disks) {
    if (!disk.on_lvm() || (made && disk.ours())) continue;
    const VolumeName name{disk.vg, disk.lv()};
    const LogicalVolumeFact& volume = usable_volume(facts, name, house.config.thin_limit);
    if (disk.ours() && !volume.has_tag(machine_tag(spec.uuid)))
      throw Conflict(fmt::format(
          "{}: {}/{} is not the volume that was made for it (its mark is missing); give the "
          "machine another disk with `nutshell set`",
          to_string(spec.name), name.vg, name.lv));
    if (is_strangers(house, volume) && volume.active) continue;
    words.push_back(disk.vg + "/" + disk.lv());
    const LogicalVolumeFact* pool = facts.volume(disk.vg, volume.pool);
    if (pool && !pool->data_percent) run.unmeasured.push_back(words.back());
  }
  return run;
}

std::vector<std::string> check_droppable(House& house, const MachineSpec& spec,
                                         const std::vector<DiskSpec>& disks, bool running,
                                         const std::string& otherwise) {
  const std::string who = to_string(spec.name);
  std::vector<std::string> groups, gone;
  for (const DiskSpec& disk : disks)
    if (disk.ours() && disk.on_lvm()) add_once(groups, disk.vg);
  if (groups.empty()) return gone;
  need_root_for_lvm(house, "a disk of " + who);
  LvmFacts facts;
  try {
    facts = observe_groups(house, groups);
    for (const std::string& vg : groups) usable_group(facts, vg);
  } catch (const NotFound& error) {
    throw Conflict(fmt::format("{}: {}{}", who, error.what(), otherwise));
  } catch (const Conflict& error) {
    throw Conflict(fmt::format("{}: {}{}", who, error.what(), otherwise));
  }
  for (const DiskSpec& disk : disks) {
    if (!disk.ours() || !disk.on_lvm()) continue;
    const LogicalVolumeFact* volume = facts.volume(disk.vg, disk.lv());
    if (!volume)
      gone.push_back(disk.path);
    else if (const std::string held = held_words(house, spec.uuid, facts, *volume, running);
             !held.empty())
      throw Conflict(fmt::format("{}: {}{}", who, held, otherwise));
  }
  return gone;
}

}  // namespace nutshell
