// volume snapshot, restore, clone, import: one content in two places.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "app/cmd.hpp"
#include "app/complete.hpp"
#include "app/guest_hold.hpp"
#include "app/lvm_access.hpp"
#include "app/machine_state.hpp"
#include "app/settle.hpp"
#include "app/volume.hpp"
#include "app/volume_new.hpp"
#include "host/in_use.hpp"
#include "nutshell/volume_rules.hpp"

namespace nutshell {
namespace {

/// The guest on the volume, if one runs: it is held for the moment of the snapshot.
std::optional<GuestHold> hold_of_user(House& house, const Volume& volume) {
  for (const VolumeUser& user : users_of(house, volume.place.path))
    if (auto hold = hold_for_snapshot(house, user.row)) return hold;
  return std::nullopt;
}

bool used_by_running(House& house, const Volume& volume) {
  for (const VolumeUser& user : users_of(house, volume.place.path))
    if (is_alive(house, user.row.uuid)) return true;
  return false;
}

const Uuid& journal_id(const Volume& volume, const Uuid& otherwise) {
  return volume.owner.text.empty() ? otherwise : volume.owner;
}

void refuse_url(const std::string& image) {
  const auto scheme = image.find("://");
  if (scheme == std::string::npos) return;
  throw ConfigError("IMAGE", fmt::format("'{}' is a URL, and nothing is fetched from the network; "
                                         "download it first, check its checksum, and import the "
                                         "file",
                                         printable(image)));
}

}  // namespace

Exit run_volume_snapshot(const Parsed& args, House& house) {
  settle(house);
  const VolumeList volumes = gather_volumes(house);
  const Volume volume = find_volume(volumes, house, args.word(0, "VOLUME"));
  const std::string& snap = args.word(1, "SNAP");
  const std::string who = printable(volume.name);
  refuse_foreign(volume, "snapshot");
  if (!volume.place.on_lvm())
    throw Conflict(
        fmt::format("{} is a file, of which there are no snapshots; `nutshell volume "
                    "clone {} NAME` copies it",
                    who, who));
  if (volume.kind == Volume::Kind::snapshot)
    throw Conflict(
        fmt::format("{} is a snapshot itself; `nutshell volume clone` makes a volume of "
                    "it",
                    who));
  if (!is_name(snap))
    throw ConfigError("SNAP", fmt::format("'{}' is no name of a snapshot: {}", printable(snap),
                                          name_fault(snap)));
  const VolumeName origin{volume.place.vg, volume.place.lv()};
  own_volume(volumes.lvm, origin, house.config.thin_limit);
  const std::string name = fmt::format("{}.{}", origin.lv, snap);
  if (const std::string fault = volume_name_fault({origin.vg, name}); !fault.empty())
    throw ConfigError("SNAP", fmt::format("'{}': {}", printable(snap), fault));
  if (volumes.lvm.volume(origin.vg, name))
    throw Conflict(fmt::format("{} has a snapshot {} already; choose another name", who, snap));
  run_volume_plan(house, "volume snapshot", who, volume.owner,
                  steps_to_snapshot(volume.place, name, hold_of_user(house, volume)));
  if (!house.dry())
    house.reporter.answer(
        Json::object({{"name", name}, {"path", fmt::format("/dev/{}/{}", origin.vg, name)}}),
        fmt::format("snapshot {} is made; `nutshell volume restore {}` goes back to it\n", name,
                    name));
  return Exit::done;
}

Exit run_volume_restore(const Parsed& args, House& house) {
  settle(house);
  const VolumeList volumes = gather_volumes(house);
  const Volume snapshot = find_volume(volumes, house, args.word(0, "SNAPSHOT"));
  const std::string who = printable(snapshot.name);
  refuse_foreign(snapshot, "restored");
  if (snapshot.kind != Volume::Kind::snapshot)
    throw Conflict(
        fmt::format("{} is no snapshot; `nutshell volume ls` shows which there are", who));
  const VolumeName name{snapshot.place.vg, snapshot.place.lv()};
  own_volume(volumes.lvm, name, house.config.thin_limit);
  const LogicalVolumeFact* fact = volumes.lvm.volume(name.vg, snapshot.origin);
  if (!fact) throw NotFound(fmt::format("{}: what it was made of is gone", who));
  Volume origin;
  origin.name = snapshot.origin;
  origin.place = {fact->path(), fact->vg, fact->pool, snapshot.place.tag, {}, fact->size, false};
  refuse_lost_user(house, origin);
  refuse_running(house, origin, "it is put back");
  refuse_running(house, snapshot, "it is put back");
  for (const std::string& path : {origin.place.path, snapshot.place.path})
    if (const auto holder = host::disk_holder(path, false))
      throw Conflict(fmt::format("{} is in use: {}; end that first", path, *holder));
  run_volume_plan(house, "volume restore", who, snapshot.owner,
                  steps_to_restore(snapshot.place, origin.place), OnFailure::keep_going);
  if (!house.dry())
    house.reporter.done(
        fmt::format("{} has the content of {} again; the snapshot is kept", snapshot.origin, who));
  return Exit::done;
}

Exit run_volume_clone(const Parsed& args, House& house) {
  const std::string& name = args.word(1, "NAME");
  settle(house);
  const VolumeList volumes = gather_volumes(house);
  const Volume volume = find_volume(volumes, house, args.word(0, "VOLUME"));
  const std::string who = printable(volume.name);
  refuse_foreign(volume, "copied");
  if (volume.missing)
    throw NotFound(fmt::format("{} is not there any more; there is nothing to copy", who));
  NewVolumeChoice choice{volume.place.vg, volume.place.thin, volume.place.format};
  if (volume.place.on_lvm())
    own_volume(volumes.lvm, {volume.place.vg, volume.place.lv()}, house.config.thin_limit);
  const std::optional<GuestHold> hold = hold_of_user(house, volume);
  const bool running = used_by_running(house, volume);
  if (running && !volume.place.on_lvm())
    throw Conflict(
        fmt::format("a machine that runs has {} open; stop it first, a file is not "
                    "copied under its guest",
                    who));
  if (running && !hold && volume.place.thin.empty())
    throw Conflict(
        fmt::format("the guest that has {} open stands still; resume it, or stop it, first", who));
  const NewStandalone made = place_new_volume(house, volumes, name, volume.place.size, choice);
  const std::string momentary = fmt::format("{}.copy-{}", volume.place.lv(), made.id.short_id());
  const Uuid& id = journal_id(volume, made.id);
  run_volume_plan(house, "volume clone", who, id,
                  steps_to_clone(volume.place, made.place, hold, momentary, id));
  if (!house.dry())
    house.reporter.answer(
        Json::object({{"name", name}, {"path", made.place.path}, {"size", made.place.size}}),
        fmt::format("volume {} is a copy of {}\n", name, who));
  return Exit::done;
}

Exit run_volume_import(const Parsed& args, House& house) {
  if (args.word(0, "IMAGE").empty())
    throw ConfigError("IMAGE", "it is empty; give the path of a disk image");
  refuse_url(args.word(0, "IMAGE"));
  const std::string image = absolute(args.word(0, "IMAGE"));
  const std::string& name = args.word(1, "NAME");
  check_iso(image, "IMAGE");
  if (const std::string fault = text_fault(image); !fault.empty())
    throw ConfigError(
        "IMAGE", fmt::format("'{}' cannot be used: {}; rename the file", printable(image), fault));
  const std::string format = args.value("image-format").value_or("");
  if (args.has("image-format") && format.empty())
    throw ConfigError("--image-format", "it is empty; leave it out, and the format is detected");
  const NewVolumeChoice choice = parse_new_volume(args, house);
  const host::ImageFact fact = host::observe_image(image, format);
  const Bytes size = args.has("size") ? size_option(args, "size") : fact.virtual_size;
  if (size < fact.virtual_size)
    throw ConfigError("--size", fmt::format("{} is smaller than what is in the image ({}); give "
                                            "at least that, or leave --size out",
                                            format_size(size), format_size(fact.virtual_size)));
  if (size == 0)
    throw ConfigError(
        "IMAGE", fmt::format("{} is empty; give the volume a size with --size", printable(image)));
  settle(house);
  const NewStandalone made = place_new_volume(house, gather_volumes(house), name, size, choice);
  house.reporter.note(fmt::format("{}: {} image of {}{}", printable(image), printable(fact.format),
                                  format_size(fact.virtual_size),
                                  format.empty() ? " (detected)" : ""));
  run_volume_plan(house, "volume import", name, made.id,
                  steps_to_import(image, fact.format, made.place));
  if (!house.dry())
    house.reporter.answer(
        Json::object({{"name", name},
                      {"path", made.place.path},
                      {"size", made.place.size},
                      {"image_format", fact.format}}),
        fmt::format("volume {} has the content of {}; a machine uses it by --disk path={}{}\n",
                    name, printable(image), made.place.path,
                    made.place.format == DiskFormat::qcow2 ? ",format=qcow2" : ""));
  return Exit::done;
}

}  // namespace nutshell
