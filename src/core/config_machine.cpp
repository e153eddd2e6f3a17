// One machine as TOML. The keys are the options of `launch` without their dashes, the values are
// read by the same functions, and each remembers its line, so that a file and a command line can
// never mean different things. A [[machine]] of a cloud has the same keys.
#include "core/config_machine.hpp"

#include <algorithm>

#include "nutshell/config.hpp"

namespace nutshell {
namespace {

class KeysReader {
 public:
  KeysReader(TableReader& reader, MachineSpec& spec, Problems& problems)
      : reader_(reader), spec_(spec), problems_(problems) {}

  void read() {
    if (const ConfigNode* cpus = reader_.take_integer("cpus", 1, 255)) {
      spec_.cpus = static_cast<unsigned>(cpus->integer);
      remember("cpus", *cpus);
    }
    if (const auto memory = reader_.take_size("memory")) {
      spec_.memory = memory->first;
      remember("memory", *memory->second);
    }
    keep_text("cpu", spec_.cpu);
    keep_text("machine", spec_.machine);
    keep_word("nested", spec_.nested);
    keep_word("accel", spec_.accel);
    keep_word("firmware", spec_.firmware);
    read_devices();
    keep_text("cdrom", spec_.cdrom);
    keep_word("boot", spec_.boot);
    keep_text("kernel", spec_.kernel);
    keep_text("initrd", spec_.initrd);
    keep_text("append", spec_.append);
    read_firewall();
    read_tags();
    read_vnc();
    keep_text("qemu", spec_.qemu);
    for (const ConfigNode* argument : reader_.take_texts("args")) {
      spec_.qemu_args.push_back(argument->text);
      spec_.origins.emplace("args", reader_.place(*argument));
    }
  }

 private:
  TableReader& reader_;
  MachineSpec& spec_;
  Problems& problems_;

  void remember(const std::string& field, const ConfigNode& node) {
    spec_.origins[field] = reader_.place(node);
  }

  void keep_text(const std::string& key, std::string& field) {
    const ConfigNode* node = reader_.take_text(key);
    if (!node) return;
    field = node->text;
    remember(key, *node);
  }

  template <class E>
  void keep_word(const std::string& key, E& field) {
    if (const ConfigNode* node = reader_.take_word(key, field)) remember(key, *node);
  }

  void read_devices() {
    for (const ConfigNode* disk : reader_.take_texts("disks")) {
      remember("disk." + std::to_string(spec_.disks.size()), *disk);
      spec_.disks.push_back(parse_disk(disk->text, reader_.place(*disk), problems_));
    }
    for (const ConfigNode* nic : reader_.take_texts("nics")) {
      remember("nic." + std::to_string(spec_.nics.size()), *nic);
      spec_.nics.push_back(parse_nic(nic->text, reader_.place(*nic), problems_));
    }
    // An empty list asks for no NIC at all, where a missing one leaves it to the default.
    if (const ConfigNode* nics = reader_.take("nics"); nics && nics->items.empty())
      remember("nic", *nics);
  }

  void read_firewall() {
    for (const ConfigNode* group : reader_.take_texts("groups")) {
      spec_.origins.emplace("groups", reader_.place(*group));
      if (const std::string fault = name_fault(group->text); !fault.empty())
        reader_.complain(*group, quoted(group->text) + " can be no group's name: " + fault);
      else if (std::find(spec_.groups.begin(), spec_.groups.end(), group->text) ==
               spec_.groups.end())
        spec_.groups.push_back(group->text);
    }
    for (const ConfigNode* ports : reader_.take_texts("publish")) {
      spec_.origins.emplace("publish", reader_.place(*ports));
      const PublishedPort port = parse_publish(ports->text, reader_.place(*ports), problems_);
      if (port.port != 0 &&
          std::find(spec_.publish.begin(), spec_.publish.end(), port) == spec_.publish.end())
        spec_.publish.push_back(port);
    }
  }

  /// As a table, or as a list of KEY=VALUE.
  void read_tags() {
    const ConfigNode* tags = reader_.take("tags");
    if (!tags) return;
    remember("tags", *tags);
    if (tags->kind != ConfigNode::Kind::table) {
      for (const ConfigNode* tag : reader_.take_texts("tags")) {
        const auto before = std::pair(spec_.tags.size(), problems_.size());
        parse_tag(tag->text, reader_.place(*tag), spec_.tags, problems_);
        if (before == std::pair(spec_.tags.size(), problems_.size()))
          reader_.complain(
              *tag, "the key of the tag " + quoted(tag->text) + " is given twice; give it once");
      }
      return;
    }
    for (const auto& [key, value] : tags->members) {
      if (value.kind != ConfigNode::Kind::text)
        reader_.complain(value, "the tag " + quoted(key) + " should be a text in quotes");
      else
        parse_tag(key + "=" + value.text, reader_.place(value), spec_.tags, problems_);
    }
  }

  void read_vnc() {
    if (const ConfigNode* vnc = reader_.take("vnc")) {
      using Kind = ConfigNode::Kind;
      remember("vnc", *vnc);
      if (vnc->kind != Kind::text && vnc->kind != Kind::integer)
        reader_.complain(*vnc, "vnc should be \"auto\", a display number, \"unix\" or \"off\"");
      else
        parse_vnc(vnc->kind == Kind::text ? vnc->text : std::to_string(vnc->integer),
                  reader_.place(*vnc), spec_.vnc, problems_);
    }
    keep_text("vnc-listen", spec_.vnc.listen);
    keep_text("vnc-password-file", spec_.vnc.password_file);
  }
};

void read_name(TableReader& reader, MachineSpec& spec) {
  if (const ConfigNode* cloud = reader.take_text("cloud")) {
    spec.name.cloud = cloud->text;
    spec.origins["cloud"] = reader.place(*cloud);
  }
  const ConfigNode* node = reader.take_text("name");
  if (!node) return;
  spec.origins["name"] = reader.place(*node);
  try {
    const TypedName typed = parse_name(node->text);
    spec.name.name = typed.name;
    if (typed.cloud.empty()) return;
    if (spec.origins.count("cloud") && spec.name.cloud != typed.cloud)
      reader.complain(*node, "name = " + quoted(node->text) +
                                 " and cloud = " + quoted(spec.name.cloud) + " name two clouds");
    spec.name.cloud = typed.cloud;
  } catch (const ConfigError& error) {
    for (const Problem& problem : error.problems())
      reader.complain(*node, problem.where + ": " + problem.what);
  }
}

}  // namespace

void read_machine_keys(TableReader& reader, MachineSpec& spec, Problems& problems) {
  KeysReader(reader, spec, problems).read();
}

MachineSpec parse_machine(std::string_view text, const std::string& file) {
  const ConfigNode root = parse_toml(text, file);
  Problems problems;
  TableReader reader(root, file, problems);
  MachineSpec spec;
  read_name(reader, spec);
  read_machine_keys(reader, spec, problems);
  reader.refuse_the_rest();
  for (Problem& problem : check(spec)) problems.push_back(std::move(problem));
  if (!problems.empty()) throw ConfigError(std::move(problems));
  return spec;
}

}  // namespace nutshell
