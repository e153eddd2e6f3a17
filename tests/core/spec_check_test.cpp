// The rules of a spec as a whole; each is met and missed by one step.
#include <doctest/doctest.h>

#include "core/problems.hpp"
#include "nutshell/spec.hpp"

using namespace nutshell;

namespace {
MachineSpec plain() {
  MachineSpec spec;
  spec.name.name = "ciab";
  return spec;
}
DiskSpec disk(DiskBus bus, const std::string& path = "") {
  DiskSpec disk;
  disk.bus = bus;
  disk.path = path;
  if (path.empty()) disk.size = gibi;
  return disk;
}
MachineSpec with_disks(int count, DiskBus bus, MachineSpec spec = plain()) {
  for (int i = 0; i < count; ++i) spec.disks.push_back(disk(bus));
  return spec;
}
std::string said(const MachineSpec& spec) { return text_of(check(spec)); }
bool only(const MachineSpec& spec, const std::string& part) {
  const Problems problems = check(spec);
  CHECK_MESSAGE(problems.size() == 1, text_of(problems));
  return contains(text_of(problems), part);
}
template <class Change>
MachineSpec but(Change change) {
  MachineSpec spec = plain();
  change(spec);
  return spec;
}
}  // namespace

TEST_CASE("a plain machine has nothing wrong") {
  CHECK(said(plain()).empty());
  CHECK(said(MachineSpec()).empty());
}

TEST_CASE("processors and memory") {
  CHECK(only(but([](auto& s) { s.cpus = 0; }), "--cpus: 0 processors"));
  CHECK(only(but([](auto& s) { s.cpus = 256; }), "1 to 255"));
  CHECK(said(but([](auto& s) { s.cpus = 255; })).empty());
  CHECK(only(but([](auto& s) { s.memory = mebi - 1; }), "too little"));
  CHECK(only(but([](auto& s) { s.memory = 0; }), "too little"));
  CHECK(said(but([](auto& s) { s.memory = mebi; })).empty());
  CHECK(only(but([](auto& s) { s.memory = mebi + 1; }), "use 2M"));
}

TEST_CASE("CPU models and machine types") {
  for (const char* cpu :
       {"host", "qemu64,+vmx", "host,-avx", "Skylake-Client-v1", "max,vmx=on", "Opteron_G5"})
    CHECK(said(but([&](auto& s) { s.cpu = cpu; })).empty());
  for (const char* cpu : {"", "a b", "host;id", "host\n", "x$y", "caf\xc3\xa9"})
    CHECK(only(but([&](auto& s) { s.cpu = cpu; }), "is no CPU model"));
  for (const char* machine : {"pc", "q35", "pc-q35-7.2", "pc-i440fx-rhel7.6.0"})
    CHECK(said(but([&](auto& s) { s.machine = machine; })).empty());
  for (const char* machine : {"pc,accel=kvm", "q 35", "pc\n"})
    CHECK(only(but([&](auto& s) { s.machine = machine; }), "is no machine type"));
  for (const char* machine : {"microvm", "isapc", "none"})
    CHECK(only(but([&](auto& s) { s.machine = machine; }), "lacks the devices"));
}

TEST_CASE("IDE is on pc alone and has four places") {
  CHECK(said(with_disks(4, DiskBus::ide)).empty());
  CHECK(only(with_disks(5, DiskBus::ide), "5 IDE disks are too many"));
  MachineSpec spec = with_disks(3, DiskBus::ide);
  spec.cdrom = "/x.iso";
  CHECK(said(spec).empty());
  spec.disks.push_back(disk(DiskBus::ide));
  CHECK(only(spec, "4 IDE disks and the CD-ROM"));
  CHECK(only(with_disks(1, DiskBus::ide, but([](auto& s) { s.firmware = Firmware::uefi; })),
             "(which UEFI uses); use bus=sata"));
  CHECK(only(with_disks(1, DiskBus::ide, but([](auto& s) { s.machine = "pc-q35-7.2"; })),
             "no IDE on q35"));
  MachineSpec uefi_on_pc =
      with_disks(1, DiskBus::ide, but([](auto& s) { s.firmware = Firmware::uefi; }));
  uefi_on_pc.machine = "pc";
  CHECK(said(uefi_on_pc).empty());
}

TEST_CASE("SATA has six places, the CD-ROM of q35 is one of them") {
  CHECK(said(with_disks(6, DiskBus::sata)).empty());
  CHECK(only(with_disks(7, DiskBus::sata), "7 SATA disks"));
  MachineSpec spec = with_disks(6, DiskBus::sata);
  spec.cdrom = "/x.iso";
  CHECK(said(spec).empty());
  spec.machine = "q35";
  CHECK(only(spec, "6 SATA disks and the CD-ROM"));
}

TEST_CASE("PCI slots run out, SCSI does not use them up") {
  CHECK(said(with_disks(24, DiskBus::virtio)).empty());
  CHECK(only(with_disks(25, DiskBus::virtio), "25 virtio disks and 0 NICs"));
  MachineSpec spec = with_disks(23, DiskBus::virtio);
  spec.nics.resize(1);
  CHECK(said(spec).empty());
  spec.nics.resize(2);
  CHECK(only(spec, "24 PCI slots"));
  CHECK(said(with_disks(100, DiskBus::scsi)).empty());
  spec = with_disks(24, DiskBus::virtio);
  spec.disks.push_back(disk(DiskBus::scsi));
  CHECK(only(spec, "23 PCI slots"));
}

TEST_CASE("what QEMU refuses of a disk") {
  auto one = [](auto change) {
    MachineSpec spec = with_disks(1, DiskBus::virtio);
    change(spec.disks[0]);
    return spec;
  };
  for (const CacheMode cache : {CacheMode::writeback, CacheMode::writethrough, CacheMode::unsafe})
    CHECK(only(one([&](auto& d) { d.aio = AioMode::native, d.cache = cache; }),
               "aio=native needs cache=none"));
  for (const CacheMode cache : {CacheMode::none, CacheMode::directsync})
    CHECK(said(one([&](auto& d) { d.aio = AioMode::native, d.cache = cache; })).empty());
  CHECK(
      only(one([](auto& d) { d.bus = DiskBus::ide, d.read_only = true; }), "cannot be read only"));
  CHECK(
      only(one([](auto& d) { d.bus = DiskBus::sata, d.read_only = true; }), "cannot be read only"));
  CHECK(said(one([](auto& d) { d.bus = DiskBus::scsi, d.read_only = true; })).empty());
  CHECK(only(one([](auto& d) { d.backing = {{"/b", DiskFormat::raw}}; }), "only a qcow2"));
  CHECK(only(one([](auto& d) { d.path = "/a\n"; }), "newline"));
  CHECK(only(one([](auto& d) {
               d.format = DiskFormat::qcow2, d.backing = {{"/b\xff", DiskFormat::raw}};
             }),
             "UTF-8"));
}

TEST_CASE("one file is used once") {
  CHECK(only(but([](auto& s) {
               s.disks = {disk(DiskBus::virtio, "/a"), disk(DiskBus::scsi, "/a")};
             }),
             "given twice, as disk 0 and disk 1"));
  CHECK(only(but([](auto& s) { s.disks = {disk(DiskBus::virtio, "/a")}, s.cdrom = "/a"; }),
             "also a disk"));
  MachineSpec spec = but([](auto& s) {
    s.disks = {disk(DiskBus::virtio, "/a"), disk(DiskBus::virtio, "/b")};
  });
  CHECK(said(spec).empty());
  spec.disks[1].format = DiskFormat::qcow2;
  spec.disks[1].backing = {{"/a", DiskFormat::raw}};
  CHECK(only(spec, "is the backing file of disk 1"));
  spec.disks[0].format = DiskFormat::qcow2;
  spec.disks[0].path = "/c";
  spec.disks[0].backing = {{"/a", DiskFormat::raw}};
  CHECK(said(spec).empty());
  CHECK(said(with_disks(2, DiskBus::virtio)).empty());
}

TEST_CASE("booting from what is there") {
  CHECK(only(but([](auto& s) { s.boot = BootOrder::cdrom; }), "needs a CD-ROM"));
  CHECK(only(but([](auto& s) { s.boot = BootOrder::once_cdrom; }), "boot once=cdrom needs"));
  CHECK(said(but([](auto& s) { s.boot = BootOrder::once_cdrom, s.cdrom = "/x.iso"; })).empty());
  CHECK(said(but([](auto& s) { s.boot = BootOrder::cdrom, s.cdrom_drive = true; })).empty());
  CHECK(only(but([](auto& s) { s.boot = BootOrder::net; }), "needs a NIC"));
  CHECK(only(but([](auto& s) { s.initrd = "/i"; }), "--initrd: an initrd needs a kernel"));
  CHECK(only(but([](auto& s) { s.append = "quiet"; }), "--append: kernel arguments"));
  CHECK(said(but([](auto& s) { s.kernel = "/k", s.initrd = "/i", s.append = "quiet"; })).empty());
  CHECK(said(but([](auto& s) { s.kernel = "/k", s.firmware = Firmware::uefi; })).empty());
}

TEST_CASE("NICs of one machine differ") {
  NicSpec one, two;
  one.mac = two.mac = parse_mac("52:54:00:12:34:60");
  CHECK(only(but([&](auto& s) {
               s.nics = {one, two};
             }),
             "52:54:00:12:34:60 is given to NIC 0 and to NIC 1"));
  two.mac = parse_mac("52:54:00:12:34:61");
  one.ip = two.ip = parse_ipv4("10.0.0.7");
  CHECK(only(but([&](auto& s) { s.nics = {one, two}; }), "10.0.0.7 is given"));
  two.ip.reset();
  CHECK(said(but([&](auto& s) { s.nics = {one, two}; })).empty());
}

TEST_CASE("VNC") {
  CHECK(only(but([](auto& s) { s.vnc.mode = VncMode::fixed, s.vnc.display = 59636; }),
             "does not exist"));
  for (const char* listen : {"127.0.0.1", "0.0.0.0", "::1", "::", "fe80::1"})
    CHECK(said(but([&](auto& s) { s.vnc.listen = listen; })).empty());
  for (const char* listen : {"", "localhost", "*", "127.1", "0.0.0.0:1", "0.0.0.0,to=9"})
    CHECK(only(but([&](auto& s) { s.vnc.listen = listen; }), "no numeric address"));
  CHECK(only(but([](auto& s) { s.vnc.listen = std::string("0.0.0.0\0x", 9); }),
             "no numeric address"));
  CHECK(only(but([](auto& s) { s.vnc.mode = VncMode::off, s.vnc.password_file = "/p"; }),
             "VNC is off"));
}

TEST_CASE("names and texts") {
  CHECK(only(but([](auto& s) { s.name.name = "Web"; }), "capital"));
  CHECK(only(but([](auto& s) { s.name.cloud = "a b"; }), "--cloud"));
  CHECK(only(but([](auto& s) { s.kernel = "/k", s.append = "a\nb"; }), "newline"));
  CHECK(contains(said(but([](auto& s) {
                   s.qemu_args = {"-s", "a\x1b"};
                 })),
                 "--: \"a\\x1b\" cannot be used: it contains a control"));
  CHECK(only(but([](auto& s) { s.cdrom = "/a\n.iso"; }), "--cdrom"));
}

TEST_CASE("a mistake is named where it was written, all of them at once") {
  MachineSpec spec = with_disks(2, DiskBus::ide);
  spec.machine = "q35";
  spec.cpus = 0;
  spec.initrd = "/i";
  spec.boot = BootOrder::cdrom;
  spec.origins = {{"disk.1", "m.toml:7"}, {"cpus", "option --cpus"}, {"initrd", "default"}};
  const std::string text = said(spec);
  CHECK(check(spec).size() == 5);
  CHECK(contains(text, "--disk: disk 0 (1G): there is no IDE"));
  CHECK(contains(text, "m.toml:7: disk 1 (1G): there is no IDE"));
  CHECK(contains(text, "--cpus: 0 processors"));
  CHECK(contains(text, "--initrd: an initrd"));
}
