// Golden pairs: NAME.toml is a machine, NAME.argv its line (one option per line), NAME.hand the
// line for a shell, NAME.plan the steps of its launch. NUTSHELL_ACCEPT=1 writes them anew; then the
// diff is reviewed. All paths begin with /golden, which stands for a folder.
#pragma once
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "nutshell/argv.hpp"
#include "nutshell/config.hpp"
#include "nutshell/plan.hpp"
#include "nutshell/volume_rules.hpp"

namespace golden {

namespace fs = std::filesystem;
using namespace nutshell;

inline const std::string root = "/golden";

inline fs::path folder() { return fs::path(NUTSHELL_SOURCE_DIR) / "tests/golden"; }

inline std::string read(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder()))
    if (entry.path().extension() == ".toml") found.push_back(entry.path().stem().string());
  std::sort(found.begin(), found.end());
  return found;
}

inline std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// The host of the golden files: root, no KVM (the machines that run these tests have none), UEFI
/// firmware under /golden.
inline Facts facts() {
  Facts facts;
  facts.root = true;
  facts.cpu_vendor = CpuVendor::intel;
  facts.kvm.trouble = "there is no /dev/kvm";
  return facts;
}

inline Paths paths(const std::string& base) {
  PathChoice choice;
  choice.root = base;
  choice.is_root = true;
  return make_paths(choice);
}

/// The machine of a golden file, complete as after `create`, with /golden replaced by `base`.
inline MachineSpec machine(const std::string& name, const std::string& base = root) {
  const fs::path file = folder() / (name + ".toml");
  MachineSpec spec = parse_machine(replace_all(read(file), root + "/", base + "/"), name + ".toml");
  spec.uuid = *parse_uuid("4e757473-6865-4c6c-8000-676f6c64656e");
  for (std::size_t i = 0; i < spec.disks.size(); ++i)
    if (spec.disks[i].on_lvm())
      spec.disks[i].path = base + "/dev/" + spec.disks[i].vg + "/" +
                           machine_volume(spec.name, static_cast<unsigned>(i));
    else if (spec.disks[i].ours())
      spec.disks[i].path = paths(base).machine(spec.uuid) + "/disk" + std::to_string(i) +
                           (spec.disks[i].format == DiskFormat::qcow2 ? ".qcow2" : ".img");
  std::uint64_t mac = 0x525400474f4c;
  for (NicSpec& nic : spec.nics) {
    if (!nic.mac) nic.mac = Mac{mac++};
    if (nic.kind == NicKind::network) nic.bridge = nic.network.empty() ? "nutshell0" : nic.network;
  }
  if (spec.firmware == Firmware::uefi)
    spec.firmware_vars = paths(base).machine(spec.uuid) + "/variables.fd";
  return spec;
}

inline Places places(const MachineSpec& spec, const std::string& base = root) {
  const Paths where = paths(base);
  Places places;
  places.qemu = "/usr/bin/qemu-system-x86_64";
  places.lock = where.lock(spec.uuid);
  places.qmp = where.qmp(spec.uuid);
  places.watch = where.watch(spec.uuid);
  places.serial = where.serial(spec.uuid);
  places.serial_log = where.serial_log(spec.uuid, 1);
  places.agent = where.agent(spec.uuid);
  places.ovmf_code = base + "/OVMF_CODE.fd";
  for (std::size_t i = 0; i < spec.nics.size(); ++i)
    places.taps.push_back("nt0000-" + std::to_string(i));
  if (spec.name.name == "ciab")
    places.outer = "nutshell.outer:1:10.75.0.0/24+192.0.2.10-192.0.2.19";
  for (const DiskSpec& disk : spec.disks)
    if (disk.on_lvm()) places.block_devices.push_back(disk.path);
  return places;
}

/// One option with its value on a line.
inline std::string lines(const Line& line) {
  std::string text;
  for (const std::string& command : line.before) text += command + "\n";
  text += line.program + "\n";
  for (const Arg& arg : line.args)
    text += arg.option + (arg.value.empty() ? "" : " " + arg.value) + "\n";
  if (!line.redirections.empty()) text += line.redirections + "\n";
  return text;
}

inline std::string handles(const Line& line) {
  static constexpr const char* words[] = {"lock",        "read",         "read_write", "append",
                                          "memory_copy", "listen_unix",  "tap",        "macvtap",
                                          "vhost_net",   "bridge_helper"};
  std::string text;
  for (const Handle& handle : line.handles)
    text += "# fd " + std::to_string(handle.fd) + " " + words[static_cast<int>(handle.what)] + " " +
            handle.path + "\n";
  return text;
}

inline std::string plan(const MachineSpec& spec) {
  const Paths where = paths(root);
  std::string text;
  std::vector<Step> steps = steps_to_create(spec, where, root + "/OVMF_VARS.fd");
  std::vector<EnsureNetwork> networks;
  for (const NicSpec& nic : spec.nics)
    if (nic.kind == NicKind::network)
      networks.push_back({spec.uuid, nic.network, nic.bridge, *parse_ipv4_net("10.75.0.1/24"),
                          Mac{0x525400000001}});
  VolumeWords volumes;
  for (const DiskSpec& disk : spec.disks)
    if (disk.on_lvm()) volumes.push_back(disk.vg + "/" + disk.lv());
  for (Step& step : steps_to_start(spec, where, 1, networks, {volumes, places(spec).taps, ""}))
    steps.push_back(std::move(step));
  for (const Step& step : steps) text += kind(step) + ": " + describe(step) + "\n";
  return text;
}

}  // namespace golden
