// The exact QEMU line. It reads in the order of the line itself: identity, processor, memory,
// firmware, devices, channels. Every path that is not readable by everybody is handed over as a
// descriptor, so QEMU can run with no rights of its own.
#include "nutshell/argv.hpp"

#include <fmt/format.h>

#include "core/line_builder.hpp"

namespace nutshell {
namespace {

void render_identity(LineBuilder& line, const MachineSpec& spec) {
  line.add("-name", fmt::format("guest={},debug-threads=on", to_string(spec.name)),
           "the machine's name, shown in process lists", line.origin("name"));
  line.add("-uuid", spec.uuid.text, "its identity: how a process is proven to be this machine's",
           "drawn at create");
  line.add("-no-user-config", "", "read no configuration files of QEMU's own", "nutshell");
  line.add("-nodefaults", "", "make no device that is not named here", "nutshell");
  line.add("-S", "", "wait before the first instruction, until everything asked for is verified",
           "nutshell");
  line.add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
           "a seccomp filter: no new rights, no other programs", "nutshell");
}

void render_processor(LineBuilder& line, const MachineSpec& spec, const Decision& decision) {
  if (decision.kvm)
    line.add("-accel", "kvm", "run the guest's instructions on the processor itself",
             decision.accel_origin);
  else
    line.add("-accel", "tcg,thread=multi",
             "translate the guest's instructions in software, one thread for each CPU",
             decision.accel_origin);
  std::string cpu = spec.cpu;
  std::string meaning = fmt::format("the processor model {}", spec.cpu);
  std::string origin = line.origin("cpu");
  if (!decision.nested_flag.empty()) {
    cpu += "," + decision.nested_flag;
    meaning += decision.nested_flag[0] == '+'
                   ? fmt::format(", with {} so that the guest can run machines of its own",
                                 decision.nested_flag.substr(1))
                   : fmt::format(", without {}", decision.nested_flag.substr(1));
    origin += "; flag: " + decision.nested_origin;
  }
  line.add("-cpu", cpu, meaning, origin);
  line.add("-smp", std::to_string(spec.cpus),
           fmt::format("{} virtual CPU{}", spec.cpus, spec.cpus == 1 ? "" : "s"),
           line.origin("cpus"));
  line.add(
      "-m",
      fmt::format("size={}{}", spec.memory % mebi == 0 ? spec.memory / mebi : spec.memory / kibi,
                  spec.memory % mebi == 0 ? "M" : "k"),
      fmt::format("{} of memory", format_size(spec.memory)), line.origin("memory"));
}

void render_machine(LineBuilder& line, const MachineSpec& spec, const Places& places) {
  std::string machine =
      spec.machine.empty() ? (spec.firmware == Firmware::uefi ? "q35" : "pc") : spec.machine;
  const std::string type = machine;
  if (spec.firmware == Firmware::uefi) {
    if (places.ovmf_code.empty())
      throw Failed(
          "no UEFI firmware was found on this host; install the package ovmf, or use --firmware "
          "bios");
    const std::string code = line.hand_file(Handle::What::read, places.ovmf_code, "firmware");
    const std::string vars =
        line.hand_file(Handle::What::read_write, spec.firmware_vars, "variables");
    const auto flash = [&](const char* node, const std::string& file, bool read_only,
                           const char* meaning, const std::string& origin) {
      line.add_json("-blockdev",
                    Json::object({{"driver", "raw"},
                                  {"node-name", node},
                                  {"read-only", read_only},
                                  {"file", Json::object({{"driver", "file"},
                                                         {"filename", file},
                                                         {"auto-read-only", false},
                                                         {"read-only", read_only}})}}),
                    meaning, origin);
    };
    flash("firmware", code, true, "the UEFI firmware, shared and read-only",
          "host: " + places.ovmf_code);
    flash("variables", vars, false, "the machine's own UEFI variables", "made at create");
    machine += ",pflash0=firmware,pflash1=variables";
  }
  line.add("-machine", machine, fmt::format("the board: {}", type), line.origin("machine"));
}

// A box inside chooses none of the addresses that are in use out here.
void render_outer(LineBuilder& line, const Decision& decision, const Places& places) {
  if (places.outer.empty() || !decision.nested_flag.starts_with('+')) return;
  line.add("-smbios", "type=11,value=" + escape_option(places.outer, "outer"),
           "tells a nutshell inside how deep it is, and which addresses are in use outside",
           "host: addresses, routes and networks");
}

void render_direct_kernel(LineBuilder& line, const MachineSpec& spec) {
  if (spec.kernel.empty()) return;
  const auto copied = [&](const std::string& path) {
    return fmt::format("/proc/self/fd/{}", line.hand(Handle::What::memory_copy, path));
  };
  line.add(
      "-kernel", copied(spec.kernel),
      fmt::format("boot the kernel {} directly, from a copy in memory", printable(spec.kernel)),
      line.origin("kernel"));
  if (!spec.initrd.empty())
    line.add("-initrd", copied(spec.initrd),
             fmt::format("its initial RAM disk {}", printable(spec.initrd)), line.origin("initrd"));
  if (!spec.append.empty())
    line.add("-append", spec.append, "the kernel's command line", line.origin("append"));
}

void add_socket(LineBuilder& line, const std::string& id, const std::string& path,
                const std::string& log, const std::string& meaning) {
  const std::string file =
      log.empty() ? ""
                  : fmt::format(",logfile={},logappend=on",
                                line.hand_file(Handle::What::append, log, id + "-log"));
  const int fd = line.hand(Handle::What::listen_unix, path);
  line.add("-chardev", fmt::format("socket,id={},fd={},server=on,wait=off{}", id, fd, file),
           meaning, "nutshell");
}

void render_console(LineBuilder& line, const MachineSpec& spec, const Places& places) {
  add_socket(line, "serial0", places.serial, places.serial_log,
             fmt::format("the serial line: a socket at {}, and everything written kept in a log",
                         places.serial));
  line.add_json("-device",
                Json::object({{"driver", "isa-serial"}, {"id", "serial0"}, {"chardev", "serial0"}}),
                "the first serial port (ttyS0)");
  line.add_json("-device", Json::object({{"driver", "VGA"}, {"id", "video0"}}),
                "a standard VGA card");
  line.add_json("-device", Json::object({{"driver", "qemu-xhci"}, {"id", "usb0"}}),
                "a USB controller");
  line.add_json("-device",
                Json::object({{"driver", "usb-tablet"}, {"id", "tablet0"}, {"bus", "usb0.0"}}),
                "a pointer that follows the viewer's");
  line.add("-display", "none", "no window on this host", "nutshell");
  if (spec.vnc.mode == VncMode::off) return;
  line.add("-vnc", spec.vnc.password ? "none,password=on" : "none",
           "a VNC server that gets its listening socket by QMP before the start, so that no other "
           "program can have it",
           line.origin("vnc"));
}

void render_channels(LineBuilder& line, const Places& places) {
  line.add_json("-object", Json::object({{"qom-type", "rng-builtin"}, {"id", "rng0"}}),
                "random numbers from the host");
  line.add_json("-device",
                Json::object({{"driver", "virtio-rng-pci"}, {"id", "rng0"}, {"rng", "rng0"}}),
                "random numbers for the guest");
  line.add_json("-device", Json::object({{"driver", "virtio-balloon-pci"}, {"id", "balloon0"}}),
                "lets the guest give memory back");
  line.add_json("-device", Json::object({{"driver", "virtio-serial-pci"}, {"id", "channels0"}}),
                "carries the agent channel");
  add_socket(line, "agent0", places.agent, "",
             fmt::format("the guest agent's channel: a socket at {}", places.agent));
  line.add_json("-device",
                Json::object({{"driver", "virtserialport"},
                              {"id", "agent0"},
                              {"bus", "channels0.0"},
                              {"chardev", "agent0"},
                              {"name", "org.qemu.guest_agent.0"}}),
                "where qemu-guest-agent listens, inside");
  line.add_json("-device", Json::object({{"driver", "pvpanic"}, {"id", "panic0"}}),
                "tells when the guest's kernel has panicked");
}

void render_control(LineBuilder& line, const Places& places) {
  add_socket(line, "qmp0", places.qmp, "", "QMP for commands");
  line.add("-mon", "chardev=qmp0,mode=control", "QMP speaks on that socket", "nutshell");
  add_socket(line, "watch0", places.watch, "", "QMP for watching");
  line.add("-mon", "chardev=watch0,mode=control", "QMP speaks on that socket, too", "nutshell");
  line.add("-trace", "qemu_system_shutdown_request",
           "write to the log why the machine was shut down", "nutshell");
  line.add("-trace", "runstate_set", "write to the log each state that it enters", "nutshell");
}

}  // namespace

Line render_line(const MachineSpec& spec, const Decision& decision, const Places& places) {
  LineBuilder line(spec);
  line.hand(Handle::What::lock, places.lock);
  render_identity(line, spec);
  render_machine(line, spec, places);
  render_processor(line, spec, decision);
  render_outer(line, decision, places);
  render_direct_kernel(line, spec);
  render_nics(line, spec,
              places);  // before the disks: a disk more does not rename the guest's interfaces
  render_disks(line, spec, places);
  render_cdrom(line, spec);
  render_console(line, spec, places);
  render_channels(line, places);
  render_control(line, places);
  for (const std::string& arg : spec.qemu_args)
    line.add(arg, "", "handed to QEMU as it is", line.origin("args"));
  return std::move(line).finish(places.qemu);
}

}  // namespace nutshell
