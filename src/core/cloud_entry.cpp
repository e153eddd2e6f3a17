// One [[machine]] of a cloud: the keys of a machine, and those that only make sense among others.
// What several alike cannot share is refused here, where the word "count" stands.
#include <fmt/format.h>

#include <algorithm>

#include "core/cloud_parts.hpp"
#include "core/config_machine.hpp"

namespace nutshell {
namespace {

constexpr std::int64_t most_of_one = 1000;
constexpr std::int64_t longest_wait = 7 * 24 * 3600;

class EntryReader {
 public:
  EntryReader(const ConfigNode& table, CloudReading& reading)
      : reader_(table, reading.file, reading.problems), reading_(reading) {
    entry_.table = &table;
  }

  MachineEntry read() {
    if (!reading_.spec.name.empty()) wish_.name.cloud = reading_.spec.name;
    read_name();
    const bool sized = has("disks"), imaged = has("image");
    const InstanceType* type = read_type();
    read_image(type);
    read_machine_keys(reader_, wish_, reading_.problems);
    if (type && !sized && !imaged) {
      wish_.disks.emplace_back().size = type->disk;
      wish_.origins["disk.0"] = place_of("type");
    }
    read_after();
    if (const ConfigNode* seed = reader_.take_flag("seed")) entry_.machine.seed = seed->flag;
    const ConfigNode* autostart = reader_.take_flag("autostart");
    entry_.machine.autostart = autostart ? autostart->flag : reading_.spec.autostart;
    reader_.refuse_the_rest();
    finish_paths();
    finish_nics();
    finish_vnc();
    if (entry_.count > 1) refuse_sharing();
    judge();
    return std::move(entry_);
  }

 private:
  TableReader reader_;
  CloudReading& reading_;
  MachineEntry entry_;
  MachineSpec& wish_ = entry_.machine.wish;

  const ConfigNode* member(std::string_view key) const {
    for (const auto& [name, node] : entry_.table->members)
      if (name == key) return &node;
    return nullptr;
  }
  bool has(std::string_view key) const { return member(key) != nullptr; }
  std::string place_of(std::string_view key) const {
    const ConfigNode* node = member(key);
    return reader_.place(node ? *node : *entry_.table);
  }

  void read_name() {
    entry_.counted = has("count");
    if (const ConfigNode* count = reader_.take_integer("count", 1, most_of_one))
      entry_.count = static_cast<unsigned>(count->integer);
    if (!has("name")) reader_.complain("a machine needs a name: name = \"node\"");
    const ConfigNode* name = reader_.take_text("name");
    if (!name) return;
    entry_.machine.entry = name->text;
    wish_.origins["name"] = reader_.place(*name);
    wish_.name.name = entry_.name_of(0);
    for (const unsigned index : {0U, entry_.count - 1}) {
      const std::string full = entry_.name_of(index), fault = name_fault(full);
      if (fault.empty()) continue;
      reader_.complain(*name, "name = " + quoted(name->text) + " can be no machine's name" +
                                  (entry_.counted ? " with a number behind it: " : ": ") + fault);
      // The problem is told; check() need not tell it again.
      wish_.name.name.clear();
      return;
    }
  }

  const InstanceType* read_type() {
    const ConfigNode* name = reader_.take_text("type");
    if (!name) return nullptr;
    std::vector<std::string> known;
    for (const InstanceType& type : reading_.types) {
      known.push_back(type.name);
      if (type.name != name->text) continue;
      wish_.cpus = type.cpus;
      wish_.memory = type.memory;
      wish_.origins["cpus"] = wish_.origins["memory"] = reader_.place(*name);
      return &type;
    }
    reader_.complain(*name, "type = " + quoted(name->text) +
                                " is not known; use a built-in one such as m1.small, or declare it "
                                "as a [[type]] in nutshell.toml" +
                                suggestion(name->text, known));
    return nullptr;
  }

  /// The first disk, on top of the image.
  void read_image(const InstanceType* type) {
    const ConfigNode* image = reader_.take_text("image");
    const auto size = reader_.take_size("image_size");
    DiskFormat format = DiskFormat::qcow2;
    const ConfigNode* named = reader_.take_word("image_format", format);
    if (!has("image")) {
      for (const char* key : {"image_size", "image_format"})
        if (const ConfigNode* node = member(key))
          reader_.complain(*node, std::string(key) +
                                      " says something about an image, and there is "
                                      "none; add image = \"FILE\"");
      return;
    }
    if (!image) return;
    const std::string& path = image->text;
    if (!has("image_format")) {
      if (path.ends_with(".img") || path.ends_with(".raw"))
        format = DiskFormat::raw;
      else if (!path.ends_with(".qcow2"))
        reader_.complain(*image, "the format of " + quoted(path) +
                                     " does not follow from its ending; add image_format = "
                                     "\"qcow2\" or image_format = \"raw\"");
    } else if (!named) {
      return;
    }
    if (!type && !has("image_size") && !has("type"))
      reader_.complain(*image, "image = " + quoted(path) +
                                   " does not say how large the disk on top of it is; add "
                                   "image_size = \"20G\", or a type");
    entry_.machine.image = path_from(reading_.folder, path);
    entry_.machine.image_format = format;
    DiskSpec disk;
    disk.size = size ? size->first : type ? type->disk : gibi;
    disk.file = true;
    disk.format = DiskFormat::qcow2;
    disk.format_named = true;
    disk.backing.push_back({entry_.machine.image, format});
    wish_.origins["disk.0"] = reader_.place(*image);
    wish_.disks.push_back(std::move(disk));
  }

  void read_after() {
    for (const ConfigNode* text : reader_.take_texts("after")) {
      const std::size_t colon = text->text.find(':');
      After after;
      after.machine = text->text.substr(0, colon);
      if (colon != std::string::npos) after.condition = text->text.substr(colon + 1);
      if (const std::string fault = condition_fault(after.condition); !fault.empty())
        reader_.complain(*text, "after: " + quoted(text->text) + " " + fault);
      wish_.origins.emplace("after", reader_.place(*text));
      entry_.after.push_back(std::move(after));
      entry_.after_places.push_back(reader_.place(*text));
    }
    if (const ConfigNode* seconds = reader_.take_integer("after_timeout", 1, longest_wait))
      entry_.machine.after_timeout = static_cast<unsigned>(seconds->integer);
  }

  static std::string condition_fault(std::string_view condition) {
    if (condition == "running" || condition == "agent") return "";
    if (condition.starts_with("serial=") && condition.size() > 7) return "";
    if (condition.starts_with("port=")) {
      const std::string_view digits = condition.substr(5);
      unsigned port = 0;
      for (const char c : digits.substr(0, 6))
        port = c >= '0' && c <= '9' ? port * 10 + static_cast<unsigned>(c - '0') : 65536;
      return digits.size() <= 5 && port >= 1 && port <= 65535 ? "" : "has no port from 1 to 65535";
    }
    return "has a condition that is not known; use running, serial=REGEX, port=N or agent";
  }

  void finish_paths() {
    const auto resolve = [&](std::string& path) {
      if (!path.empty()) path = path_from(reading_.folder, path);
    };
    for (DiskSpec& disk : wish_.disks) {
      if (!disk.ours()) resolve(disk.path);
      for (BackingLayer& layer : disk.backing) resolve(layer.path);
    }
    for (std::string* path : {&wish_.cdrom, &wish_.kernel, &wish_.initrd, &wish_.vnc.password_file})
      resolve(*path);
    if (wish_.qemu.find('/') != std::string::npos) resolve(wish_.qemu);
  }

  void finish_nics() {
    for (NicSpec& nic : wish_.nics)
      for (const CloudNetwork& network : reading_.spec.networks)
        if (nic.kind == NicKind::network && nic.network == network.name) {
          nic.network = host_network(reading_.spec.name, network.name);
          break;
        }
  }

  void finish_vnc() {
    VncSpec& vnc = wish_.vnc;
    const bool loopback = vnc.listen.starts_with("127.") || vnc.listen == "::1";
    vnc.password = vnc.mode != VncMode::off &&
                   (!vnc.password_file.empty() || (!loopback && vnc.mode != VncMode::unix_socket));
  }

  void refuse_sharing() {
    const auto refuse = [&](const std::string& field, const std::string& what) {
      const auto origin = wish_.origins.find(field);
      reading_.problems.push_back(
          {origin == wish_.origins.end() ? reader_.place(*entry_.table) : origin->second,
           fmt::format("{} machines cannot share {}; leave it out, or describe them one by one",
                       entry_.count, what)});
    };
    for (std::size_t i = 0; i < wish_.nics.size(); ++i) {
      const NicSpec& nic = wish_.nics[i];
      if (nic.mac) refuse("nic." + std::to_string(i), "the MAC " + to_string(*nic.mac));
      if (nic.ip) refuse("nic." + std::to_string(i), "the address " + to_string(*nic.ip));
    }
    for (const PublishedPort& port : wish_.publish)
      refuse("publish", "the host's port " + outside_of(port));
    if (wish_.vnc.mode == VncMode::fixed)
      refuse("vnc", fmt::format("the VNC display {}", wish_.vnc.display));
    for (std::size_t i = 0; i < wish_.disks.size(); ++i)
      if (!wish_.disks[i].ours() && !wish_.disks[i].read_only && !wish_.disks[i].path.empty())
        refuse("disk." + std::to_string(i),
               "the disk " + quoted(wish_.disks[i].path) + ", which each would write to");
  }

  /// A hint that names an option, for a reader who writes a key.
  static std::string in_keys(std::string what) {
    for (const auto& [option, key] :
         {std::pair{"--cdrom ISO", "cdrom = \"ISO\""}, std::pair{"--kernel", "kernel = \"FILE\""},
          std::pair{"--nic", "nics = [\"...\"]"}})
      if (const auto at = what.find(option); at != std::string::npos)
        what.replace(at, std::string_view(option).size(), key);
    return what;
  }

  /// What is wrong with the machine as a whole stands at its own lines.
  void judge() {
    for (Problem& problem : check(wish_)) {
      if (!problem.where.starts_with(reading_.file + ":"))
        problem.where = reader_.place(*entry_.table);
      problem.what = in_keys(std::move(problem.what));
      reading_.problems.push_back(std::move(problem));
    }
  }
};

}  // namespace

std::string MachineEntry::name_of(unsigned index) const {
  return counted ? machine.entry + std::to_string(index + 1) : machine.entry;
}

MachineEntry read_machine_entry(const ConfigNode& table, CloudReading& reading) {
  return EntryReader(table, reading).read();
}

}  // namespace nutshell
