// Names and marks of logical volumes. Two places write one name differently: a path under /dev/VG
// as it is, and device-mapper with every hyphen of a part doubled, so that a single one can stand
// between the parts. What no part may be is lvm's own rule (lvm(8), VALID NAMES).
#include "nutshell/volumes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace nutshell {
namespace {

constexpr std::string_view machine_mark = "nutshell.machine=";
constexpr std::string_view volume_mark = "nutshell.volume=";
/// DM_NAME_LEN is 128, the NUL included (linux/dm-ioctl.h).
constexpr std::size_t longest_device_name = 127;

bool is_name_byte(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '+' || byte == '_' || byte == '.' || byte == '-';
}

std::string part_fault(const std::string& what, const std::string& part) {
  if (part.empty()) return fmt::format("the name of the {} is empty", what);
  if (part == "." || part == "..")
    return fmt::format("'{}' cannot be the name of a {}", part, what);
  if (part[0] == '-') return fmt::format("the name of a {} must not begin with '-'", what);
  for (const char byte : part)
    if (!is_name_byte(byte))
      return fmt::format(
          "the name of a {} has letters, digits and + _ . - only, and '{}' is none of them", what,
          printable(std::string_view(&byte, 1)));
  return {};
}

/// Names that lvm keeps for the parts of its own volumes.
std::string reserved_fault(const std::string& lv) {
  static constexpr std::array beginnings{"snapshot", "pvmove"};
  static constexpr std::array parts{"_cdata",   "_cmeta", "_corig",  "_cpool", "_cvol",
                                    "_iorig",   "_imeta", "_mimage", "_mlog",  "_pmspare",
                                    "_rimage",  "_rmeta", "_tdata",  "_tmeta", "_vdata",
                                    "_vorigin", "_tpool", "_wcorig", "_vpool"};
  for (const std::string_view each : beginnings)
    if (lv.starts_with(each))
      return fmt::format("lvm keeps names that begin with '{}' for itself", each);
  for (const std::string_view each : parts)
    if (lv.find(each) != std::string::npos)
      return fmt::format("lvm keeps names with '{}' in them for itself", each);
  return {};
}

std::size_t length_doubled(const std::string& part) {
  return part.size() + static_cast<std::size_t>(std::count(part.begin(), part.end(), '-'));
}

std::optional<VolumeName> when_valid(VolumeName name) {
  if (!volume_name_fault(name).empty()) return std::nullopt;
  return name;
}

std::optional<VolumeName> split_at_slash(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  return when_valid({std::string(text.substr(0, slash)), std::string(text.substr(slash + 1))});
}

/// A run of hyphens of even length stands for half as many; the one of odd length has the
/// separator as its last, for an LV's name does not begin with a hyphen.
std::optional<VolumeName> split_device_name(std::string_view text) {
  VolumeName name;
  std::string* part = &name.vg;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '-') {
      *part += text[at++];
      continue;
    }
    const std::size_t end = std::min(text.find_first_not_of('-', at), text.size());
    part->append((end - at) / 2, '-');
    if ((end - at) % 2 == 1) {
      if (part == &name.lv) return std::nullopt;  // a layer of lvm's own: "vg-lv-real"
      part = &name.lv;
    }
    at = end;
  }
  return when_valid(std::move(name));
}

}  // namespace

bool LogicalVolumeFact::has_tag(std::string_view tag) const {
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

const VolumeGroupFact* LvmFacts::group(std::string_view name) const {
  const auto found =
      std::find_if(groups.begin(), groups.end(), [&](auto& each) { return each.name == name; });
  return found == groups.end() ? nullptr : &*found;
}

const LogicalVolumeFact* LvmFacts::volume(std::string_view vg, std::string_view name) const {
  const auto found = std::find_if(volumes.begin(), volumes.end(),
                                  [&](auto& each) { return each.vg == vg && each.name == name; });
  return found == volumes.end() ? nullptr : &*found;
}

std::string machine_tag(const Uuid& machine) { return std::string(machine_mark) + machine.text; }

std::string volume_tag(const Uuid& volume, std::string_view registry) {
  return fmt::format("{}{}/{}", volume_mark, volume.text, registry);
}

std::optional<Mark> parse_mark(std::string_view tag) {
  Mark mark;
  mark.machine = tag.starts_with(machine_mark);
  if (!mark.machine && !tag.starts_with(volume_mark)) return std::nullopt;
  tag.remove_prefix(mark.machine ? machine_mark.size() : volume_mark.size());
  if (const std::size_t slash = tag.find('/'); !mark.machine && slash != std::string_view::npos) {
    mark.registry = tag.substr(slash + 1);
    tag = tag.substr(0, slash);
  }
  const auto owner = parse_uuid(tag);
  if (!owner) return std::nullopt;
  mark.owner = *owner;
  return mark;
}

const std::string* our_tag(const LogicalVolumeFact& volume) {
  const auto found = std::find_if(volume.tags.begin(), volume.tags.end(),
                                  [](const std::string& tag) { return parse_mark(tag); });
  return found == volume.tags.end() ? nullptr : &*found;
}

void complete_origins(LvmFacts& facts) {
  for (LogicalVolumeFact& volume : facts.volumes) {
    if (volume.kind != VolumeKind::thin || !volume.origin.empty()) continue;
    const std::string* tag = our_tag(volume);
    const std::size_t dot = volume.name.rfind('.');  // a snapshot's own name has none
    if (!tag || dot == std::string::npos) continue;
    const LogicalVolumeFact* origin = facts.volume(volume.vg, volume.name.substr(0, dot));
    if (!origin || origin->pool != volume.pool || !origin->has_tag(*tag)) continue;
    volume.origin = origin->name;
    volume.origin_by_name = true;
  }
}

std::optional<VolumeName> parse_volume_name(std::string_view text) {
  constexpr std::string_view devices = "/dev/", mapper = "mapper/";
  if (!text.starts_with('/')) return split_at_slash(text);
  if (!text.starts_with(devices)) return std::nullopt;
  text.remove_prefix(devices.size());
  if (text.starts_with(mapper)) return split_device_name(text.substr(mapper.size()));
  // Folders of the kernel and of udev, whose entries are never logical volumes.
  static constexpr std::array others{"block", "bsg",       "bus",   "char", "cpu", "disk",   "dri",
                                     "fd",    "hugepages", "input", "loop", "md",  "mqueue", "net",
                                     "pts",   "shm",       "snd",   "vfio", "zvol"};
  const std::string_view folder = text.substr(0, text.find('/'));
  if (std::find(others.begin(), others.end(), folder) != others.end()) return std::nullopt;
  return split_at_slash(text);
}

std::string volume_name_fault(const VolumeName& name) {
  for (const auto& [what, part] :
       {std::pair("volume group", &name.vg), std::pair("logical volume", &name.lv)})
    if (std::string fault = part_fault(what, *part); !fault.empty()) return fault;
  if (std::string fault = reserved_fault(name.lv); !fault.empty()) return fault;
  const std::size_t length = length_doubled(name.vg) + 1 + length_doubled(name.lv);
  if (length > longest_device_name) {
    return fmt::format(
        "the names are too long: device-mapper's name for {}/{} would have {} bytes, and {} is the "
        "most (a hyphen counts twice)",
        name.vg, name.lv, length, longest_device_name);
  }
  return {};
}

}  // namespace nutshell
