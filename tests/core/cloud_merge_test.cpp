// Random edits of a machine's table: whatever a file said before and says after, the machine ends
// as the file says, with what was done to it by hand.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "core/cloud_words.hpp"
#include "nutshell/cloud.hpp"

using namespace nutshell;

namespace {

class Writer {
 public:
  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(engine_);
  }

  /// Some keys of a machine, or none.
  CloudMachine wish() {
    static const std::vector<std::pair<const char*, std::vector<const char*>>> keys{
        {"cpus", {"1", "2", "3"}},
        {"memory", {"\"1G\"", "\"2G\""}},
        {"cpu", {"\"host\"", "\"max\""}},
        {"nested", {"\"on\"", "\"off\""}},
        {"cdrom", {"\"a.iso\"", "\"b.iso\""}},
        {"kernel", {"\"k\"", "\"l\""}},
        {"vnc", {"1", "\"off\"", "\"unix\""}},
        {"args", {"[]", "[\"-d\"]", "[\"-d\", \"int\"]"}},
        {"autostart", {"true", "false"}}};
    std::string text = "name = \"lab\"\n[[machine]]\nname = \"a\"\n";
    for (const auto& [key, values] : keys)
      if (below(2) == 0) text += std::string(key) + " = " + values[below(values.size())] + "\n";
    text += list("disks", {"1G", "2G", "2G,cache=none", "path=/x,ro", "path=/y,ro,bus=scsi"}, true);
    text += list("nics",
                 {"network=in", "network=in,model=e1000", "bridge=br0", "user", "model=virtio",
                  "macvtap=em1"},
                 false);
    text += list("groups", {"web", "db", "ssh"}, true);
    text += list("publish", {"80:80", "81:80", "53:53/udp"}, true);
    text += list("tags", {"a=1", "b=2", "c="}, true);
    return parse_cloud(text, "c.toml", "/lab", {}).machines.at(0);
  }

 private:
  std::mt19937 engine_{20261121};

  std::string list(const char* key, const std::vector<std::string>& values, bool once) {
    if (below(4) == 0) return "";
    std::vector<std::string> chosen;
    for (std::size_t wanted = below(5); wanted-- > 0;) {
      const std::string value = values[below(values.size())];
      // A path is used once.
      if (!once || std::find(chosen.begin(), chosen.end(), value) == chosen.end())
        chosen.push_back(value);
    }
    std::string text = std::string(key) + " = [";
    for (const std::string& value : chosen) text += "\"" + value + "\",";
    return text + "]\n";
  }
};

std::vector<std::string> disks(const MachineSpec& spec) {
  std::vector<std::string> words;
  for (const DiskSpec& disk : spec.disks) words.push_back(disk_words(disk));
  return words;
}
std::vector<std::string> nics(const MachineSpec& spec) {
  std::vector<std::string> words;
  for (const NicSpec& nic : spec.nics) words.push_back(nic_words(nic));
  return words;
}
std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += "[" + word + "]";
  return text;
}
std::vector<std::string> sorted(std::vector<std::string> texts) {
  std::sort(texts.begin(), texts.end());
  return texts;
}
std::vector<std::string> ports(const MachineSpec& spec) {
  std::vector<std::string> words;
  for (const PublishedPort& port : spec.publish) words.push_back(to_string(port));
  return sorted(words);
}
bool is_open(const CloudMachine& machine) {
  return machine.wish.nics.empty() && !machine.wish.origins.contains("nic");
}
bool takes_new_machine(const std::vector<FieldChange>& changes) {
  return std::any_of(changes.begin(), changes.end(), [](const FieldChange& change) {
    return change.takes == FieldChange::Takes::new_machine;
  });
}

}  // namespace

TEST_CASE("a machine follows its file through any edits, and keeps what the hand did") {
  Writer writer;
  int followed = 0, refused = 0;
  for (int round = 0; round < 3000; ++round) {
    CAPTURE(round);
    const CloudMachine before = writer.wish(), after = writer.wish();
    CHECK(changes_of(before, before).empty());
    MachineSpec present = before.wish;
    present.initrd = "by hand";
    present.tags["hand"] = "1";
    present.disks.emplace_back().size = 77 * gibi;
    if (is_open(before)) present.nics.emplace_back();
    const bool named = !before.wish.nics.empty() && !after.wish.nics.empty();
    if (named) present.nics.emplace_back().kind = NicKind::bridge, present.nics.back().bridge = "h";
    CHECK(merged(present, before, before) == present);
    if (takes_new_machine(changes_of(before, after))) {
      ++refused;
      continue;
    }
    ++followed;
    const MachineSpec now = merged(present, before, after);
    MachineSpec wanted = after.wish;
    wanted.disks.push_back(present.disks.back());
    if (named) wanted.nics.push_back(present.nics.back());
    CHECK(disks(now) == disks(wanted));
    INFO("NICs: before ", joined(nics(before.wish)), ", after ", joined(nics(after.wish)), ", now ",
         joined(nics(now)));
    // The default alone is left to the host.
    if (is_open(after))
      CHECK((now.nics.empty() || nics(now) == std::vector<std::string>{"the default"}));
    else
      CHECK(nics(now) == nics(wanted));
    CHECK(sorted(now.groups) == sorted(after.wish.groups));
    CHECK(ports(now) == ports(after.wish));
    wanted.tags["hand"] = "1";
    CHECK(now.tags == wanted.tags);
    CHECK(now.cpus == after.wish.cpus);
    CHECK(now.memory == after.wish.memory);
    CHECK(now.cpu == after.wish.cpu);
    CHECK(now.nested == after.wish.nested);
    CHECK(now.cdrom == after.wish.cdrom);
    CHECK(now.kernel == after.wish.kernel);
    CHECK(now.initrd == "by hand");
    CHECK(now.vnc == after.wish.vnc);
    CHECK(now.qemu_args == after.wish.qemu_args);
    for (const char* field : {"memory", "cpu", "cdrom"})
      CHECK(now.origins.contains(field) == after.wish.origins.contains(field));
  }
  CHECK(followed > 200);
  CHECK(refused > 200);
}

namespace {

/// The machine "a" of a file with these keys.
CloudMachine wish(const std::string& keys) {
  return parse_cloud(
             "name = \"lab\"\n[[network]]\nname = \"in\"\n[[machine]]\nname = \"a\"\n" + keys,
             "c.toml", "/lab", {})
      .machines.at(0);
}

/// What an edit from one to the other changes for a machine as `present`.
std::string changed(const std::string& before, const std::string& after,
                    const MachineSpec& present) {
  std::string fields;
  for (const FieldChange& change : changes_of(wish(before), wish(after), present))
    fields += (fields.empty() ? "" : " ") + change.field;
  return fields;
}

}  // namespace

TEST_CASE("what the machine has already is no change when the file says it") {
  MachineSpec present = wish("disks = [\"path=p.img\", \"1G\"]\nnics = [\"network=in\"]").wish;
  present.machine = "pc-i440fx-7.2";
  present.nics[0].ip = Ipv4{0x0a090002};
  present.disks[1].vg = "vg01", present.disks[1].path = "/dev/vg01/x";
  const auto same = [&](const std::string& one, const std::string& other) {
    CHECK(changed(one, other, present).empty());
    CHECK(changed(other, one, present).empty());
  };
  same("", "machine = \"pc\"");
  same("", "machine = \"pc-i440fx-7.2\"");
  same("machine = \"pc\"", "machine = \"pc-i440fx-7.2\"");
  CHECK(changed("", "machine = \"q35\"", present) == "machine");
  CHECK(changed("", "machine = \"pc-i440fx-7.1\"", present) == "machine");
  same("publish = [\"80:80\", \"81:81\"]", "publish = [\"81:81\", \"80:80\"]");
  same("groups = [\"a\", \"b\"]", "groups = [\"b\", \"a\"]");
  same("disks = [\"path=p.img\"]", "disks = [\"path=p.img,format=raw\"]");
  CHECK(changed("disks = [\"path=p.img\"]", "disks = [\"path=p.img,format=qcow2\"]", present) ==
        "disks[0]");
  const std::string disk = "disks = [\"path=p.img\", \"1G";
  same(disk + "\"]", disk + ",vg=vg01,format=raw\"]");
  CHECK(changed(disk + "\"]", disk + ",vg=vg02\"]", present) == "disks[1]");
  CHECK(changed(disk + "\"]", disk + ",file\"]", present) == "disks[1]");
  same("nics = [\"network=in\"]", "nics = [\"network=in,antispoof=on\"]");
  CHECK(changed("nics = [\"network=in\"]", "nics = [\"network=in,antispoof=off\"]", present) ==
        "nics[0]");
  present.nics[0].antispoof = false;  // by hand
  CHECK(changed("nics = [\"network=in\"]", "nics = [\"network=in,antispoof=on\"]", present) ==
        "nics[0]");
}

TEST_CASE("a format that was named since is named for the next look at the disk") {
  const CloudMachine before = wish("disks = [\"path=p.img,format=raw\"]");
  MachineSpec present = wish("disks = [\"path=p.img\"]").wish;
  CHECK(merged(present, before, wish("disks = [\"path=p.img,format=raw\"]\ncpus = 2"))
            .disks[0]
            .format_named);
}
