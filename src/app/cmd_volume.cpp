// volume ls, create, rm, resize: volumes one by one, whoever uses them.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "app/change.hpp"
#include "app/cloud_quota.hpp"
#include "app/cmd.hpp"
#include "app/lvm_access.hpp"
#include "app/machine_state.hpp"
#include "app/settle.hpp"
#include "app/start.hpp"
#include "app/volume.hpp"
#include "app/volume_new.hpp"
#include "host/in_use.hpp"
#include "nutshell/volume_rules.hpp"

namespace nutshell {
namespace {

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json volume_json(const Volume& volume) {
  const VolumePlace& place = volume.place;
  return Json::object(
      {{"name", volume.name},
       {"path", place.path},
       {"size", place.size},
       {"vg", text_or_null(place.vg)},
       {"machine", volume.machine ? Json(to_string(*volume.machine)) : Json()},
       {"disk", volume.kind == Volume::Kind::disk ? Json(volume.disk) : Json()},
       {"format", to_string(place.format)},
       {"thin_pool", text_or_null(place.thin)},
       {"origin", text_or_null(volume.origin)},
       {"snapshot", volume.kind == Volume::Kind::snapshot},
       {"active", place.active},
       {"missing", volume.missing},
       {"data_percent", volume.data_percent ? Json(*volume.data_percent) : Json()}});
}

std::string notes_on(const Volume& volume) {
  if (volume.missing) return "missing";
  if (volume.kind == Volume::Kind::kept) return "kept by rm; `nutshell gc --volumes` deletes it";
  if (volume.kind == Volume::Kind::lost) return "of a machine that this registry does not know";
  std::string words;
  if (volume.kind == Volume::Kind::snapshot) words = "snapshot of " + volume.origin;
  if (volume.kind == Volume::Kind::standalone && !volume.origin.empty())
    words = "clone of " + volume.origin;
  if (!volume.place.thin.empty())
    words += (words.empty() ? "" : ", ") + fmt::format("thin in {}", volume.place.thin);
  return words;
}

std::string snapshots_words(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + printable(name);
  return text;
}

/// "+10G" or "20G"; what is no growth is refused with the reason.
Bytes new_size(const std::string& text, const Volume& volume) {
  const Bytes now = volume.place.size;
  const bool more = text.starts_with("+");
  const Bytes given = parse_size(more ? text.substr(1) : text, "SIZE");
  if (more && now + given > (~Bytes{0} >> 1))
    throw ConfigError("SIZE", fmt::format("{} more than {} is beyond all sizes", format_size(given),
                                          format_size(now)));
  const Bytes size = more ? now + given : given;
  if (size < now)
    throw ConfigError(
        "SIZE", fmt::format("{} has {}, and is never made smaller: what its guest keeps at the end "
                            "would be lost; copy what is needed to a new volume",
                            printable(volume.name), format_size(now)));
  return size;
}

void check_growth(House& house, const VolumeList& volumes, const Volume& volume, Bytes& size) {
  if (!volume.place.on_lvm()) return;
  const VolumeName name{volume.place.vg, volume.place.lv()};
  own_volume(volumes.lvm, name, house.config.thin_limit);
  const VolumeGroupFact& group = usable_group(volumes.lvm, name.vg);
  size = whole_extents(size, group);
  const Bytes more = size - volume.place.size;
  if (!volume.place.thin.empty()) {
    const LogicalVolumeFact& pool =
        usable_pool(volumes.lvm, {name.vg, volume.place.thin}, house.config.thin_limit);
    if (const auto warning = overcommit_warning(volumes.lvm, pool, more))
      house.reporter.warn(*warning);
  } else if (const auto shortage = find_shortage(group, {more})) {
    throw Conflict(shortage_words(*shortage, host::spare_device(more)));
  }
}

void grow_machine_disk(House& house, const Volume& volume, Bytes size) {
  const auto row = house.registry().machine(volume.owner);
  if (!row) throw NotFound(fmt::format("{} was removed meanwhile", volume.name));
  const std::string who = to_string(row->name);
  if (!house.dry()) wait_for_others(house, row->uuid, who);
  MachineSpec after = row->spec;
  after.disks[volume.disk].size = size;
  const bool running = is_alive(house, row->uuid);
  const Growth growth{row->spec, after, volume.disk, volume.place, running};
  const Plan plan =
      plan_of("volume resize", row->uuid, OnFailure::undo, steps_to_grow_disk(growth, house.paths));
  if (house.dry()) {
    refuse_over_quota_of_change(house, row->spec, after);
    return report_dry_run(house, plan.steps, {});
  }
  Transaction transaction = house.registry().begin();
  check_alone(house, row->uuid, who);
  check_unchanged(house, *row);
  refuse_over_quota_of_change(house, row->spec, after);
  transaction.change_spec(row->uuid, after);
  const auto id = transaction.journal(plan, house.self.pid, house.self.start_time, house.boot_id);
  transaction.commit();
  LiveStart none;
  none.start.who = who;
  execute_start(house, plan, id, none);
}

void grow_standalone(House& house, const Volume& volume, Bytes size) {
  const VolumePlace& place = volume.place;
  std::vector<Step> tell;
  bool running = false;
  for (const VolumeUser& user : users_of(house, place.path)) {
    if (!is_alive(house, user.row.uuid)) continue;
    running = true;
    tell.push_back(TellGuest{user.row.uuid, user.disk, size});
  }
  if (running && place.format == DiskFormat::qcow2)
    throw Conflict(
        fmt::format("a machine that runs has {} open; stop it first, a qcow2 image is "
                    "not enlarged under it",
                    printable(volume.name)));
  const Uuid id = volume.owner.text.empty() ? draw_uuid() : volume.owner;
  std::vector<Step> steps{
      ResizeVolume{place.path, place.vg, place.tag, place.format, place.size, size}};
  steps.push_back(Commit{id});
  for (Step& step : tell) steps.push_back(std::move(step));
  run_volume_plan(house, "volume resize", volume.name, id, std::move(steps));
}

}  // namespace

Exit run_volume_ls(const Parsed&, House& house) {
  settle(house);
  JsonList list("volumes");
  Table table{{"NAME", "SIZE", "PATH", "MACHINE", "NOTE"}, {}};
  for (const Volume& volume : gather_volumes(house).all) {
    if (volume.kind == Volume::Kind::another) continue;
    if (house.reporter.json()) {
      list.push(volume_json(volume));
      continue;
    }
    const std::string notes = notes_on(volume);
    table.rows.push_back({printable(volume.name), format_size(volume.place.size),
                          printable(volume.place.path),
                          volume.machine ? to_string(*volume.machine) : "-",
                          notes.empty() ? "-" : printable(notes)});
  }
  if (table.rows.empty() && !house.reporter.json()) {
    house.reporter.note("no volumes yet; `nutshell volume create NAME --size SIZE` makes one");
    return Exit::done;
  }
  house.reporter.answer(list, table);
  return Exit::done;
}

Exit run_volume_create(const Parsed& args, House& house) {
  const std::string& name = args.word(0, "NAME");
  if (!args.has("size")) throw UsageError("`nutshell volume create` wants --size SIZE");
  const Bytes size = size_option(args, "size");
  const NewVolumeChoice choice = parse_new_volume(args, house);
  settle(house);
  const NewStandalone made = place_new_volume(house, gather_volumes(house), name, size, choice);
  run_volume_plan(house, "volume create", name, made.id, steps_to_make_volume(made.place));
  if (!house.dry())
    house.reporter.answer(
        Json::object({{"name", name}, {"path", made.place.path}, {"size", made.place.size}}),
        fmt::format("volume {} is made; a machine uses it by --disk path={}{}\n", name,
                    made.place.path,
                    made.place.format == DiskFormat::qcow2 ? ",format=qcow2" : ""));
  return Exit::done;
}

Exit run_volume_rm(const Parsed& args, House& house) {
  settle(house);
  const VolumeList volumes = gather_volumes(house);
  const Volume volume = find_volume(volumes, house, args.word(0, "VOLUME"));
  const std::string who = printable(volume.name);
  refuse_foreign(volume, "removed");
  refuse_lost_user(house, volume);
  if (volume.kind == Volume::Kind::disk)
    throw Conflict(
        fmt::format("{} is disk {} of {}; `nutshell set {} --drop-disk {}` takes it "
                    "away, or `nutshell rm {}` with the machine",
                    who, volume.disk, to_string(*volume.machine), to_string(*volume.machine),
                    volume.disk, to_string(*volume.machine)));
  for (const VolumeUser& user : users_of(house, volume.place.path))
    throw Conflict(fmt::format("{} is disk {} of {}; `nutshell set {} --drop-disk {}` first", who,
                               user.disk, to_string(user.row.name), to_string(user.row.name),
                               user.disk));
  if (volume.place.on_lvm()) {
    const auto snapshots = snapshots_of(volumes.lvm, {volume.place.vg, volume.place.lv()});
    if (!snapshots.empty())
      throw Conflict(
          fmt::format("{} has snapshots ({}); remove them first with `nutshell volume rm "
                      "{}`",
                      who, snapshots_words(snapshots), printable(snapshots.front())));
  }
  if (!volume.place.on_lvm())
    if (const auto holder = host::disk_holder(volume.place.path, false))
      throw Conflict(fmt::format("{} is in use: {}; end that first", who, *holder));
  const Uuid id = volume.owner.text.empty() ? draw_uuid() : volume.owner;
  const Wipe wipe = args.has("wipe") ? Wipe::yes : Wipe::no;
  std::vector<Step> steps;
  VolumePlace place = volume.place;
  // What somebody has mounted is refused here; what the host has merely found inside (a guest's
  // volume group, say) is deactivated with it.
  if (volume.kind != Volume::Kind::snapshot && std::exchange(place.active, false))
    steps.push_back(DeactivateVolume{place.vg, place.lv()});
  for (Step& step : steps_to_drop_volume(place, wipe, id)) steps.push_back(std::move(step));
  run_volume_plan(house, "volume rm", who, id, std::move(steps));
  if (!house.dry())
    house.reporter.done(
        fmt::format("volume {} is {}removed", who, wipe == Wipe::yes ? "zeroed and " : ""));
  return Exit::done;
}

Exit run_volume_resize(const Parsed& args, House& house) {
  settle(house);
  const VolumeList volumes = gather_volumes(house);
  const Volume volume = find_volume(volumes, house, args.word(0, "VOLUME"));
  const std::string who = printable(volume.name);
  refuse_foreign(volume, "resized");
  refuse_lost_user(house, volume);
  if (volume.kind == Volume::Kind::snapshot)
    throw Conflict(
        fmt::format("{} is a snapshot, which stays as it is; clone it, and resize the "
                    "clone",
                    who));
  Bytes size = new_size(args.word(1, "SIZE"), volume);
  check_growth(house, volumes, volume, size);
  if (size == volume.place.size) {
    house.reporter.done(fmt::format("{} has {} already", who, format_size(size)));
    return Exit::done;
  }
  if (!volume.origin.empty() || !volume.place.on_lvm()) {
    // Nothing more to ask: files grow at their end, thin volumes by their number alone.
  } else if (const auto snapshots = snapshots_of(volumes.lvm, {volume.place.vg, volume.place.lv()});
             !snapshots.empty() && volume.place.thin.empty()) {
    throw Conflict(
        fmt::format("{} has the snapshots {}, and lvm enlarges no thick volume under "
                    "its snapshots; remove them first",
                    who, snapshots_words(snapshots)));
  }
  if (volume.kind == Volume::Kind::disk)
    grow_machine_disk(house, volume, size);
  else
    grow_standalone(house, volume, size);
  if (!house.dry())
    house.reporter.done(fmt::format(
        "{} has {} now; its guest grows its partitions and file systems", who, format_size(size)));
  return Exit::done;
}

}  // namespace nutshell
