// Every golden machine is started in real QEMU, as root would start it, and its device tree read
// back over QMP: what stands in the line is what QEMU made of it.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "golden/golden.hpp"
#include "host/files.hpp"
#include "host/macvtap.hpp"
#include "host/qemu_start.hpp"
#include "netns/namespace.hpp"
#include "nl/bridge.hpp"
#include "nl/link.hpp"
#include "nl/socket.hpp"
#include "nutshell/error.hpp"
#include "scratch.hpp"

using namespace nutshell;

namespace {

constexpr unsigned spare_uid = 1900000123;

/// What QEMU takes for a bzImage of boot protocol 2.12 that can load an initial RAM disk (Linux:
/// Documentation/arch/x86/boot.rst).
std::string tiny_kernel() {
  std::string image(65536, '\0');
  image[0x1f1] = 4;                             // setup sectors
  image.replace(0x1fe, 2, "\x55\xaa");          // the boot flag
  image.replace(0x202, 4, "HdrS");              // the header's magic
  image.replace(0x206, 2, "\x0c\x02");          // protocol 2.12
  image[0x211] = 1;                             // loaded high
  image.replace(0x22c, 4, "\xff\xff\xff\x7f");  // where a RAM disk may end
  return image;
}

/// The files that a golden machine names, below `base`.
void make_files(const MachineSpec& spec, const std::string& base) {
  const Paths paths = golden::paths(base);
  host::make_directories(paths.machine(spec.uuid));
  host::make_directories(paths.log_dir(spec.uuid));
  host::make_directories(paths.run_dir(spec.uuid));
  for (const DiskSpec& disk : spec.disks) {
    for (const BackingLayer& layer : disk.backing)
      host::make_volume(layer.path, gibi, layer.format, {});
    host::make_directories(disk.path.substr(0, disk.path.rfind('/')));
    host::make_volume(disk.path, disk.size.value_or(gibi), disk.format, disk.backing);
  }
  for (const std::string& path : {spec.cdrom, spec.initrd})
    if (!path.empty()) scratch::put(path, std::string(65536, '\0'));
  if (!spec.kernel.empty()) scratch::put(spec.kernel, tiny_kernel());
  if (spec.firmware == Firmware::uefi)
    host::copy_file("/usr/share/OVMF/OVMF_VARS_4M.fd", spec.firmware_vars);
}

void make_bridges() {
  nl::Socket socket;
  for (const char* name : {"br0", "nutshell0"}) nl::make_bridge(socket, name, {.up = true});
}

/// The links that a launch makes before it starts QEMU, on uplinks of this test.
void make_macvtaps(const MachineSpec& spec, const Places& places) {
  nl::Socket socket;
  for (std::size_t i = 0; i < spec.nics.size(); ++i) {
    const NicSpec& nic = spec.nics[i];
    if (nic.kind != NicKind::macvtap) continue;
    nl::make_veth(socket, {.name = nic.uplink, .peer = "far" + std::to_string(i)});
    nl::set_up(socket, nic.uplink);
    host::make_macvtap({places.taps[i], nic.uplink, nic.macvtap_mode, *nic.mac,
                        tap_mark(spec.name, static_cast<unsigned>(i)), nic.mtu});
  }
}

host::QemuStart start_of(const MachineSpec& spec, const std::string& base) {
  const Paths paths = golden::paths(base);
  Places places = golden::places(spec, base);
  places.ovmf_code = "/usr/share/OVMF/OVMF_CODE_4M.fd";
  places.block_devices.clear();  // plain files stand for the logical volumes
  host::QemuStart start;
  start.who = to_string(spec.name);
  const Decision decision = decide(spec, golden::facts());
  start.line = render_line(spec, decision, places);
  make_macvtaps(spec, places);
  for (std::size_t i = 0; i < spec.nics.size(); ++i)
    start.taps.push_back({places.taps[i], spec.nics[i].bridge,
                          tap_mark(spec.name, static_cast<unsigned>(i)), Mac{0xfe5400000000 + i},
                          spec.nics[i].mtu, spec.nics[i].queues});
  start.log = paths.qemu_log(spec.uuid, 1);
  start.qmp = {paths.qmp(spec.uuid), paths.qmp_lock(spec.uuid), start.who};
  start.run_as = host::RunAs{spare_uid, spare_uid};
  start.cdrom_bootindex_later = bootindex_after_first_boot(spec);
  if (decision.nested_flag == "+svm") start.cpu_flags = {"svm"};
  return start;
}

Json property(host::Qmp& qmp, const std::string& path, const std::string& name) {
  return qmp.execute("qom-get", Json::object({{"path", path}, {"property", name}}));
}

/// Each property of each -device, as QEMU has it now.
void check_devices(host::Qmp& qmp, const Line& line) {
  int devices = 0;
  for (const Arg& arg : line.args) {
    if (arg.option != "-device") continue;
    const Json device = Json::parse(arg.value);
    const std::string path = "/machine/peripheral/" + device.at("id").as_string();
    CAPTURE(arg.value);
    // "ide-hd" and the like keep their name; "virtio-serial-pci" and others are aliases of a type
    // that QOM names otherwise.
    const std::string type = property(qmp, path, "type").as_string();
    CHECK(type.find(device.at("driver").as_string()) == 0);
    for (const char* name : {"mac", "bootindex", "drive", "netdev", "chardev", "rng", "name",
                             "host_mtu", "mq", "vectors"}) {
      const Json* wanted = device.find(name);
      if (!wanted) continue;
      INFO("property ", std::string(name));
      // A link property (rng) is shown as the QOM path of what it points to.
      const Json there = property(qmp, path, name);
      CHECK((std::string(name) == "rng" ? "\"/objects/" + wanted->as_string() + "\""
                                        : wanted->dump()) == there.dump());
    }
    ++devices;
  }
  CHECK(devices >= 8);
}

void check_cpu(host::Qmp& qmp, bool svm) {
  const Json cpus = qmp.execute("query-cpus-fast");
  CHECK(property(qmp, cpus.as_array().front().text("qom-path"), "svm") == Json(svm));
}

void check_disks(host::Qmp& qmp, const MachineSpec& spec) {
  std::size_t disks = 0;
  for (const Json& device : qmp.execute("query-block").as_array()) {
    const std::string id = device.text("qdev");
    if (id.find("disk") == std::string::npos) continue;
    const std::size_t index = std::stoul(id.substr(id.find("disk") + 4));
    const DiskSpec& disk = spec.disks.at(index);
    const Json& inserted = device.at("inserted");
    CHECK(inserted.flag("ro") == disk.read_only);
    CHECK(inserted.text("drv") == to_string(disk.format));
    CHECK(inserted.at("cache").flag("direct") ==
          (disk.cache == CacheMode::none || disk.cache == CacheMode::directsync));
    CHECK(inserted.at("cache").flag("no-flush") == (disk.cache == CacheMode::unsafe));
    CHECK(inserted.at("cache").flag("writeback") ==
          (disk.cache != CacheMode::writethrough && disk.cache != CacheMode::directsync));
    ++disks;
  }
  CHECK(disks == spec.disks.size());
}

void try_one(const std::string& name) {
  const scratch::Folder folder;
  MachineSpec spec = golden::machine(name, folder.path());
  for (DiskSpec& disk : spec.disks)
    if (disk.path.starts_with("/dev/")) disk.path = folder / "device.img";
  make_files(spec, folder.path());
  const host::QemuStart start = start_of(spec, folder.path());
  host::NewQemu spawned = host::spawn_qemu(start);
  host::StartedQemu started = host::meet_qemu(start, spawned);
  Line line = start.line;
  CHECK(started.qmp.execute("query-status").text("status") == "prelaunch");
  if (start.cdrom_bootindex_later) {
    CHECK(property(started.qmp, cdrom_qom_path(), "bootindex") ==
          Json(*start.cdrom_bootindex_later));
    for (Arg& arg : line.args)
      if (arg.value.find("\"cd0\"") != std::string::npos && arg.option == "-device") {
        Json device = Json::parse(arg.value);
        arg.value = device.set("bootindex", *start.cdrom_bootindex_later).dump();
      }
  }
  check_devices(started.qmp, line);
  check_cpu(started.qmp, spec.nested != Nested::off);
  check_disks(started.qmp, spec);
  CHECK(started.qmp.execute("query-uuid").text("UUID") == spec.uuid.text);
  started.qmp.execute("quit");
  waitpid(started.identity.pid, nullptr, 0);
}

}  // namespace

TEST_CASE("every golden machine starts in real QEMU, and is what its line says") {
  for (const std::string& name : golden::names()) {
    CAPTURE(name);
    netns::in_new_netns([&] {
      make_bridges();
      try {
        try_one(name);
      } catch (const Error& error) {
        FAIL(name, ": ", std::string(error.what()));
      }
    });
  }
}
