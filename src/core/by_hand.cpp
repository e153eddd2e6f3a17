// The same machine as a line for a shell, in the form that people type: short options, the bridge
// helper, and nothing that the machine can do without. Whoever copies it needs nothing of ours.
#include <fmt/format.h>

#include <algorithm>

#include "core/line_builder.hpp"

namespace nutshell {
namespace {

std::string on_off_format(const DiskSpec& disk, const Places& places) {
  const bool block = std::find(places.block_devices.begin(), places.block_devices.end(),
                               disk.path) != places.block_devices.end() ||
                     disk.path.starts_with("/dev/");
  if (block && disk.format == DiskFormat::raw && !disk.format_named) return "";
  return ",format=" + to_string(disk.format);
}

std::string drive_value(const DiskSpec& disk, const Places& places, const std::string& interface) {
  std::string value = fmt::format("file={},{}{}", escape_option(disk.path, "--disk"), interface,
                                  on_off_format(disk, places));
  if (disk.cache != CacheMode::writeback) value += ",cache=" + to_string(disk.cache);
  if (disk.aio != AioMode::threads) value += ",aio=" + to_string(disk.aio);
  if (disk.read_only) value += ",readonly=on";
  return value;
}

void hand_disks(LineBuilder& line, const MachineSpec& spec, const Places& places) {
  bool scsi = false, sata = false;
  unsigned sata_ports = 0;
  for (std::size_t i = 0; i < spec.disks.size(); ++i) {
    const DiskSpec& disk = spec.disks[i];
    const std::string origin = line.origin(fmt::format("disk.{}", i)),
                      meaning = fmt::format("disk {} is {}", i, printable(disk.path));
    const std::string id = fmt::format("disk{}", i);
    if (disk.bus == DiskBus::virtio || disk.bus == DiskBus::ide) {
      line.add("-drive", drive_value(disk, places, "if=" + to_string(disk.bus)),
               fmt::format("{}, seen by the guest as a {} disk", meaning, to_string(disk.bus)),
               origin);
      continue;
    }
    if (disk.bus == DiskBus::scsi && !std::exchange(scsi, true))
      line.add("-device", "virtio-scsi-pci,id=scsi0", "a SCSI controller", origin);
    if (disk.bus == DiskBus::sata && !spec.is_q35() && !std::exchange(sata, true))
      line.add("-device", "ich9-ahci,id=sata0", "a SATA controller", origin);
    line.add("-drive", drive_value(disk, places, fmt::format("if=none,id={}", id)), meaning,
             origin);
    std::string bus = "scsi0.0";
    if (disk.bus == DiskBus::sata) {
      unsigned port = sata_ports++;
      if (spec.is_q35() && port >= 2) ++port;
      bus = fmt::format("{}.{}", spec.is_q35() ? "ide" : "sata0", port);
    }
    line.add("-device",
             fmt::format("{},drive={},bus={}", disk.bus == DiskBus::scsi ? "scsi-hd" : "ide-hd", id,
                         bus),
             fmt::format("disk {} on {}", i, to_string(disk.bus)), origin);
  }
}

void hand_firmware(LineBuilder& line, const MachineSpec& spec, const Places& places) {
  const bool plain_pc =
      spec.machine.empty() || spec.machine == "pc" || spec.machine.starts_with("pc-i440fx");
  if (spec.firmware == Firmware::uefi || !plain_pc || line.origin("machine").starts_with("option"))
    line.add("-machine",
             spec.machine.empty() ? (spec.firmware == Firmware::uefi ? "q35" : "pc") : spec.machine,
             "the board", line.origin("machine"));
  if (spec.firmware != Firmware::uefi) return;
  if (places.ovmf_code.empty())
    throw Failed(
        "no UEFI firmware was found on this host; install the package ovmf, or use --firmware "
        "bios");
  line.add("-drive",
           fmt::format("if=pflash,format=raw,readonly=on,file={}",
                       escape_option(places.ovmf_code, "firmware")),
           "the UEFI firmware", "host: " + places.ovmf_code);
  line.add(
      "-drive",
      fmt::format("if=pflash,format=raw,file={}", escape_option(spec.firmware_vars, "firmware")),
      "the machine's own UEFI variables", "made at create");
}

// OVMF does not look at -boot; there the order is the bootindex of the drive itself.
void hand_cdrom_and_boot(LineBuilder& line, const MachineSpec& spec) {
  const bool first = spec.boot == BootOrder::cdrom || spec.boot == BootOrder::once_cdrom;
  const std::string origin = line.origin("cdrom");
  if (!spec.cdrom.empty() && spec.firmware == Firmware::uefi && first) {
    line.add("-drive",
             fmt::format("file={},if=none,id=cd0,media=cdrom,format=raw,readonly=on",
                         escape_option(spec.cdrom, "--cdrom")),
             "the ISO", origin);
    line.add("-device", "ide-cd,drive=cd0,bootindex=0",
             spec.boot == BootOrder::cdrom ? "the CD-ROM, booted first"
                                           : "the CD-ROM, booted first; UEFI knows no `once`, so "
                                             "leave this part out after the installation",
             line.origin("boot"));
    return;
  }
  if (!spec.cdrom.empty())
    line.add("-cdrom", escape_option(spec.cdrom, "--cdrom"), "the ISO in the CD-ROM drive", origin);
  const char* order = spec.boot == BootOrder::cdrom        ? "d"
                      : spec.boot == BootOrder::once_cdrom ? "once=d"
                      : spec.boot == BootOrder::net        ? "n"
                                                           : nullptr;
  if (!order || (spec.firmware == Firmware::uefi && spec.boot != BootOrder::net)) return;
  const char* meaning = spec.boot == BootOrder::cdrom ? "boot from the CD-ROM"
                        : spec.boot == BootOrder::once_cdrom
                            ? "boot from the CD-ROM this once; a reset boots the disk"
                            : "boot from the network";
  line.add("-boot", order, meaning, line.origin("boot"));
}

void hand_vnc(LineBuilder& line, const MachineSpec& spec, std::optional<unsigned> display) {
  const std::string origin = line.origin("vnc");
  if (spec.vnc.mode == VncMode::off) return line.add("-display", "none", "no screen", origin);
  std::string secret;
  if (spec.vnc.password && !spec.vnc.password_file.empty()) {
    line.add("-object",
             fmt::format("secret,id=vnc0,file={}",
                         escape_option(spec.vnc.password_file, "--vnc-password-file")),
             "where the VNC password is read from", origin);
    secret = ",password-secret=vnc0";
  }
  if (spec.vnc.mode == VncMode::unix_socket)
    return line.add("-vnc", fmt::format("unix:{}.vnc{}", spec.name.name, secret),
                    "a VNC server on a socket in the current folder", origin);
  const bool everywhere = spec.vnc.listen == "0.0.0.0" || spec.vnc.listen == "::";
  const std::string host = everywhere ? ""
                           : spec.vnc.listen.find(':') == std::string::npos
                               ? spec.vnc.listen
                               : "[" + spec.vnc.listen + "]";
  if (spec.vnc.mode == VncMode::fixed) display = spec.vnc.display;
  const std::string open_to_all = spec.vnc.password && secret.empty()
                                      ? ", without the password that nutshell would ask for"
                                      : "";
  const std::string where =
      (everywhere ? "on every interface" : "on " + spec.vnc.listen) + open_to_all;
  if (display)
    line.add("-vnc", fmt::format("{}:{}{}", host, *display, secret),
             fmt::format("a VNC server {}, port {}", where, 5900 + *display), origin);
  else
    line.add("-vnc", fmt::format("{}:0,to=99{}", host, secret),
             fmt::format("a VNC server {}, on the first free port from 5900", where), origin);
}

}  // namespace

Line render_by_hand(const MachineSpec& spec, const Decision& decision, const Places& places,
                    std::optional<unsigned> display) {
  LineBuilder line(spec);
  line.add("-accel", decision.kvm ? "kvm" : "tcg",
           decision.kvm ? "run on the processor itself" : "emulate the processor in software",
           decision.accel_origin);
  hand_firmware(line, spec, places);
  line.add("-m",
           spec.memory % mebi == 0 ? std::to_string(spec.memory / mebi)
                                   : fmt::format("{}k", spec.memory / kibi),
           fmt::format("{} of memory", format_size(spec.memory)), line.origin("memory"));
  if (spec.cpus > 1)
    line.add("-smp", std::to_string(spec.cpus), fmt::format("{} virtual CPUs", spec.cpus),
             line.origin("cpus"));
  if (!decision.nested_flag.empty())
    line.add("-cpu", spec.cpu + "," + decision.nested_flag,
             decision.nested_flag[0] == '+' ? "a processor that can run machines inside the machine"
                                            : "a processor without virtualization of its own",
             line.origin("cpu") + "; flag: " + decision.nested_origin);
  else if (spec.cpu != "qemu64")
    line.add("-cpu", spec.cpu, "the processor model", line.origin("cpu"));
  hand_disks(line, spec, places);
  hand_nics(line, spec);
  if (!spec.kernel.empty())
    line.add("-kernel", spec.kernel, "boot this kernel directly", line.origin("kernel"));
  if (!spec.initrd.empty())
    line.add("-initrd", spec.initrd, "its initial RAM disk", line.origin("initrd"));
  if (!spec.append.empty())
    line.add("-append", spec.append, "the kernel's command line", line.origin("append"));
  hand_cdrom_and_boot(line, spec);
  hand_vnc(line, spec, display);
  for (const std::string& arg : spec.qemu_args)
    line.add(arg, "", "handed to QEMU as it is", line.origin("args"));
  return std::move(line).finish(places.qemu);
}

std::string explain(const Line& line) {
  std::string text;
  for (const std::string& command : line.before) text += command + "\n    must have run before\n\n";
  text += line.program + "\n";
  for (const Arg& arg : line.args) {
    text += fmt::format("\n{}\n", arg.value.empty()    ? shell_quote(arg.option)
                                  : arg.option.empty() ? shell_quote(arg.value)
                                                       : arg.option + " " + shell_quote(arg.value));
    text += fmt::format("    {}\n    from: {}\n", arg.meaning, arg.origin);
  }
  return text;
}

}  // namespace nutshell
