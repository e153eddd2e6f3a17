// Disks and the CD-ROM as QEMU block nodes: for each file one protocol node over an fdset, above it
// one format node that is named and never probed, then the device. Backing layers are nodes of
// their own, read-only, deepest first.
#include <fmt/format.h>

#include <algorithm>

#include "core/line_builder.hpp"

namespace nutshell {
namespace {

bool is_block_device(const Places& places, const std::string& path) {
  return std::find(places.block_devices.begin(), places.block_devices.end(), path) !=
         places.block_devices.end();
}

struct CacheFlags {
  bool direct, no_flush, write_cache;
};
// The table of qemu-system-x86_64(1), -drive cache=.
CacheFlags flags_of(CacheMode mode) {
  switch (mode) {
    case CacheMode::none: return {true, false, true};
    case CacheMode::writeback: return {false, false, true};
    case CacheMode::writethrough: return {false, false, false};
    case CacheMode::directsync: return {true, false, false};
    case CacheMode::unsafe: return {false, true, true};
  }
  return {};
}

struct Node {
  std::string name, path;
  DiskFormat format;
  bool read_only;
  Json backing;  // a node's name, null for none
};

void add_nodes(LineBuilder& line, const Node& node, const DiskSpec& disk, const Places& places,
               const std::string& origin) {
  const CacheFlags cache = flags_of(disk.cache);
  const std::string file = line.hand_file(
      node.read_only ? Handle::What::read : Handle::What::read_write, node.path, node.name);
  const bool block = is_block_device(places, node.path);
  const Json cache_json = Json::object({{"direct", cache.direct}, {"no-flush", cache.no_flush}});
  Json protocol =
      Json::object({{"driver", block ? "host_device" : "file"},
                    {"node-name", node.name + "-file"},
                    {"filename", file},
                    {"aio", to_string(disk.aio) == "io_uring" ? "io_uring" : to_string(disk.aio)},
                    {"read-only", node.read_only},
                    {"auto-read-only", false},
                    {"discard", disk.discard ? "unmap" : "ignore"},
                    {"cache", cache_json}});
  line.add_json("-blockdev", protocol,
                fmt::format("{} {}", block ? "the block device" : "the file", printable(node.path)),
                origin);
  Json format = Json::object({{"driver", to_string(node.format)},
                              {"node-name", node.name},
                              {"file", node.name + "-file"},
                              {"read-only", node.read_only},
                              {"discard", disk.discard ? "unmap" : "ignore"},
                              {"cache", cache_json}});
  if (node.format == DiskFormat::qcow2) format.set("backing", node.backing);
  line.add_json("-blockdev", format,
                fmt::format("read as {}, which is named and never guessed", to_string(node.format)),
                origin);
}

struct Controllers {
  bool scsi = false, sata = false;
  unsigned ide_units = 0, sata_ports = 0;
};

// The CD-ROM has the secondary master on pc (where -cdrom puts it); disks take the other three.
Json ide_place(Controllers& seen) {
  static constexpr struct {
    const char* bus;
    int unit;
  } places[] = {{"ide.0", 0}, {"ide.0", 1}, {"ide.1", 1}, {"ide.1", 0}};
  const auto& place = places[std::min<std::size_t>(seen.ide_units++, 3)];
  return Json::object({{"bus", place.bus}, {"unit", place.unit}});
}

Json sata_place(LineBuilder& line, const MachineSpec& spec, Controllers& seen) {
  if (!spec.is_q35() && !seen.sata)
    line.add_json("-device", Json::object({{"driver", "ich9-ahci"}, {"id", "sata0"}}),
                  "a SATA controller");
  seen.sata = true;
  unsigned port = seen.sata_ports++;
  if (spec.is_q35() && port >= 2) ++port;  // ide.2 is the CD-ROM's, as -cdrom has it
  return Json::object({{"bus", fmt::format("{}.{}", spec.is_q35() ? "ide" : "sata0", port)}});
}

Json device_of(LineBuilder& line, const MachineSpec& spec, const DiskSpec& disk,
               Controllers& seen) {
  switch (disk.bus) {
    case DiskBus::virtio: return Json::object({{"driver", "virtio-blk-pci"}});
    case DiskBus::scsi:
      if (!seen.scsi)
        line.add_json("-device", Json::object({{"driver", "virtio-scsi-pci"}, {"id", "scsi0"}}),
                      "a SCSI controller");
      seen.scsi = true;
      return Json::object({{"driver", "scsi-hd"}, {"bus", "scsi0.0"}});
    case DiskBus::ide:
    case DiskBus::sata: {
      Json device = Json::object({{"driver", "ide-hd"}});
      const Json place = disk.bus == DiskBus::ide ? ide_place(seen) : sata_place(line, spec, seen);
      for (const auto& [key, value] : place.as_object()) device.set(key, value);
      return device;
    }
  }
  return {};
}

}  // namespace

void render_disks(LineBuilder& line, const MachineSpec& spec, const Places& places) {
  Controllers seen;
  for (std::size_t i = 0; i < spec.disks.size(); ++i) {
    const DiskSpec& disk = spec.disks[i];
    const std::string id = fmt::format("disk{}", i),
                      origin = line.origin(fmt::format("disk.{}", i));
    Json below;
    for (std::size_t layer = disk.backing.size(); layer-- > 0;) {
      const Node node{fmt::format("{}-base{}", id, layer), disk.backing[layer].path,
                      disk.backing[layer].format, true, below};
      add_nodes(line, node, disk, places, origin);
      below = node.name;
    }
    add_nodes(line, {id + "-image", disk.path, disk.format, disk.read_only, below}, disk, places,
              origin);
    Json device = device_of(line, spec, disk, seen);
    device.set("id", id).set("drive", id + "-image").set("bootindex", disk_bootindex(spec, i));
    device.set("write-cache", flags_of(disk.cache).write_cache ? "on" : "off");
    // A thin pool that is full answers writes with errors: the guest stands still until there is
    // room, where it would lose what it writes.
    if (disk.on_lvm() && !disk.read_only) device.set("werror", "stop");
    line.add_json(
        "-device", device,
        fmt::format("disk {} on {}, cache {}{}", i, to_string(disk.bus), to_string(disk.cache),
                    disk.on_lvm() ? ", the guest is paused when it cannot write" : ""),
        origin);
  }
}

void render_cdrom(LineBuilder& line, const MachineSpec& spec) {
  if (!spec.has_cdrom_drive()) return;
  const std::string origin = line.origin("cdrom");
  Json device = Json::object(
      {{"driver", "ide-cd"}, {"id", "cd0"}, {"bus", spec.is_q35() ? "ide.2" : "ide.1"}});
  if (!spec.is_q35()) device.set("unit", 0);
  if (!spec.cdrom.empty()) {
    const std::string file = line.hand_file(Handle::What::read, spec.cdrom, "cdrom");
    line.add_json(
        "-blockdev",
        Json::object(
            {{"driver", "raw"},
             {"node-name", "cd0-image"},
             {"read-only", true},
             {"file",
              Json::object({{"driver", "file"}, {"filename", file}, {"read-only", true}})}}),
        fmt::format("the ISO {}", printable(spec.cdrom)), origin);
    device.set("drive", "cd0-image");
  }
  device.set("bootindex", cdrom_bootindex(spec));
  std::string meaning =
      spec.cdrom.empty() ? "an empty CD-ROM drive" : "the CD-ROM drive with that ISO in it";
  if (spec.boot == BootOrder::once_cdrom)
    meaning += "; first for one boot, then moved behind the disks";
  line.add_json("-device", device, meaning, origin);
}

}  // namespace nutshell
