// A standalone volume has the name that its user gave it: as a logical volume in its group, as a
// file in the folder of volumes. It is ours by its mark there, by its place here.
#include "app/volume_new.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/lvm_access.hpp"
#include "host/files.hpp"
#include "nutshell/volume_rules.hpp"

namespace nutshell {
namespace {

std::string group_option(const Parsed& args, const std::string& option, const VolumeName& with) {
  const auto text = args.value(option);
  if (!text) return "";
  VolumeName name = with;
  (name.vg.empty() ? name.vg : name.lv) = *text;
  if (const std::string fault = volume_name_fault(name); !fault.empty())
    throw ConfigError("--" + option, fmt::format("'{}': {}", printable(*text), fault));
  return *text;
}

void check_name(const VolumeList& volumes, const std::string& name, const std::string& vg) {
  std::string fault = volume_name_fault({vg.empty() ? "x" : vg, name});
  if (fault.empty() && name.starts_with(".")) fault = "a name does not begin with a dot";
  if (fault.empty() && name.starts_with("vm."))
    fault = "names that begin with vm. are those of machines' disks; choose another";
  if (!fault.empty()) throw ConfigError("NAME", fmt::format("'{}': {}", printable(name), fault));
  for (const Volume& volume : volumes.all)
    if (volume.kind != Volume::Kind::disk && volume.kind != Volume::Kind::another &&
        volume.name == name)
      throw Conflict(fmt::format("there is a volume {} already ({}); choose another name",
                                 printable(name), printable(volume.place.path)));
}

void check_room(House& house, const LvmFacts& facts, const VolumePlace& place) {
  if (place.thin.empty()) {
    if (const auto shortage = find_shortage(usable_group(facts, place.vg), {place.size}))
      throw Conflict(shortage_words(
          *shortage,
          host::spare_device(shortage->needed - std::min(shortage->needed, shortage->free))));
    return;
  }
  const LogicalVolumeFact& pool =
      usable_pool(facts, {place.vg, place.thin}, house.config.thin_limit);
  if (const auto warning = overcommit_warning(facts, pool, place.size))
    house.reporter.warn(*warning);
}

}  // namespace

Bytes size_option(const Parsed& args, const std::string& name) {
  return parse_size(args.value(name).value_or(""), "--" + name);
}

NewVolumeChoice parse_new_volume(const Parsed& args, const House& house) {
  NewVolumeChoice choice;
  choice.vg = group_option(args, "vg", {"", "x"});
  choice.thin = group_option(args, "thin", {"x", ""});
  if (const auto format = args.value("format"); format && !from_word(*format, choice.format))
    throw ConfigError("--format", fmt::format("'{}' is not known; give {}", printable(*format),
                                              words_of(DiskFormat{})));
  if (args.has("file")) {
    if (!choice.vg.empty() || !choice.thin.empty())
      throw ConfigError("--file",
                        "it makes a file, and --vg and --thin a logical volume; give one");
    return choice;
  }
  const bool raw = choice.format == DiskFormat::raw;
  if (!raw && (!choice.vg.empty() || !choice.thin.empty()))
    throw ConfigError("--format", "a logical volume is always raw; leave --format out, or --vg");
  if (choice.vg.empty() && raw) {
    choice.vg = house.config.vg;
    if (choice.thin.empty()) choice.thin = house.config.thin;
  }
  if (choice.vg.empty() && !choice.thin.empty())
    throw ConfigError("--thin",
                      "it names a pool of a volume group, and none is given; add --vg VG");
  return choice;
}

NewStandalone place_new_volume(House& house, const VolumeList& volumes, const std::string& name,
                               Bytes size, const NewVolumeChoice& choice) {
  check_name(volumes, name, choice.vg);
  NewStandalone made;
  made.id = draw_uuid();
  VolumePlace& place = made.place;
  place.size = size;
  place.format = choice.format;
  if (choice.vg.empty()) {
    place.path = fmt::format("{}/{}.{}", house.paths.volumes(), name,
                             choice.format == DiskFormat::qcow2 ? "qcow2" : "img");
    if (const auto warning = host::check_volume(place.path, size)) house.reporter.warn(*warning);
    return made;
  }
  need_root_for_lvm(house, "volume " + name);
  const LvmFacts facts = observe_groups(house, {choice.vg});
  const VolumeGroupFact& group = usable_group(facts, choice.vg);
  if (facts.volume(choice.vg, name))
    throw Conflict(fmt::format("there is a logical volume {}/{} already; choose another name",
                               choice.vg, printable(name)));
  place.path = fmt::format("/dev/{}/{}", choice.vg, name);
  place.vg = choice.vg;
  place.thin = choice.thin;
  place.size = whole_extents(size, group);
  place.tag = volume_tag(made.id, house.registry().tag());
  check_room(house, facts, place);
  return made;
}

}  // namespace nutshell
