// A disk has several names: the path in the spec, the logical volume's own, those that the device
// mapper makes. What a volume carries as its mark says more than any name.
#include <fmt/format.h>

#include "app/lvm_access.hpp"
#include "app/owners.hpp"
#include "host/files.hpp"
#include "nutshell/volumes.hpp"

namespace nutshell {
namespace {

std::vector<Owner> who_path(House& house, const std::string& path, const std::string& what) {
  return machines_with(house, what, [&](const MachineRow& row) -> std::string {
    for (std::size_t i = 0; i < row.spec.disks.size(); ++i) {
      const DiskSpec& disk = row.spec.disks[i];
      if (disk.path == path) return fmt::format("disk {}", i);
      for (const BackingLayer& layer : disk.backing)
        if (layer.path == path) return fmt::format("a layer below disk {}", i);
    }
    return row.spec.cdrom == path ? "in the CD-ROM drive" : "";
  });
}

/// The logical volume of that name: VG/LV, /dev/VG/LV, or any link to its device.
std::optional<LogicalVolumeFact> find_volume(House& house, const std::string& value) {
  const std::string whole = absolute(value), device = canonical(whole);
  for (const LogicalVolumeFact& volume : observe_all_groups(house).volumes) {
    const std::string path = volume.path();
    if (value == volume.vg + "/" + volume.name || whole == path) return volume;
    if (device.starts_with("/dev/dm-") && canonical(path) == device) return volume;
  }
  return std::nullopt;
}

Owner owner_of_volume(House& house, const LogicalVolumeFact& volume) {
  Owner owner{"volume", "", "", "", "", ""};
  const std::string* tag = our_tag(volume);
  if (!tag) {
    owner.foreign = fmt::format("the logical volume {}/{}, {}{}", volume.vg, volume.name,
                                format_size_roughly(volume.size), volume.open ? ", in use" : "");
    return owner;
  }
  for (const MachineRow& row : house.registry().machines())
    if (*tag == machine_tag(row.uuid)) {
      owner.cloud = row.name.cloud;
      owner.machine = row.name.name;
      owner.since = row.created;
      owner.detail = fmt::format("the volume {}/{}", volume.vg, volume.name);
      return owner;
    }
  owner.detail = fmt::format("nutshell's volume {}/{}, of no machine of this registry ({})",
                             volume.vg, volume.name, *tag);
  return owner;
}

}  // namespace

std::vector<Owner> find_owners_of_file(House& house, const std::string& value) {
  auto owners = who_path(house, absolute(value), "file");
  if (!owners.empty()) return owners;
  const auto volume = find_volume(house, value);
  if (!volume) return owners;
  owners = who_path(house, volume->path(), "volume");
  if (owners.empty()) owners.push_back(owner_of_volume(house, *volume));
  return owners;
}

}  // namespace nutshell
