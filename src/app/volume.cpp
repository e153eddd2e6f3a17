// One list is made and every word is looked for in it, so that a name which two volumes have is
// never taken for one of them.
#include "app/volume.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/lost.hpp"
#include "app/lvm_access.hpp"
#include "app/machine_state.hpp"
#include "app/settle.hpp"
#include "app/start.hpp"
#include "host/files.hpp"
#include "nutshell/volume_rules.hpp"

namespace nutshell {
namespace {

namespace fs = std::filesystem;

void take_facts(Volume& volume, const LogicalVolumeFact& fact) {
  volume.place.path = fact.path();
  volume.place.vg = fact.vg;
  volume.place.thin = fact.pool;
  volume.place.size = fact.size;
  volume.place.active = fact.active;
  if (const std::string* tag = our_tag(fact)) volume.place.tag = *tag;
  volume.origin = fact.origin;
  volume.data_percent = fact.data_percent;
}

void add_disks(VolumeList& volumes, const MachineRow& row) {
  for (unsigned i = 0; i < row.spec.disks.size(); ++i) {
    const DiskSpec& disk = row.spec.disks[i];
    if (!disk.ours()) continue;
    Volume volume;
    volume.kind = Volume::Kind::disk;
    volume.name = fmt::format("{}:{}", to_string(row.name), i);
    volume.owner = row.uuid;
    volume.machine = row.name;
    volume.disk = i;
    volume.place = {disk.path,   disk.vg,    disk.thin, disk.on_lvm() ? machine_tag(row.uuid) : "",
                    disk.format, *disk.size, false};
    if (disk.on_lvm()) {
      const LogicalVolumeFact* fact = volumes.lvm.volume(disk.vg, disk.lv());
      if (fact && fact->has_tag(machine_tag(row.uuid))) take_facts(volume, *fact);
      volume.missing = !fact && volumes.lvm.group(disk.vg);
    } else {
      volume.missing = !host::file_exists(disk.path);
    }
    volumes.all.push_back(std::move(volume));
  }
}

bool is_snapshot(const LvmFacts& facts, const LogicalVolumeFact& fact) {
  if (fact.kind == VolumeKind::thick_snapshot) return true;
  const LogicalVolumeFact* origin = facts.volume(fact.vg, fact.origin);
  const std::string* tag = our_tag(fact);
  return origin && tag && origin->has_tag(*tag);
}

void add_logical(VolumeList& volumes, House& house) {
  for (const LogicalVolumeFact& fact : volumes.lvm.volumes) {
    const std::string* tag = our_tag(fact);
    if (!tag) continue;
    if (std::any_of(volumes.all.begin(), volumes.all.end(), [&](const Volume& known) {
          return known.place.on_lvm() && known.place.path == fact.path();
        }))
      continue;
    Volume volume;
    take_facts(volume, fact);
    const Mark mark = parse_mark(*tag).value_or(Mark{});
    volume.owner = mark.owner;
    volume.name = fact.name;
    const bool standalone = !mark.machine;
    const auto has_owner = [&](const Volume& known) {
      return known.kind == Volume::Kind::disk && known.owner == volume.owner;
    };
    const auto owned = std::find_if(volumes.all.begin(), volumes.all.end(), has_owner);
    if (standalone && mark.registry != house.registry().tag())
      volume.kind = Volume::Kind::another;
    else if (!standalone && owned == volumes.all.end())
      volume.kind = host::file_exists(house.paths.machine(volume.owner)) ? Volume::Kind::kept
                                                                         : Volume::Kind::lost;
    else
      volume.kind =
          is_snapshot(volumes.lvm, fact) ? Volume::Kind::snapshot : Volume::Kind::standalone;
    if (owned != volumes.all.end()) volume.machine = owned->machine;
    volumes.all.push_back(std::move(volume));
  }
}

void add_files(VolumeList& volumes, const House& house) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(house.paths.volumes(), error))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const bool qcow2 = name.ends_with(".qcow2");
    if (!qcow2 && !name.ends_with(".img")) continue;
    Volume volume;
    volume.kind = Volume::Kind::standalone;
    volume.name = name.substr(0, name.rfind('.'));
    volume.place.path = house.paths.volumes() + "/" + name;
    volume.place.format = qcow2 ? DiskFormat::qcow2 : DiskFormat::raw;
    try {
      volume.place.size = host::look_at_image(volume.place.path, volume.place.format).size;
    } catch (const Error&) {
      volume.missing = true;  // a link that leads nowhere, or no image at all
    }
    volumes.all.push_back(std::move(volume));
  }
}

Volume foreign_volume(const VolumeList& volumes, const std::string& path) {
  Volume volume;
  volume.name = path;
  volume.place.path = path;
  if (const auto name = parse_volume_name(path))
    if (const LogicalVolumeFact* fact = volumes.lvm.volume(name->vg, name->lv)) {
      take_facts(volume, *fact);
      return volume;
    }
  if (!host::file_exists(path))
    throw NotFound(
        fmt::format("there is no volume {}; `nutshell volume ls` lists them", printable(path)));
  volume.place.size = host::look_at_image(path, DiskFormat::raw).size;
  return volume;
}

/// "ciab:1" or "ciab", if that is how a machine is written; the number is 0 where none is.
std::optional<std::pair<std::string, unsigned>> machine_word(const std::string& word) {
  const auto colon = word.find(':');
  const std::string digits = colon == std::string::npos ? "0" : word.substr(colon + 1);
  if (digits.empty() || digits.size() > 3 ||
      digits.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  const std::string machine = word.substr(0, colon);
  const auto slash = machine.find('/');
  if (!is_name(machine.substr(slash == std::string::npos ? 0 : slash + 1))) return std::nullopt;
  if (slash != std::string::npos && !is_name(machine.substr(0, slash))) return std::nullopt;
  return std::pair{machine, static_cast<unsigned>(std::stoul(digits))};
}

void add_machine_matches(const VolumeList& volumes, House& house, const std::string& word,
                         std::vector<Volume>& found) {
  const auto typed = machine_word(word);
  if (!typed) return;
  std::optional<MachineRow> row;
  try {
    row = find_machine(house, typed->first);
  } catch (const NotFound&) {
    return;
  }
  if (!row->run) refuse_unknown_run(house, row->uuid, row->name);
  for (const Volume& volume : volumes.all)
    if (volume.kind == Volume::Kind::disk && volume.owner == row->uuid &&
        volume.disk == typed->second)
      found.push_back(volume);
  if (!found.empty() || word.find(':') == std::string::npos) return;
  throw NotFound(fmt::format("{} has no volume {}; `nutshell show {}` lists its disks",
                             to_string(row->name), typed->second, to_string(row->name)));
}

/// The number of the disk that is at `path`, or has a layer there.
std::optional<unsigned> disk_at(const MachineSpec& spec, const std::string& path) {
  const std::string real = canonical(path);
  const auto name = parse_volume_name(path);  // one that is not active has no device
  const auto same = [&](const std::string& other) {
    return other == path || canonical(other) == real || (name && parse_volume_name(other) == name);
  };
  for (unsigned i = 0; i < spec.disks.size(); ++i)
    if (same(spec.disks[i].path) ||
        std::any_of(spec.disks[i].backing.begin(), spec.disks[i].backing.end(),
                    [&](const BackingLayer& layer) { return same(layer.path); }))
      return i;
  return std::nullopt;
}

}  // namespace

VolumeList gather_volumes(House& house) {
  VolumeList volumes;
  try {
    volumes.lvm = observe_all_groups(house);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    house.reporter.warn(fmt::format("volume groups are left out: {}", error.what()));
  }
  for (const MachineRow& row : house.registry().machines()) add_disks(volumes, row);
  add_files(volumes, house);
  add_logical(volumes, house);
  return volumes;
}

Volume find_volume(const VolumeList& volumes, House& house, const std::string& word) {
  if (word.empty())
    throw UsageError("the name of a volume is empty; `nutshell volume ls` lists them");
  const bool path = word.starts_with('/') || word.starts_with("./") || word.starts_with("../");
  std::vector<Volume> found;
  if (!path) add_machine_matches(volumes, house, word, found);
  const auto name = parse_volume_name(path ? absolute(word) : word);
  const std::string full = path ? absolute(word) : "";
  for (const Volume& volume : volumes.all) {
    const bool same_path =
        path && (volume.place.path == full ||
                 (!volume.missing && canonical(volume.place.path) == canonical(full)));
    const bool same_lv = name && volume.place.vg == name->vg && volume.place.lv() == name->lv;
    const bool same_name = volume.kind != Volume::Kind::disk &&
                           volume.kind != Volume::Kind::another && volume.name == word;
    if ((same_path || same_lv || same_name) &&
        std::none_of(found.begin(), found.end(),
                     [&](const Volume& other) { return other.place.path == volume.place.path; }))
      found.push_back(volume);
  }
  if (found.size() == 1) return found.front();
  if (found.size() > 1) {
    std::string paths;
    for (const Volume& volume : found) paths += (paths.empty() ? "" : ", ") + volume.place.path;
    throw Conflict(fmt::format("several volumes are called {}: {}; give the path of one",
                               printable(word), paths));
  }
  if (path) return foreign_volume(volumes, full);
  if (name && volumes.lvm.volume(name->vg, name->lv))
    return foreign_volume(volumes, fmt::format("/dev/{}/{}", name->vg, name->lv));
  std::vector<std::string> known;
  for (const Volume& volume : volumes.all)
    if (volume.kind != Volume::Kind::another) known.push_back(volume.name);
  const auto meant = nearest(word, known);
  throw NotFound(fmt::format(
      "there is no volume {}{}", printable(word),
      meant ? fmt::format("; did you mean {}?", *meant) : "; `nutshell volume ls` lists them"));
}

std::vector<VolumeUser> users_of(House& house, const std::string& path) {
  std::vector<VolumeUser> users;
  for (const MachineRow& row : house.registry().machines())
    if (const auto disk = disk_at(row.spec, path)) users.push_back({row, *disk});
  return users;
}

void refuse_lost_user(House& house, const Volume& volume) {
  refuse_beside_unreadable(house, "a machine that uses " + printable(volume.name));
  for (const MachineSpec& spec : lost_machines(house))
    if (disk_at(spec, volume.place.path))
      throw Conflict(fmt::format(
          "{} is a disk of {}, which the registry has lost; run `nutshell recover` first",
          printable(volume.name), to_string(spec.name)));
}

void refuse_running(House& house, const Volume& volume, const std::string& what) {
  for (const VolumeUser& user : users_of(house, volume.place.path))
    if (is_alive(house, user.row.uuid))
      throw Conflict(fmt::format("{} runs and uses {}; stop it before {}", to_string(user.row.name),
                                 printable(volume.name), what));
}

void refuse_foreign(const Volume& volume, const std::string& what) {
  if (volume.kind == Volume::Kind::foreign)
    throw Conflict(fmt::format("{} is no volume of nutshell's{}, and is never {}",
                               printable(volume.name),
                               volume.place.on_lvm() ? " (it carries no mark)" : "", what));
  if (volume.kind == Volume::Kind::another)
    throw Conflict(
        fmt::format("{}/{} belongs to another registry of this host (its mark is {}), and is not "
                    "{}; use the root directory that made it",
                    volume.place.vg, volume.place.lv(), printable(volume.place.tag), what));
  if (volume.kind == Volume::Kind::kept)
    throw Conflict(
        fmt::format("{}/{} was kept when its machine was removed, and is not {}; `nutshell gc "
                    "--volumes` deletes all that was kept, and any machine may use it by "
                    "path=/dev/{}/{}",
                    volume.place.vg, volume.place.lv(), what, volume.place.vg, volume.place.lv()));
  if (volume.kind == Volume::Kind::lost)
    throw Conflict(fmt::format(
        "{}/{} carries the mark of a machine that this registry does not know ({}), and is not {}; "
        "`nutshell recover` or `nutshell gc` may know more",
        volume.place.vg, volume.place.lv(), volume.owner.text, what));
}

void run_volume_plan(House& house, const std::string& verb, const std::string& who, const Uuid& id,
                     std::vector<Step> steps, OnFailure on_failure) {
  const Plan plan = plan_of(verb, id, on_failure, std::move(steps));
  if (house.dry()) return report_dry_run(house, plan.steps, {});
  wait_for_others(house, id, who);
  Transaction transaction = house.registry().begin();
  check_alone(house, id, who);
  const auto journal =
      transaction.journal(plan, house.self.pid, house.self.start_time, house.boot_id);
  transaction.commit();
  LiveStart none;
  none.start.who = who;
  execute_start(house, plan, journal, none);
}

}  // namespace nutshell
