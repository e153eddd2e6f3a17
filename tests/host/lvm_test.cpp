// Logical volumes for real: lvm on a loop device. Where the kernel has no device-mapper that is all
// that lvm keeps on the disk (everything but activation); the rest is tried in the nest.
#include "host/lvm.hpp"

#include <doctest/doctest.h>

#include "host/loop_group.hpp"
#include "host/process.hpp"
#include "nutshell/error.hpp"

using namespace nutshell;
using namespace nutshell::host;
using loop_group::Group;

namespace {
const std::string tag = "nutshell.volume=11111111-2222-4333-8444-555555555555";
bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
LvmPlace place_of(const Group& group) { return {group.folder() / "cache", {}}; }
NewVolume volume(const Group& group, const std::string& name, Bytes size) {
  return {{group.name(), name}, size, {}, tag};
}
}  // namespace

TEST_CASE("a volume is made inactive, skipping activation, with the tag, in whole extents") {
  const Group group;
  const LvmPlace place = place_of(group);
  make_lv(place, volume(group, "ciab", 10'000'001));
  const LvmFacts facts = observe_group(place, group.name());
  REQUIRE(facts.volumes.size() == 1);
  const LogicalVolumeFact& made = facts.volumes[0];
  CHECK(made.size == 12 * mebi);
  CHECK(made.kind == VolumeKind::thick);
  CHECK(made.tags == std::vector<std::string>{tag});
  CHECK(made.skips_activation);
  CHECK_FALSE(made.active);
  CHECK(our_tag(made) != nullptr);
  CHECK(facts.groups[0].extent == 4 * mebi);
  CHECK(facts.groups[0].free == facts.groups[0].size - 12 * mebi);
  REQUIRE(facts.groups[0].physical_volumes.size() == 1);
  CHECK(facts.groups[0].physical_volumes[0].device == group.disk());

  CHECK_THROWS_AS(make_lv(place, volume(group, "ciab", 1)), Conflict);
  CHECK(observe_group(place, group.name()).volumes.size() == 1);
  CHECK_THROWS_AS(make_lv(place, volume(group, "-x", 1)), ConfigError);
  CHECK_THROWS_AS(make_lv(place, volume(group, "a_tdata", 1)), ConfigError);
}

TEST_CASE("it grows and shrinks, and goes only with the tag") {
  const Group group;
  const LvmPlace place = place_of(group);
  const VolumeName name{group.name(), "disk"};
  make_lv(place, volume(group, "disk", 8 * mebi));
  resize_lv(place, name, 17 * mebi, tag);
  CHECK(observe_group(place, name.vg).volumes[0].size == 20 * mebi);
  resize_lv(place, name, 20 * mebi, tag);
  resize_lv(place, name, 8 * mebi, tag);
  CHECK(observe_group(place, name.vg).volumes[0].size == 8 * mebi);
  CHECK_THROWS_AS(resize_lv(place, name, 16 * mebi, "nutshell.volume=other"), Conflict);
  CHECK_THROWS_AS(resize_lv(place, {name.vg, "none"}, 16 * mebi, tag), NotFound);
  const std::string said = scratch::sentence_of([&] { resize_lv(place, name, gibi, tag); });
  CHECK(has(said, "vgextend " + name.vg));
  CHECK(has(said, "free"));

  const std::string strange =
      scratch::sentence_of([&] { drop_lv(place, name, "nutshell.machine=x"); });
  CHECK(has(strange, "does not carry the mark nutshell.machine=x"));
  CHECK(observe_group(place, name.vg).volumes.size() == 1);
  CHECK_THROWS_AS(drop_lv(place, name, ""), Conflict);
  drop_lv(place, name, tag);
  CHECK(observe_group(place, name.vg).volumes.empty());
  drop_lv(place, name, tag);
}

TEST_CASE("what does not fit is told in bytes, and nothing is made") {
  const Group group;
  const LvmPlace place = place_of(group);
  const Bytes free = observe_group(place, group.name()).groups[0].free;
  const auto too_much = [&] { make_lv(place, volume(group, "big", free + 1)); };
  CHECK_THROWS_AS(too_much(), Exhausted);
  const std::string said = scratch::sentence_of(too_much);
  CHECK(has(said, std::to_string(free) + " bytes"));
  CHECK(has(said, std::to_string(free + 4 * mebi) + " bytes"));
  CHECK(observe_group(place, group.name()).volumes.empty());
  make_lv(place, volume(group, "all", free));
  CHECK(observe_group(place, group.name()).groups[0].free == 0);
}

TEST_CASE("the host's lvm.conf does not matter") {
  const Group group(
      1, 64 << 20,
      "devices { scan_lvs=1 use_devicesfile=1 filter=[\"r|.*|\"] global_filter=[\"r|.*|\"] }\n"
      "global { event_activation=1 units=\"g\" suffix=1 }\n"
      "report { output_format=\"basic\" compact_output=1 binary_values_as_numeric=1 "
      "list_item_separator=\";\" mark_hidden_devices=1 }\n"
      "log { report_command_log=1 prefix=\"lvm says: \" command_names=1 verbose=2 }\n");
  for (const LvmPlace& place : {place_of(group), LvmPlace{}}) {
    NewVolume two_tags = volume(group, "disk", 4 * mebi);
    make_lv(place, two_tags);
    loop_group::lvm(
        {"lvchange", "-qq", "--devices", group.devices(), "--addtag", "x", group.name() + "/disk"});
    const LvmFacts facts = observe_group(place, group.name());
    REQUIRE(facts.volumes.size() == 1);
    CHECK(facts.volumes[0].tags.size() == 2);
    CHECK(facts.volumes[0].skips_activation);
    CHECK_FALSE(facts.volumes[0].active);
    CHECK(observe_lvm(place).group(group.name()) != nullptr);
    drop_lv(place, {group.name(), "disk"}, tag);
  }
}

TEST_CASE("a volume whose name we want appears meanwhile: it stays, with whoever made it") {
  const Group group;
  const LvmPlace place = place_of(group);
  loop_group::lvm({"lvcreate", "-qq", "-an", "-Zn", "-Wn", "-l1", "-n", "theirs", "--devices",
                   group.devices(), group.name()});
  CHECK_THROWS_AS(make_lv(place, volume(group, "theirs", 1)), Conflict);
  CHECK_THROWS_AS(drop_lv(place, {group.name(), "theirs"}, tag), Conflict);
  CHECK(observe_group(place, group.name()).volumes.size() == 1);
}

TEST_CASE("a group that is not there, and one of no valid name") {
  const Group group;
  const LvmPlace place = place_of(group);
  const std::string none = scratch::sentence_of([&] { observe_group(place, "no-such-group"); });
  CHECK(has(none, "there is no volume group no-such-group"));
  CHECK(has(none, group.name()));
  CHECK_THROWS_AS(observe_group(place, "no-such-group"), NotFound);
  CHECK_THROWS_AS(observe_group(place, "../x"), ConfigError);
  CHECK_THROWS_AS(observe_group(place, ""), ConfigError);
  CHECK_THROWS_AS(drop_lv(place, {"no-such-group", "x"}, tag), NotFound);
}

TEST_CASE("two groups of one name: both devices are named, and neither is touched") {
  const Group group;
  const LvmPlace place = place_of(group);
  const loop_group::Loop other(group.folder() / "guest", 64 << 20);
  loop_group::lvm({"vgcreate", "-qq", "-y", "--devices", other.path(), group.name(), other.path()});
  const auto make = [&] { make_lv(place, volume(group, "x", 1)); };
  CHECK_THROWS_AS(make(), Conflict);
  const std::string said = scratch::sentence_of(make);
  CHECK(has(said, group.disk()));
  CHECK(has(said, other.path()));
  CHECK(has(said, "vgrename"));
  const LvmFacts all = observe_lvm(place);
  CHECK(all.group(group.name())->ambiguous);
  // A guest's device is not looked at, so there is no second one.
  const LvmPlace knows{place.cache, {other.path()}};
  make_lv(knows, volume(group, "x", 1));
  CHECK(observe_lvm(knows).volume(group.name(), "x") != nullptr);
  // Nor does it matter once the devices are noted.
  CHECK(observe_group(place, group.name()).volumes.size() == 1);
}

TEST_CASE("a copy of a physical volume is told") {
  const Group group;
  const LvmPlace place{{}, {}};
  std::filesystem::copy_file(group.folder() / "disk0", group.folder() / "copy");
  const loop_group::Loop copy(group.folder() / "copy", 0);
  const auto look = [&] { observe_group(place, group.name()); };
  CHECK_THROWS_AS(look(), Conflict);
  const std::string said = scratch::sentence_of(look);
  CHECK(has(said, group.disk()));
  CHECK(has(said, copy.path()));
  // The host's own filter settles it.
  const loop_group::Configuration settled(group.folder() / "settled",
                                          "devices/global_filter=[\"r|^" + copy.path() + "$|\"]\n");
  CHECK(observe_group(place, group.name()).groups[0].physical_volumes[0].device == group.disk());
}

TEST_CASE("the note of devices is believed until lvm misses something") {
  Group group(2);
  const LvmPlace place = place_of(group);
  const std::string note = group.folder() / "cache/lvm-" + group.name();
  CHECK(observe_group(place, group.name()).groups[0].physical_volumes.size() == 2);
  CHECK(has(scratch::get(note), group.disk(0)));
  CHECK(has(scratch::get(note), group.disk(1)));
  const std::string boot = scratch::get(note).substr(0, scratch::get(note).find('\n') + 1);
  const std::string whole = scratch::get(note);

  SUBCASE("a note of fewer devices") { scratch::put(note, boot + group.disk(0) + "\nend\n"); }
  SUBCASE("a note of devices that are gone") { scratch::put(note, boot + "/dev/loop999\nend\n"); }
  SUBCASE("a note of somebody else's device") { scratch::put(note, boot + "/dev/null\nend\n"); }
  SUBCASE("a note of an earlier boot") {
    scratch::put(note, "before\n" + group.disk(0) + "\nend\n");
  }
  SUBCASE("a note that was cut short") { scratch::put(note, boot + group.disk(0)); }
  SUBCASE("no note") { scratch::put(note, ""); }
  make_lv(place, volume(group, "x", mebi));
  CHECK_FALSE(observe_group(place, group.name()).groups[0].partial);
  CHECK(scratch::get(note) == whole);
}

TEST_CASE("a group with a missing physical volume is shown, and not changed") {
  Group group(2);
  const LvmPlace place = place_of(group);
  make_lv(place, volume(group, "x", mebi));
  std::string uuid;
  const LvmFacts before = observe_group(place, group.name());
  for (const auto& each : before.groups[0].physical_volumes)
    if (each.device == group.disk(1)) uuid = each.uuid;
  REQUIRE_FALSE(uuid.empty());
  group.detach(1);
  const LvmFacts facts = observe_group(place, group.name());
  CHECK(facts.groups[0].partial);
  CHECK(facts.volumes.size() == 1);
  const std::string said = scratch::sentence_of([&] { make_lv(place, volume(group, "y", mebi)); });
  CHECK(has(said, "misses the physical volume"));
  CHECK_THROWS_AS(make_lv(place, volume(group, "y", mebi)), Conflict);
  CHECK_MESSAGE(has(said, uuid), said << " / " << uuid);
  CHECK(observe_lvm(place).group(group.name())->partial);
}

TEST_CASE("an exported group says so") {
  const Group group;
  const LvmPlace place = place_of(group);
  loop_group::lvm({"vgexport", "-qq", "--devices", group.devices(), group.name()});
  CHECK(observe_lvm(place).group(group.name())->exported);
  CHECK(has(scratch::sentence_of([&] { make_lv(place, volume(group, "y", mebi)); }), "vgimport"));
  CHECK_THROWS_AS(make_lv(place, volume(group, "y", mebi)), Conflict);
}

TEST_CASE("without device-mapper activation says what to do" * doctest::skip(has_device_mapper())) {
  const Group group;
  const LvmPlace place = place_of(group);
  make_lv(place, volume(group, "x", mebi));
  const std::string said = scratch::sentence_of([&] { activate_lv(place, {group.name(), "x"}); });
  CHECK(has(said, "no device-mapper"));
  CHECK(has(said, "modprobe dm_mod"));
  CHECK(has(said, "file=on"));
  deactivate_lv(place, {group.name(), "x"});  // it is not active: done
  deactivate_lv(place, {"no-such-group", "x"});
}

TEST_CASE("of ten that want one name, one gets it; of ten names, all") {
  const Group group;
  const LvmPlace place = place_of(group);
  const auto crowd = [&](bool one_name) {
    std::vector<std::unique_ptr<process::Child>> all;
    for (int i = 0; i < 10; ++i)
      all.push_back(std::make_unique<process::Child>([&, i] {
        try {
          make_lv(place, volume(group, one_name ? "same" : "n" + std::to_string(i), mebi));
        } catch (const Conflict&) {
          ::_exit(4);
        } catch (...) {
          ::_exit(1);
        }
      }));
    std::pair<int, int> made_refused;
    for (auto& each : all) {
      const int status = each->wait();
      made_refused.first += status == 0;
      made_refused.second += status == 4;
    }
    return made_refused;
  };
  CHECK(crowd(true) == std::pair(1, 9));
  CHECK(crowd(false) == std::pair(10, 0));
  CHECK(observe_group(place, group.name()).volumes.size() == 11);
}
