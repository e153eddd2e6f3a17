// A machine as TOML: every key, where it came from, and every mistake with its line.
#include <doctest/doctest.h>

#include "core/problems.hpp"
#include "nutshell/config.hpp"

using namespace nutshell;

namespace {
const char* full = R"(name = "ciab"
cloud = "lab"
cpus = 4
memory = "2G"
cpu = "host"
machine = "pc"
nested = "on"
accel = "tcg"
firmware = "bios"
disks = [
  "100G,bus=ide",
  "path=img/a,,b.img,ro",
]
cdrom = "x.iso"
boot = "once=cdrom"
kernel = "k"
initrd = "i"
append = "console=ttyS0 quiet"
nics = ["bridge=br0,mac=52:54:00:12:34:60",
        "user"]
vnc = 7
vnc-listen = "0.0.0.0"
vnc-password-file = "p"
qemu = "/opt/qemu"
args = ["-d", "int"]
)";
std::string refused(const std::string& text) {
  return refusal([&] { parse_machine(text, "m.toml"); });
}
}  // namespace

TEST_CASE("every key") {
  const MachineSpec spec = parse_machine(full, "m.toml");
  CHECK(to_string(spec.name) == "lab/ciab");
  CHECK(spec.cpus == 4);
  CHECK(spec.memory == 2 * gibi);
  CHECK(spec.cpu == "host");
  CHECK(spec.machine == "pc");
  CHECK(spec.nested == Nested::on);
  CHECK(spec.accel == Accel::tcg);
  CHECK(spec.firmware == Firmware::bios);
  REQUIRE(spec.disks.size() == 2);
  CHECK(spec.disks[0].size == 100 * gibi);
  CHECK(spec.disks[1].path == "img/a,b.img");
  CHECK(spec.cdrom == "x.iso");
  CHECK(spec.boot == BootOrder::once_cdrom);
  CHECK(spec.kernel == "k");
  CHECK(spec.initrd == "i");
  CHECK(spec.append == "console=ttyS0 quiet");
  REQUIRE(spec.nics.size() == 2);
  CHECK(spec.nics[1].kind == NicKind::user);
  CHECK(spec.vnc.display == 7);
  CHECK(spec.vnc.listen == "0.0.0.0");
  CHECK(spec.vnc.password_file == "p");
  CHECK(spec.qemu == "/opt/qemu");
  CHECK(spec.qemu_args == std::vector<std::string>{"-d", "int"});
}

TEST_CASE("each field remembers its line, and only those that were written") {
  const MachineSpec spec = parse_machine(full, "m.toml");
  const auto at = [&](const std::string& field) { return spec.origins.at(field); };
  CHECK(at("name") == "m.toml:1");
  CHECK(at("memory") == "m.toml:4");
  CHECK(at("disk.0") == "m.toml:11");
  CHECK(at("disk.1") == "m.toml:12");
  CHECK(at("nic.0") == "m.toml:19");
  CHECK(at("nic.1") == "m.toml:20");
  CHECK(at("vnc-listen") == "m.toml:22");
  CHECK(at("args") == "m.toml:25");
  for (const char* field : {"cloud", "cpus", "cpu", "machine", "nested", "accel", "firmware",
                            "cdrom", "boot", "kernel", "initrd", "append", "vnc", "qemu"})
    CHECK_MESSAGE(spec.origins.count(field) == 1, field);
  CHECK(parse_machine("name = \"a\"", "m.toml").origins.size() == 1);
  CHECK(parse_machine("", "m.toml") == MachineSpec());
}

TEST_CASE("the forms of a name and of a display") {
  CHECK(to_string(parse_machine("name = \"lab/a\"", "m").name) == "lab/a");
  CHECK(to_string(parse_machine("name = \"lab/a\"\ncloud = \"lab\"", "m").name) == "lab/a");
  CHECK(contains(refused("name = \"lab/a\"\ncloud = \"other\""),
                 "m.toml:1: name = \"lab/a\" and cloud = \"other\" name two clouds"));
  CHECK(contains(refused("name = \"A\""), "m.toml:1: name \"A\": capital"));
  CHECK(contains(refused("cloud = \"A\""), "m.toml:1: the cloud name"));
  CHECK(parse_machine("vnc = \"off\"", "m").vnc.mode == VncMode::off);
  CHECK(parse_machine("vnc = \"auto\"", "m").vnc.mode == VncMode::automatic);
  CHECK(contains(refused("vnc = -1"), "m.toml:1: \"-1\" is no display"));
  CHECK(contains(refused("vnc = true"), "m.toml:1: vnc should be"));
}

TEST_CASE("every mistake at once, each with its line") {
  const std::string said = refused(
      "cpu = 3\ncpus = 0\nmemroy = \"2G\"\naccel = \"xen\"\ndisks = [\n \"1G,chache=none\",\n "
      "\"1G\",\n 5]\n"
      "nics = \"user\"\nboot = \"cdrom\"\nvnc_listen = \"x\"\n");
  CHECK(contains(said, "m.toml:1: cpu is a whole number"));
  CHECK(contains(said, "m.toml:2: cpus = 0 is not possible; use 1 to 255"));
  CHECK(contains(said, "m.toml:3: unknown key \"memroy\"; did you mean memory?"));
  CHECK(contains(said, "m.toml:4: accel = \"xen\" is not known; use auto, kvm or tcg"));
  CHECK(contains(said, "m.toml:6: unknown key \"chache\"; did you mean cache?"));
  CHECK(contains(said, "m.toml:8: disks[2] is a whole number"));
  CHECK(contains(said, "m.toml:9: nics is a text and should be a list of texts: nics = [\"...\"]"));
  CHECK(contains(said, "m.toml:10: boot cdrom needs a CD-ROM"));
  CHECK(contains(said, "m.toml:11: unknown key \"vnc_listen\"; did you mean vnc-listen?"));
}

TEST_CASE("what is wrong as a whole is named at its line") {
  CHECK(contains(refused("machine = \"q35\"\ndisks = [\"1G\",\n\"1G,bus=ide\"]"),
                 "m.toml:3: disk 1 (1G): there is no IDE on q35"));
  CHECK(contains(refused("append = \"quiet\""), "m.toml:1: kernel arguments need a kernel"));
  CHECK(contains(refused("args = [\"-s\", \"a\\u001b\"]"), "cannot be used"));
}
