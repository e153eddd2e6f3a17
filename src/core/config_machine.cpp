// One machine as TOML. The keys are the options of `launch` without their dashes, the values are
// read by the same functions, and each remembers its line, so that a file and a command line can
// never mean different things.
#include "core/config_tree.hpp"
#include "nutshell/config.hpp"

namespace nutshell {
namespace {

class MachineReader {
 public:
  MachineReader(const ConfigNode& root, const std::string& file, Problems& problems)
      : reader_(root, file, problems), problems_(problems) {}

  MachineSpec read() {
    read_name();
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
    read_vnc();
    keep_text("qemu", spec_.qemu);
    for (const ConfigNode* argument : reader_.take_texts("args")) {
      spec_.qemu_args.push_back(argument->text);
      spec_.origins.emplace("args", reader_.place(*argument));
    }
    reader_.refuse_the_rest();
    return std::move(spec_);
  }

 private:
  TableReader reader_;
  Problems& problems_;
  MachineSpec spec_;

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

  void read_name() {
    keep_text("cloud", spec_.name.cloud);
    const ConfigNode* node = reader_.take_text("name");
    if (!node) return;
    remember("name", *node);
    try {
      const TypedName typed = parse_name(node->text);
      spec_.name.name = typed.name;
      if (typed.cloud.empty()) return;
      if (spec_.origins.count("cloud") && spec_.name.cloud != typed.cloud)
        reader_.complain(*node, "name = " + quoted(node->text) + " and cloud = " +
                                    quoted(spec_.name.cloud) + " name two clouds");
      spec_.name.cloud = typed.cloud;
    } catch (const ConfigError& error) {
      for (const Problem& problem : error.problems())
        reader_.complain(*node, problem.where + ": " + problem.what);
    }
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

}  // namespace

MachineSpec parse_machine(std::string_view text, const std::string& file) {
  const ConfigNode root = parse_toml(text, file);
  Problems problems;
  MachineSpec spec = MachineReader(root, file, problems).read();
  for (Problem& problem : check(spec)) problems.push_back(std::move(problem));
  if (!problems.empty()) throw ConfigError(std::move(problems));
  return spec;
}

}  // namespace nutshell
