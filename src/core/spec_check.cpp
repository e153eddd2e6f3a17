// What is wrong in a spec as a whole, before anything of the host is looked at. Each rule is one
// that QEMU would meet later with a worse sentence, or not at all.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "core/spec_options.hpp"
#include "nutshell/spec.hpp"
#include "nutshell/volumes.hpp"

namespace nutshell {
namespace {

constexpr int ide_devices = 4;   // two channels with two devices each (PIIX3)
constexpr int sata_devices = 6;  // ports of one ICH9 AHCI
constexpr int pci_devices = 28;  // 32 slots without host bridge, chipset, VGA; one spare
constexpr int pci_always = 4;    // agent's serial bus, RNG, balloon, USB
constexpr unsigned most_cpus = 255;

class Checker {
 public:
  explicit Checker(const MachineSpec& spec) : spec_(spec) {}

  Problems run() {
    names();
    processor_and_memory();
    for (std::size_t i = 0; i < spec_.disks.size(); ++i) disk(i);
    paths_differ();
    slots();
    booting();
    nics();
    vnc();
    texts();
    return std::move(problems_);
  }

 private:
  const MachineSpec& spec_;
  Problems problems_;

  /// Where a field was written: its origin when that is a place, else its option.
  void say(const std::string& field, const std::string& option, const std::string& what) {
    std::string where = option;
    const auto origin = spec_.origins.find(field);
    if (origin != spec_.origins.end() && !origin->second.empty() && origin->second != "default")
      where = origin->second.rfind("option ", 0) == 0 ? origin->second.substr(7) : origin->second;
    problems_.push_back({where, what});
  }

  void names() {
    if (const std::string fault = name_fault(spec_.name.cloud); !fault.empty())
      say("cloud", "--cloud", "the cloud name " + quoted(spec_.name.cloud) + " is wrong: " + fault);
    if (spec_.name.name.empty()) return;
    if (const std::string fault = name_fault(spec_.name.name); !fault.empty())
      say("name", "name", "the name " + quoted(spec_.name.name) + " is wrong: " + fault);
  }

  void processor_and_memory() {
    const auto stray = [](const std::string& text, std::string_view extra) {
      return std::find_if(text.begin(), text.end(), [&](char c) {
               return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || extra.find(c) != extra.npos);
             }) != text.end();
    };
    if (spec_.cpus < 1 || spec_.cpus > most_cpus)
      say("cpus", "--cpus",
          fmt::format("{} processors are not possible; use 1 to {}", spec_.cpus, most_cpus));
    if (spec_.memory < mebi)
      say("memory", "--memory",
          fmt::format("{} of memory is too little; use 1M or more", format_size(spec_.memory)));
    else if (spec_.memory % mebi != 0)
      say("memory", "--memory",
          fmt::format("{} of memory is not a whole number of M; use {}", format_size(spec_.memory),
                      format_size(spec_.memory / mebi * mebi + mebi)));
    if (spec_.cpu.empty() || stray(spec_.cpu, "_.,+=-"))
      say("cpu", "--cpu",
          quoted(spec_.cpu) + " is no CPU model; write one with its flags: host,-avx");
    if (stray(spec_.machine, "_.-"))
      say("machine", "--machine",
          quoted(spec_.machine) +
              " is no machine type; use pc, q35 or a versioned one "
              "such as pc-q35-7.2");
    constexpr std::array bare{"microvm", "isapc", "none", "xenfv", "xenpv", "x-remote"};
    if (std::find(bare.begin(), bare.end(), spec_.machine) != bare.end())
      say("machine", "--machine",
          "machine type " + spec_.machine +
              " lacks the devices that every machine here has; "
              "use pc or q35");
  }

  void disk(std::size_t index) {
    const DiskSpec& disk = spec_.disks[index];
    const auto say_disk = [&](const std::string& what) {
      const std::string which =
          disk.path.empty() ? disk.size ? format_size(*disk.size) : "?" : printable(disk.path);
      say("disk." + std::to_string(index), "--disk",
          "disk " + std::to_string(index) + " (" + which + "): " + what);
    };
    if (disk.bus == DiskBus::ide && spec_.is_q35())
      say_disk(std::string("there is no IDE on q35") +
               (spec_.machine.empty() ? " (which UEFI uses)" : "") +
               "; use bus=sata or bus=virtio");
    if (disk.read_only && (disk.bus == DiskBus::ide || disk.bus == DiskBus::sata))
      say_disk("IDE and SATA disks cannot be read only in QEMU; use bus=virtio or bus=scsi");
    if (disk.aio == AioMode::native && disk.cache != CacheMode::none &&
        disk.cache != CacheMode::directsync)
      say_disk("aio=native needs cache=none or cache=directsync, not cache=" +
               to_string(disk.cache));
    if (!disk.backing.empty() && disk.format != DiskFormat::qcow2)
      say_disk("only a qcow2 disk has a backing file; use format=qcow2");
    logical_volume(disk, say_disk);
    for (const BackingLayer& layer : disk.backing)
      if (const std::string fault = text_fault(layer.path); !fault.empty())
        say_disk("its backing file cannot be used: " + fault);
    if (const std::string fault = text_fault(disk.path); !fault.empty())
      say_disk("its path cannot be used: " + fault);
  }

  template <class Say>
  void logical_volume(const DiskSpec& disk, const Say& say_disk) {
    if (!disk.thin.empty() && disk.vg.empty())
      say_disk("thin= names a pool of a volume group, and none is given; add vg=VG");
    if (disk.vg.empty()) return;
    if (disk.ours() && disk.format != DiskFormat::raw)
      say_disk("a logical volume is always raw; leave format= out");
    const std::string fault = volume_name_fault({disk.vg, disk.path.empty() ? "x" : disk.lv()});
    const std::string pool_fault = disk.thin.empty() ? "" : volume_name_fault({disk.vg, disk.thin});
    if (!fault.empty())
      say_disk(fault);
    else if (!pool_fault.empty())
      say_disk("thin=" + quoted(disk.thin) + ": " + pool_fault);
  }

  /// No file is written by two disks, and none is written while another reads through it.
  void paths_differ() {
    std::map<std::string, std::size_t> seen;
    for (std::size_t i = 0; i < spec_.disks.size(); ++i) {
      const std::string& path = spec_.disks[i].path;
      if (path.empty()) continue;
      const auto [twin, fresh] = seen.emplace(path, i);
      if (!fresh)
        say("disk." + std::to_string(i), "--disk",
            printable(path) + " is given twice, as disk " + std::to_string(twin->second) +
                " and disk " + std::to_string(i) +
                "; one machine "
                "uses a file once");
    }
    for (std::size_t i = 0; i < spec_.disks.size(); ++i)
      for (const BackingLayer& layer : spec_.disks[i].backing)
        if (seen.count(layer.path))
          say("disk." + std::to_string(i), "--disk",
              printable(layer.path) + " is the backing file of disk " + std::to_string(i) +
                  " and cannot be a disk of the same machine too");
    if (!spec_.cdrom.empty() && seen.count(spec_.cdrom))
      say("cdrom", "--cdrom",
          printable(spec_.cdrom) + " is also a disk of this machine; use it once");
  }

  int count(DiskBus bus) const {
    return static_cast<int>(std::count_if(spec_.disks.begin(), spec_.disks.end(),
                                          [&](const DiskSpec& disk) { return disk.bus == bus; }));
  }

  void slots() {
    const int drive = spec_.has_cdrom_drive() ? 1 : 0, ide = count(DiskBus::ide),
              sata = count(DiskBus::sata);
    const bool q35 = spec_.is_q35();
    if (!q35 && ide + drive > ide_devices)
      say("disk", "--disk",
          fmt::format("{} IDE disks{} are too many, IDE has {} places; use bus=virtio", ide,
                      drive ? " and the CD-ROM" : "", ide_devices));
    if (sata + (q35 ? drive : 0) > sata_devices)
      say("disk", "--disk",
          fmt::format("{} SATA disks{} are too many, SATA has {} places; use bus=virtio", sata,
                      q35 && drive ? " and the CD-ROM" : "", sata_devices));
    const int controllers =
        (count(DiskBus::scsi) > 0) + (!q35 && sata > 0) + spec_.vsock_cid.has_value();
    const int nics = static_cast<int>(spec_.nics.size());
    const int wanted = pci_always + controllers + count(DiskBus::virtio) + nics;
    if (wanted > pci_devices)
      say("disk", "--disk",
          fmt::format("{} virtio disks and {} NICs are too many, there are {} PCI slots for them; "
                      "use bus=scsi, which takes one slot for all",
                      count(DiskBus::virtio), nics, pci_devices - pci_always - controllers));
  }

  void booting() {
    const bool from_cdrom = spec_.boot == BootOrder::cdrom || spec_.boot == BootOrder::once_cdrom;
    if (from_cdrom && !spec_.has_cdrom_drive())
      say("boot", "--boot", "boot " + to_string(spec_.boot) + " needs a CD-ROM; give --cdrom ISO");
    if (spec_.boot == BootOrder::net && spec_.nics.empty())
      say("boot", "--boot", "boot net needs a NIC; give --nic");
    if (!spec_.kernel.empty()) return;
    if (!spec_.initrd.empty()) say("initrd", "--initrd", "an initrd needs a kernel; give --kernel");
    if (!spec_.append.empty())
      say("append", "--append", "kernel arguments need a kernel; give --kernel");
  }

  void nics() {
    std::map<Mac, std::size_t> seen;
    std::map<Ipv4, std::size_t> addresses;
    for (std::size_t i = 0; i < spec_.nics.size(); ++i) {
      const NicSpec& nic = spec_.nics[i];
      const auto twice = [&](const std::string& value, std::size_t other) {
        say("nic." + std::to_string(i), "--nic",
            fmt::format("{} is given to NIC {} and to NIC {}; each needs its own", value, other,
                        i));
      };
      if (nic.mac) {
        const auto [twin, fresh] = seen.emplace(*nic.mac, i);
        if (!fresh) twice(to_string(*nic.mac), twin->second);
      }
      if (nic.ip) {
        const auto [twin, fresh] = addresses.emplace(*nic.ip, i);
        if (!fresh) twice(to_string(*nic.ip), twin->second);
      }
    }
  }

  void vnc() {
    if (spec_.vnc.mode == VncMode::fixed && spec_.vnc.display > 65535 - 5900)
      say("vnc", "--vnc",
          fmt::format("display {} does not exist; displays go from 0 to 59635", spec_.vnc.display));
    unsigned char address[16];
    const std::string& listen = spec_.vnc.listen;
    if (listen.find('\0') != listen.npos || (inet_pton(AF_INET, listen.c_str(), address) != 1 &&
                                             inet_pton(AF_INET6, listen.c_str(), address) != 1))
      say("vnc-listen", "--vnc-listen",
          quoted(listen) +
              " is no numeric address; use 127.0.0.1, 0.0.0.0 (every "
              "interface) or one of the host's");
    if (spec_.vnc.mode == VncMode::off && !spec_.vnc.password_file.empty())
      say("vnc", "--vnc", "a VNC password is given and VNC is off; give one of the two");
  }

  void text(const std::string& field, const std::string& option, const std::string& value) {
    if (const std::string fault = text_fault(value); !fault.empty())
      say(field, option, quoted(value) + " cannot be used: " + fault);
  }

  void texts() {
    text("cdrom", "--cdrom", spec_.cdrom);
    text("kernel", "--kernel", spec_.kernel);
    text("initrd", "--initrd", spec_.initrd);
    text("append", "--append", spec_.append);
    text("qemu", "--qemu", spec_.qemu);
    text("vnc-password-file", "--vnc-password-file", spec_.vnc.password_file);
    for (const std::string& argument : spec_.qemu_args) text("args", "--", argument);
  }
};

}  // namespace

Problems check(const MachineSpec& spec) { return Checker(spec).run(); }

}  // namespace nutshell
