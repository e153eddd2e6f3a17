// Everything here only reads. What is wrong with the spec goes to `problems`; what is wrong with
// the host is thrown.
#include "app/complete.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "app/cloud_seed.hpp"
#include "app/guard.hpp"
#include "app/lost.hpp"
#include "app/network.hpp"
#include "app/nic_checks.hpp"
#include "app/secret.hpp"
#include "host/fd.hpp"
#include "host/files.hpp"
#include "host/in_use.hpp"

namespace nutshell {
namespace {

void take_defaults(const House& house, const Facts& facts, MachineSpec& spec) {
  const auto left_open = [&](const char* field) { return !spec.origins.contains(field); };
  const auto from_config = [&](const char* field) {
    const auto found = house.config.origins.find(field);
    spec.origins[field] = found == house.config.origins.end() ? house.config.file : found->second;
  };
  if (left_open("cpu") && !house.config.cpu.empty()) {
    spec.cpu = house.config.cpu;
    from_config("cpu");
  }
  if (left_open("memory") && house.config.memory) {
    spec.memory = *house.config.memory;
    from_config("memory");
  }
  if (left_open("qemu") && !house.config.qemu.empty()) spec.qemu = house.config.qemu;
  if (spec.nics.empty() && left_open("nic")) {
    NicSpec nic;
    nic.kind = facts.root ? NicKind::network : NicKind::user;
    nic.network = facts.root ? default_network : "";
    spec.nics.push_back(nic);
    spec.origins["nic.0"] = facts.root ? "default for root: the managed network"
                                       : "default for ordinary users: user-mode networking";
  }
}

/// Why that NIC cannot be on that managed network; empty: it can.
std::string network_fault(House& house, const NicSpec& nic, const std::vector<NetworkRow>& coming) {
  auto row = house.registry().network(nic.network);
  for (const NetworkRow& each : coming)
    if (each.name == nic.network) row = each;
  if (!row && nic.network != default_network)
    return fmt::format(
        "there is no managed network {}; `nutshell network create {}` makes it, and "
        "`nutshell network ls` lists those that there are",
        nic.network, nic.network);
  const unsigned mtu = row ? row->mtu : usual_mtu;
  if (nic.mtu > mtu)
    return fmt::format("mtu={} is more than the network {} carries ({}); use that or less", nic.mtu,
                       nic.network, mtu);
  return "";
}

void complete_nics(House& house, const Facts& facts, MachineSpec& spec, Problems& problems,
                   const std::vector<NetworkRow>& coming) {
  for (NicSpec& nic : spec.nics) {
    if (nic.kind == NicKind::network && nic.network.empty()) {
      nic.kind = facts.root ? NicKind::network : NicKind::user;
      nic.network = facts.root ? default_network : "";
    }
    if (nic.kind == NicKind::network && !facts.root)
      problems.push_back(
          {"--nic", fmt::format("the managed network {} needs root; use --nic user, or --nic "
                                "bridge=BR where /etc/qemu/bridge.conf allows it",
                                nic.network)});
    if (nic.kind == NicKind::network)
      if (std::string fault = network_fault(house, nic, coming); !fault.empty())
        problems.push_back({"--nic", std::move(fault)});
    for (std::string fault : {vlan_fault(nic, facts), macvtap_fault(nic, facts)})
      if (!fault.empty()) problems.push_back({"--nic", std::move(fault)});
    if (nic.queues > 1 && !facts.root && nic.kind != NicKind::macvtap)
      problems.push_back({"--nic", fmt::format("queues={} needs root; the bridge helper gives an "
                                               "ordinary user a tap of one queue",
                                               nic.queues)});
    if (nic.kind != NicKind::bridge) continue;
    for (const NetworkRow& network : house.registry().networks())
      if (network.bridge == nic.bridge)
        problems.push_back(
            {"--nic", fmt::format("{} is the bridge of the managed network {}; use network={}",
                                  nic.bridge, network.name, network.name)});
    const LinkFact* link = facts.link(nic.bridge);
    if (!link)
      problems.push_back({"--nic", fmt::format("bridge {} does not exist; make it with `nutshell "
                                               "bridge create {}`, or leave --nic out",
                                               printable(nic.bridge), printable(nic.bridge))});
    else if (link->kind != "bridge")
      problems.push_back(
          {"--nic", fmt::format("{} is no bridge{}; name a bridge, or leave --nic out", nic.bridge,
                                link->kind.empty() ? "" : " but a " + link->kind)});
    else if (nic.mtu > link->mtu)
      problems.push_back(
          {"--nic", fmt::format("mtu={} is more than the bridge {} carries ({}); use that or less",
                                nic.mtu, nic.bridge, link->mtu)});
  }
}

void complete_disk(const House& house, MachineSpec& spec, std::size_t index, Problems& problems,
                   std::vector<std::string>& warnings) {
  DiskSpec& disk = spec.disks[index];
  try {
    // LVM has been asked (complete_volumes); what is not active cannot be looked into.
    if (disk.on_lvm() && (disk.ours() || !host::file_exists(disk.path))) return;
    if (disk.ours()) {
      if (!disk.path.empty() && host::file_exists(disk.path)) return;  // made earlier
      if (disk.path.empty())
        disk.path = fmt::format("{}/disk{}.{}", house.paths.machine(spec.uuid), index,
                                disk.format == DiskFormat::qcow2 ? "qcow2" : "img");
      if (!disk.backing.empty()) {
        const host::ImageFacts below =
            host::look_at_image(disk.backing.front().path, disk.backing.front().format);
        if (below.size > *disk.size)
          problems.push_back(
              {"--disk",
               fmt::format("{} is smaller than its backing file {} ({}); make it at least as large",
                           format_size(*disk.size), printable(disk.backing.front().path),
                           format_size(below.size))});
        disk.backing.insert(disk.backing.end(), below.backing.begin(), below.backing.end());
      }
      if (const auto warning = host::check_volume(disk.path, *disk.size))
        warnings.push_back(*warning);
      return;
    }
    if (is_unmade_seed(house, spec.name, disk)) return;  // `up` makes it before a start
    const host::ImageFacts image = host::look_at_image(disk.path, disk.format);
    if (image.qcow2 && disk.format == DiskFormat::raw && !disk.format_named)
      problems.push_back(
          {"--disk",
           fmt::format(
               "{} looks like a qcow2 image; say which it is with format=qcow2 or format=raw",
               printable(disk.path))});
    disk.backing = image.backing;
  } catch (const ConfigError& error) {
    problems.insert(problems.end(), error.problems().begin(), error.problems().end());
  }
}

void complete_firmware(const House& house, const Facts& facts, MachineSpec& spec) {
  if (!facts.qemu) throw Failed(facts.qemu_trouble);
  const std::string asked =
      spec.machine.empty() ? (spec.firmware == Firmware::uefi ? "q35" : "pc") : spec.machine;
  const bool by_name = !spec.machine.empty();
  if (asked == "pc" || asked == "q35") {
    spec.machine = asked == "pc" ? facts.qemu->pc_machine : facts.qemu->q35_machine;
    const std::string origin =
        by_name && spec.origins.contains("machine") ? spec.origins["machine"] : "default";
    spec.origins["machine"] = fmt::format("{}: {}, pinned at create", origin, asked);
  }
  if (spec.firmware != Firmware::uefi) return;
  if (facts.ovmf_code.empty())
    throw Failed(
        "no UEFI firmware was found on this host; install the package ovmf, or use --firmware "
        "bios");
  spec.firmware_vars = house.paths.machine(spec.uuid) + "/variables.fd";
}

void check_memory(const Facts& facts, const MachineSpec& spec, Problems& problems,
                  std::vector<std::string>& warnings) {
  if (facts.memory_total && spec.memory > facts.memory_total)
    problems.push_back({"--memory", fmt::format("{} is more than this host has ({}); choose less",
                                                format_size(spec.memory),
                                                format_size_roughly(facts.memory_total))});
  else if (facts.memory_available && spec.memory > facts.memory_available)
    warnings.push_back(fmt::format(
        "{} of memory is more than is free now ({}); the host may swap, or end the machine",
        format_size(spec.memory), format_size_roughly(facts.memory_available)));
}

void refuse_holder(const MachineSpec& spec, const std::string& thing,
                   const std::optional<std::string>& holder) {
  if (!holder) return;
  throw Conflict(fmt::format("{}: {} is {}{}; end that first, or give another disk",
                             to_string(spec.name), thing,
                             holder->starts_with("in use") ? "" : "in use: ", *holder));
}

void check_files(const MachineSpec& spec) {
  if (!spec.cdrom.empty()) check_iso(spec.cdrom, "--cdrom");
  if (!spec.kernel.empty()) check_iso(spec.kernel, "--kernel");
  if (!spec.initrd.empty()) check_iso(spec.initrd, "--initrd");
}

}  // namespace

void check_iso(const std::string& path, const std::string& where) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR)
      throw NotFound(
          fmt::format("{}: there is no file {}; check the path", where, printable(path)));
    throw SystemError(errno, fmt::format("{}: {} cannot be looked at", where, printable(path)));
  }
  if (S_ISDIR(status.st_mode))
    throw ConfigError(where,
                      fmt::format("{} is a directory; name the file in it", printable(path)));
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
    throw ConfigError(
        where, fmt::format("{} is no plain file or block device; name an image", printable(path)));
  const host::Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) throw SystemError(errno, fmt::format("{}: {} cannot be read", where, printable(path)));
}

void complete_spec(House& house, const Facts& facts, MachineSpec& spec, Problems& problems,
                   std::vector<std::string>& warnings, const std::vector<NetworkRow>& coming) {
  take_defaults(house, facts, spec);
  complete_nics(house, facts, spec, problems, coming);
  for (std::size_t i = 0; i < spec.disks.size(); ++i)
    complete_disk(house, spec, i, problems, warnings);
  complete_firmware(house, facts, spec);
  if (!spec.vnc.password_file.empty()) {
    try {
      read_vnc_password(spec.vnc.password_file, "--vnc-password-file");
    } catch (const ConfigError& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  }
  check_memory(facts, spec, problems, warnings);
  const Problems more = check(spec);
  problems.insert(problems.end(), more.begin(), more.end());
  if (problems.empty()) check_files(spec);
}

void check_needs(House& house, const MachineSpec& spec) {
  check_files(spec);
  check_guard(house, spec);
  for (const DiskSpec& disk : spec.disks)
    if (is_unmade_seed(house, spec.name, disk))
      throw NotFound(
          fmt::format("{}: its seed {} is not there; `nutshell up` with the file of its "
                      "cloud makes it",
                      to_string(spec.name), printable(disk.path)));
}

void check_before_start(House& house, const Facts& facts, const MachineSpec& spec) {
  refuse_beside_unknown(house);
  check_needs(house, spec);
  for (const NicSpec& nic : spec.nics) {
    for (const std::string& fault : {vlan_fault(nic, facts), macvtap_fault(nic, facts)})
      if (!fault.empty()) throw Conflict(fmt::format("{}: {}", to_string(spec.name), fault));
    if (nic.kind != NicKind::bridge) continue;
    const LinkFact* link = facts.link(nic.bridge);
    if (!link || link->kind != "bridge")
      throw NotFound(fmt::format("{}: bridge {} {}; bring it back, or use `nutshell set`",
                                 to_string(spec.name), nic.bridge,
                                 link ? "is no bridge any more" : "does not exist any more"));
  }
  for (const DiskSpec& disk : spec.disks) {
    refuse_holder(spec, "disk " + printable(disk.path),
                  host::disk_holder(disk.path, disk.read_only,
                                    disk.ours() ? host::Search::quick : host::Search::thorough));
    for (const BackingLayer& layer : disk.backing)  // read by many, but written by nobody
      refuse_holder(spec, "the backing file " + printable(layer.path),
                    host::disk_holder(layer.path, true, host::Search::quick));
  }
}

}  // namespace nutshell
