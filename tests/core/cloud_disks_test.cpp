// Which of a machine's disks an edited file means: no advice may name another one than the one
// whose entry changed, whatever was grown, dropped or put in by hand.
#include <doctest/doctest.h>

#include "nutshell/cloud.hpp"

using namespace nutshell;

namespace {

CloudMachine wish(const std::string& disks) {
  const CloudSpec spec =
      parse_cloud("name = \"lab\"\n[[machine]]\nname = \"a\"\ndisks = [" + disks + "]\n", "c.toml",
                  "/lab", effective_types({}));
  return spec.machines.at(0);
}

/// What differs, and what it takes, where that is a restart or a new machine.
std::string edited(const CloudMachine& before, const MachineSpec& present,
                   const std::string& disks) {
  std::string text;
  for (const FieldChange& change : changes_of(before, wish(disks), present)) {
    using Takes = FieldChange::Takes;
    text += (text.empty() ? "" : "\n") + change.field + ": " + change.from + " -> " + change.to +
            (change.takes == Takes::nothing   ? " (nothing)"
             : change.takes == Takes::restart ? " (restart)"
                                              : " (new)");
  }
  return text;
}

}  // namespace

TEST_CASE("a disk that was grown by hand is still the one of its place") {
  const CloudMachine before = wish("\"8M\", \"8M\"");
  const auto drops = [](int entry, int disk) {
    return "disks[" + std::to_string(entry) + "]: 8M -> nothing: `nutshell set lab/a --drop-disk " +
           std::to_string(disk) + "` drops it (new)";
  };
  MachineSpec first = before.wish, second = first;
  first.disks[0].size = 16 * mebi, second.disks[1].size = 16 * mebi;
  CHECK(edited(before, first, "\"8M\"") == drops(1, 1));
  CHECK(edited(before, first, "\"8M\", \"8M\"").empty());
  CHECK(edited(before, first, "\"16M\", \"8M\"") == "disks[0]: 8M -> 16M (nothing)");
  CHECK(edited(before, first, "\"16M,bus=ide\", \"8M\"") ==
        "disks[0]: 8M -> 16M,bus=ide (restart)");
  CHECK(edited(before, first, "\"8M\", \"16M\"") ==
        "disks[1]: 8M -> 16M: `nutshell volume resize lab/a:1 16M` grows it (new)");
  CHECK(edited(before, first, "\"16M\"") == "disks[0]: 8M -> 16M (nothing)\n" + drops(1, 1));
  CHECK(edited(before, second, "\"16M\"") == drops(0, 0) + "\ndisks[0]: 8M -> 16M (nothing)");
  CHECK(edited(before, second, "\"8M\"") == drops(1, 1));
  // One of the hand's in front of none of the file's.
  first.disks.erase(first.disks.begin());
  first.disks.push_back(before.wish.disks[0]);
  first.origins["disk.1"] = "option --disk";
  CHECK(edited(before, first, "\"8M\"") == "disks[1]: 8M ->  (nothing)");
  const MachineSpec now = merged(first, before, wish("\"8M\", \"8M,bus=ide\""));
  CHECK(now.disks.back().bus == DiskBus::virtio);
}

TEST_CASE("what goes from a list is told from what changes in it") {
  const CloudMachine before = wish("\"8M\", \"12M\", \"16M\"");
  CHECK(edited(before, before.wish, "\"12M,bus=ide\", \"16M\"") ==
        "disks[0]: 8M -> nothing: `nutshell set lab/a --drop-disk 0` drops it (new)\n"
        "disks[0]: 12M -> 12M,bus=ide (restart)");
}

TEST_CASE("what the hand has dropped has no number") {
  const CloudMachine before = wish("\"1G\", \"3G\", \"2G\"");
  MachineSpec present = before.wish;
  present.disks.erase(present.disks.begin() + 1);
  CHECK(edited(before, present, "\"1G\", \"8G\", \"2G\"") ==
        "disks[1]: 3G -> 8G: it was dropped by hand; take it out of the file for one `up`, and put "
        "it back then (new)");
  CHECK(edited(before, present, "\"1G\", \"3G\", \"4G\"") ==
        "disks[2]: 2G -> 4G: `nutshell volume resize lab/a:1 4G` grows it (new)");
  CHECK(edited(before, present, "\"1G\", \"3G\"") ==
        "disks[2]: 2G -> nothing: `nutshell set lab/a --drop-disk 1` drops it (new)");
}
