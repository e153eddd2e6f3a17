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
