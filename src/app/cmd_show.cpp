// show: all that is known of one machine, for a person or as JSON.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/cmd.hpp"
#include "app/lost.hpp"
#include "app/machine_json.hpp"
#include "app/settle.hpp"

namespace nutshell {
namespace {

std::string boot_words(const MachineRow& row) {
  if (row.spec.boot != BootOrder::once_cdrom) return to_string(row.spec.boot);
  return row.boot_once_consumed
             ? "disk (the one boot from the CD-ROM is done; `start --boot once=cdrom` asks again)"
             : "once=cdrom (not yet done)";
}

std::string describe_nic(const NicSpec& nic, const std::string& tap) {
  std::string words =
      fmt::format("{}  {}", nic.mac ? to_string(*nic.mac) : "no MAC yet", to_string(nic.model));
  if (nic.kind == NicKind::user) return words + "  user-mode networking";
  if (nic.kind == NicKind::macvtap)
    words += fmt::format("  macvtap on {} ({})", nic.uplink, to_string(nic.macvtap_mode));
  else
    words += nic.kind == NicKind::network
                 ? fmt::format("  network {} (bridge {})", nic.network, nic.bridge)
                 : fmt::format("  bridge {}", nic.bridge);
  if (nic.vlan) words += fmt::format("  VLAN {}", nic.vlan);
  if (!nic.trunk.empty()) words += fmt::format("  trunk {}", to_string(nic.trunk));
  if (nic.ip) words += "  " + to_string(*nic.ip);
  if (!tap.empty()) words += (nic.kind == NicKind::macvtap ? "  link " : "  tap ") + tap;
  if (nic.rate) words += fmt::format("  at most {} bit/s", nic.rate);
  if (nic.is_bridged() && !nic.is_guarded()) words += "  not held to its addresses";
  return words;
}

std::string text_of(House& house, const MachineRow& row, const Seen& seen) {
  const MachineSpec& spec = row.spec;
  std::string text;
  const auto line = [&](const std::string& key, const std::string& value) {
    text += fmt::format("{:<10} {}\n", key, value);
  };
  line("name", to_string(row.name));
  line("state", house.reporter.state(seen.words) +
                    (row.run && seen.state == MachineState::running
                         ? fmt::format(" since {} (pid {}, {})", row.run->since, row.run->pid,
                                       row.run->accel)
                         : ""));
  if (seen.why_paused == PausedBy::disk)
    line("", fmt::format("make room on the host's disk, or in the thin pool; then `nutshell resume "
                         "{}`",
                         to_string(row.name)));
  line("uuid", row.uuid.text);
  line("cpus", fmt::format("{} ({})", spec.cpus, spec.cpu));
  line("memory", format_size(spec.memory));
  line("machine", fmt::format("{}, {}", spec.machine, to_string(spec.firmware)));
  line("nested", to_string(spec.nested));
  for (std::size_t i = 0; i < spec.disks.size(); ++i) {
    const DiskSpec& disk = spec.disks[i];
    line(fmt::format("disk {}", i),
         fmt::format("{}  {}{} on {}{}{}", printable(disk.path),
                     disk.size ? format_size(*disk.size) + " " : "", to_string(disk.format),
                     to_string(disk.bus), disk.thin.empty() ? "" : ", thin in " + disk.thin,
                     disk.read_only ? ", read-only" : ""));
  }
  if (spec.has_cdrom_drive()) line("cdrom", spec.cdrom.empty() ? "empty" : printable(spec.cdrom));
  line("boot", spec.kernel.empty() ? boot_words(row) : "kernel " + printable(spec.kernel));
  for (std::size_t i = 0; i < spec.nics.size(); ++i)
    line(fmt::format("nic {}", i),
         describe_nic(spec.nics[i], row.run && i < row.run->taps.size() ? row.run->taps[i] : ""));
  if (!spec.groups.empty()) line("groups", fmt::format("{}", fmt::join(spec.groups, ", ")));
  for (const auto& [key, value] : spec.tags)
    line("tag", value.empty() ? key : printable(fmt::format("{}={}", key, value)));
  for (const PublishedPort& port : spec.publish) line("publish", to_string(port));
  for (const PublicAddress& address : house.registry().addresses())
    if (address.machine == row.uuid) line("public", to_string(address.address));
  const std::string vnc = vnc_words(house, row.uuid, spec.vnc.mode, row.run);
  line("vnc",
       vnc.empty()
           ? (spec.vnc.mode == VncMode::off ? "off" : to_string(spec.vnc.mode) + " (while it runs)")
           : vnc);
  line("created", row.created);
  line("boots", std::to_string(row.boots));
  line("folder", house.paths.machine(row.uuid));
  return text;
}

}  // namespace

Exit run_show(const Parsed& args, House& house) {
  const MachineRow row = settled_row(house, find_machine(house, args.word(0, "NAME")));
  warn_of_unknown_runs(house);
  Seen seen = look_calmly(house, row);
  if (seen.uncollected) seen.words += " (not yet collected)";
  house.reporter.answer(machine_details(house, row, seen), text_of(house, row, seen));
  return Exit::done;
}

}  // namespace nutshell
