// The kept spec: every field comes back, and a damaged one is refused with the member that is
// wrong.
#include <doctest/doctest.h>

#include "core/problems.hpp"
#include "nutshell/spec.hpp"

using namespace nutshell;

namespace {

MachineSpec full() {
  MachineSpec spec;
  spec.uuid = *parse_uuid("0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0");
  spec.name = {"lab", "ciab"};
  spec.cpus = 3;
  spec.memory = 3 * gibi;
  spec.cpu = "host,-avx";
  spec.machine = "pc-q35-7.2";
  spec.nested = Nested::on;
  spec.accel = Accel::tcg;
  spec.firmware = Firmware::uefi;
  spec.firmware_vars = "/s/vars.fd";
  DiskSpec disk;
  disk.size = 9223372036854775807u;
  disk.path = "/s/a,b \"c\".qcow2";
  disk.vg = "vg01";
  disk.thin = "pool0";
  disk.file = true;
  disk.bus = DiskBus::scsi;
  disk.format = DiskFormat::qcow2;
  disk.format_named = true;
  disk.cache = CacheMode::directsync;
  disk.aio = AioMode::io_uring;
  disk.discard = false;
  disk.read_only = true;
  disk.backing = {{"/b/1", DiskFormat::qcow2}, {"/b/2", DiskFormat::raw}};
  spec.disks = {disk, DiskSpec()};
  spec.cdrom = "/x.iso";
  spec.cdrom_drive = true;
  spec.boot = BootOrder::once_cdrom;
  spec.kernel = "/k";
  spec.initrd = "/i";
  spec.append = "console=ttyS0";
  NicSpec nic;
  nic.kind = NicKind::bridge;
  nic.bridge = "br0";
  nic.network = "n";
  nic.model = NicModel::rtl8139;
  nic.mac = parse_mac("52:54:00:12:34:60");
  nic.ip = parse_ipv4("10.0.0.7");
  spec.nics = {nic, NicSpec()};
  spec.vnc = {VncMode::fixed, 7, "0.0.0.0", "/p", true};
  spec.qemu = "/usr/bin/qemu";
  spec.qemu_args = {"-s", "-d", "int"};
  spec.vsock_cid = 4294967294;
  spec.run_as_uid = 1900000001;
  spec.origins = {{"memory", "option --memory"}, {"nic.0", "a.toml:3"}};
  return spec;
}

std::string refused(const Json& json) {
  try {
    spec_from_json(json);
    return "";
  } catch (const Failed& error) {
    return error.what();
  }
}

Json without(const Json& json, const std::string& name) {
  Json copy = Json::object();
  for (const auto& [key, value] : json.as_object())
    if (key != name) copy.append(key, value);
  return copy;
}

}  // namespace

TEST_CASE("a spec comes back as it was, through text too") {
  for (const MachineSpec& spec : {full(), MachineSpec()}) {
    CHECK(spec_from_json(to_json(spec)) == spec);
    CHECK(spec_from_json(Json::parse(to_json(spec).dump(true))) == spec);
  }
}

TEST_CASE("sizes are integers, MACs and addresses are text, what is not there is null") {
  const Json json = to_json(full());
  CHECK(json.at("memory").as_integer() == 3221225472);
  const Json& nic = json.at("nics").as_array()[0];
  CHECK(nic.text("mac") == "52:54:00:12:34:60");
  CHECK(nic.text("ip") == "10.0.0.7");
  CHECK(json.at("nics").as_array()[1].at("mac").is_null());
  CHECK(json.at("disks").as_array()[1].at("size").is_null());
}

TEST_CASE("every member is needed, and of its type") {
  const Json json = to_json(full());
  for (const auto& [name, value] : json.as_object()) {
    CHECK_MESSAGE(contains(refused(without(json, name)), name), name);
    Json wrong = json;
    wrong.set(name, Json(1.5));
    CHECK_MESSAGE(!refused(wrong).empty(), name);
  }
  for (const char* list : {"disks", "nics"}) {
    const Json first = json.at(list).as_array()[0];
    for (const auto& [name, value] : first.as_object()) {
      Json wrong = json;
      wrong.set(list, Json::array({without(first, name)}));
      // Not written by earlier versions.
      if (name == "thin" || name == "file" || name == "mtu" || name == "queues")
        CHECK_MESSAGE(refused(wrong).empty(), name);
      else
        CHECK_MESSAGE(contains(refused(wrong), name), name);
      Json typed = first;
      typed.set(name, Json(1.5));
      wrong.set(list, Json::array({typed}));
      CHECK_MESSAGE(!refused(wrong).empty(), name);
    }
  }
}

TEST_CASE("values that no spec has are refused") {
  const auto with = [](const char* name, Json value) {
    Json json = to_json(full());
    json.set(name, std::move(value));
    return refused(json);
  };
  CHECK(contains(with("cpus", -1), "out of range"));
  CHECK(contains(with("cpus", std::int64_t{4294967296}), "out of range"));
  CHECK(contains(with("memory", -1), "out of range"));
  CHECK(contains(with("boot", "floppy"), "\"floppy\" is not known"));
  CHECK(contains(with("uuid", "x"), "malformed"));
  CHECK(contains(with("accel", "\x1b"), "\\x1b"));
  CHECK_FALSE(refused(Json::array()).empty());
  CHECK_FALSE(refused(Json()).empty());
  CHECK(with("of a later version", 1).empty());
}
