// One line for each option: which field it sets. The words behind the fields are core's to parse.
#include "app/machine_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "app/house.hpp"

namespace nutshell {
namespace {

constexpr Option options[] = {
    {"cloud", "CLOUD", "the cloud that the machine belongs to (default: default)"},
    {"tag", "KEY=VALUE", "a word of your own, for `ls --tag`; may be repeated", true},
    {"cpus", "N", "virtual CPUs, 1 to 255 (default: 1)"},
    {"memory", "SIZE", "memory, such as 2G (default: 1G)"},
    {"cpu", "MODEL", "a CPU model of QEMU's (default: qemu64); `host` is the fastest with KVM"},
    {"machine", "TYPE", "the board: pc, q35 or a versioned type (default: pc, with UEFI q35)"},
    {"nested", "auto|on|off", "virtualization inside the machine (default: auto)"},
    {"accel", "auto|kvm|tcg", "acceleration (default: auto, by what the host can do)"},
    {"disk", "SPEC",
     "SIZE or path=FILE, with vg= thin= file= bus= format= cache= aio= discard= ro= backing=; may "
     "be "
     "repeated",
     true},
    {"cdrom", "ISO", "an image in the CD-ROM drive"},
    {"boot", "WHERE", "disk, cdrom, once=cdrom or net (default: disk)"},
    {"kernel", "FILE", "boot this kernel directly"},
    {"initrd", "FILE", "its initial RAM disk"},
    {"append", "TEXT", "its command line"},
    {"nic", "SPEC",
     "bridge=BR, network=NAME, macvtap=UPLINK, user or none, with model= mac= ip= mtu= queues= "
     "vlan= trunk= mode= antispoof= also= rate=; may be repeated",
     true},
    {"group", "GROUP", "a security group of its cloud; may be repeated", true},
    {"publish", "PORTS",
     "[ADDRESS:]PORT:PORT[/udp]: a port of the host that leads to one of its; may be repeated",
     true},
    {"vnc", "auto|N|unix|off", "the screen: a display, a socket, or none (default: auto)"},
    {"vnc-listen", "ADDRESS",
     "where the display listens (default: 127.0.0.1); beyond the loopback a password is required"},
    {"vnc-password-file", "FILE", "the VNC password, at most 8 bytes"},
    {"firmware", "bios|uefi", "the firmware (default: bios)"},
    {"qemu", "BINARY", "the QEMU to run"},
};

template <class Enum>
void set_word(Enum& field, const Parsed& args, const std::string& name, Problems& problems) {
  const auto text = args.value(name);
  if (text && !from_word(*text, field))
    problems.push_back({"--" + name, fmt::format("'{}' is not known; give {}", printable(*text),
                                                 words_of(Enum{}))});
}

void set_path(std::string& field, const Parsed& args, const std::string& name, Problems& problems) {
  const auto text = args.value(name);
  if (!text) return;
  if (text->empty()) return problems.push_back({"--" + name, "wants a file name"});
  if (const std::string fault = text_fault(*text); !fault.empty())
    return problems.push_back({"--" + name, fmt::format("'{}' cannot be used: {}; rename the file",
                                                        printable(*text), fault)});
  field = absolute(*text);
}

void add_disks(MachineSpec& spec, const Parsed& args, Problems& problems) {
  for (const std::string& text : args.values("disk")) {
    DiskSpec disk = parse_disk(text, "--disk", problems);
    if (!disk.ours()) disk.path = absolute(disk.path);
    for (BackingLayer& layer : disk.backing) layer.path = absolute(layer.path);
    spec.origins[fmt::format("disk.{}", spec.disks.size())] = "option --disk";
    spec.disks.push_back(std::move(disk));
  }
}

void add_nics(MachineSpec& spec, const Parsed& args, Problems& problems) {
  const auto texts = args.values("nic");
  for (const std::string& text : texts) {
    if (text == "none") {
      if (texts.size() > 1)
        problems.push_back({"--nic", "none stands alone; leave the others out, or it"});
      spec.origins["nic"] = "option --nic";
      continue;
    }
    spec.origins[fmt::format("nic.{}", spec.nics.size())] = "option --nic";
    spec.nics.push_back(parse_nic(text, "--nic", problems));
  }
}

void add_firewall(MachineSpec& spec, const Parsed& args, Problems& problems) {
  for (const std::string& group : args.values("group")) {
    if (const std::string fault = name_fault(group); !fault.empty())
      problems.push_back(
          {"--group", fmt::format("'{}' can be no group's name: {}", printable(group), fault)});
    else if (std::find(spec.groups.begin(), spec.groups.end(), group) == spec.groups.end())
      spec.groups.push_back(group);
  }
  for (const std::string& text : args.values("publish")) {
    const PublishedPort port = parse_publish(text, "--publish", problems);
    if (std::find(spec.publish.begin(), spec.publish.end(), port) == spec.publish.end())
      spec.publish.push_back(port);
  }
}

void set_vnc(MachineSpec& spec, const Parsed& args, Problems& problems) {
  if (const auto text = args.value("vnc")) parse_vnc(*text, "--vnc", spec.vnc, problems);
  if (const auto text = args.value("vnc-listen")) spec.vnc.listen = *text;
  set_path(spec.vnc.password_file, args, "vnc-password-file", problems);
  for (const char* name : {"vnc-listen", "vnc-password-file"})
    if (args.has(name)) spec.origins["vnc"] = std::string("option --") + name;
  require_vnc_password(spec.vnc);
}

}  // namespace

std::span<const Option> machine_options() { return options; }

std::optional<BootOrder> parse_boot_option(const Parsed& args) {
  const auto text = args.value("boot");
  if (!text) return std::nullopt;
  BootOrder order{};
  if (!from_word(*text, order))
    throw ConfigError("--boot",
                      fmt::format("'{}' is not known; give {}", printable(*text), words_of(order)));
  return order;
}

unsigned parse_number(const std::string& text, const std::string& where, unsigned low,
                      unsigned high, Problems& problems) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= low && value <= high)
    return value;
  problems.push_back(
      {where, fmt::format("'{}' is no number from {} to {}", printable(text), low, high)});
  return low;
}

void apply_options(MachineSpec& spec, const Parsed& args, Problems& problems) {
  for (const Option& option : options)
    if (args.has(std::string(option.name)) && !option.repeated)
      spec.origins[std::string(option.name)] = "option --" + std::string(option.name);
  if (const auto text = args.value("cpus"))
    spec.cpus = parse_number(*text, "--cpus", 1, 255, problems);
  if (const auto text = args.value("memory")) {
    try {
      spec.memory = parse_size(*text, "--memory");
    } catch (const ConfigError& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  }
  if (const auto text = args.value("cpu")) spec.cpu = *text;
  if (const auto text = args.value("machine")) spec.machine = *text;
  set_word(spec.nested, args, "nested", problems);
  set_word(spec.accel, args, "accel", problems);
  set_word(spec.firmware, args, "firmware", problems);
  set_word(spec.boot, args, "boot", problems);
  set_path(spec.cdrom, args, "cdrom", problems);
  set_path(spec.kernel, args, "kernel", problems);
  set_path(spec.initrd, args, "initrd", problems);
  if (const auto text = args.value("append")) spec.append = *text;
  if (const auto text = args.value("qemu")) spec.qemu = *text;
  add_disks(spec, args, problems);
  add_nics(spec, args, problems);
  add_firewall(spec, args, problems);
  for (const std::string& text : args.values("tag")) parse_tag(text, "--tag", spec.tags, problems);
  set_vnc(spec, args, problems);
  if (!args.rest.empty()) {
    spec.qemu_args = args.rest;
    spec.origins["args"] = "arguments after --";
  }
}

void require_vnc_password(VncSpec& vnc) {
  const bool loopback = vnc.listen.starts_with("127.") || vnc.listen == "::1";
  vnc.password = vnc.mode != VncMode::off &&
                 (!vnc.password_file.empty() || (!loopback && vnc.mode != VncMode::unix_socket));
}

void apply_type(MachineSpec& spec, const Parsed& args, const Config& config, Problems& problems) {
  const auto name = args.value("type");
  if (!name) return;
  std::vector<std::string> known;
  for (const InstanceType& type : effective_types(config)) {
    known.push_back(type.name);
    if (type.name != *name) continue;
    spec.cpus = type.cpus;
    spec.memory = type.memory;
    for (const char* field : {"cpus", "memory"})
      spec.origins[field] = fmt::format("type {} ({})", type.name, type.origin);
    if (args.has("disk")) return;
    DiskSpec disk;
    disk.size = type.disk;
    spec.origins["disk.0"] = spec.origins["cpus"];
    spec.disks.push_back(disk);
    return;
  }
  const auto meant = nearest(*name, known);
  problems.push_back(
      {"--type", fmt::format("there is no instance type {}; {}", printable(*name),
                             meant ? "did you mean " + *meant + "?"
                                   : "m1.small is one, and nutshell.toml(5) tells of the others")});
}

MachineName new_name(const Parsed& args) {
  const std::string& text = args.word(0, "NAME");
  const TypedName typed = parse_name(text);
  const auto cloud = args.value("cloud");
  if (cloud && !is_name(*cloud))
    throw ConfigError("--cloud", fmt::format("'{}' is no cloud's name: {}", printable(*cloud),
                                             name_fault(*cloud)));
  if (cloud && !typed.cloud.empty() && *cloud != typed.cloud)
    throw ConfigError("--cloud", fmt::format("the name says {} and the option {}; give one cloud",
                                             typed.cloud, *cloud));
  return {cloud ? *cloud : typed.cloud.empty() ? "default" : typed.cloud, typed.name};
}

}  // namespace nutshell
