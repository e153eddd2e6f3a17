// What the groups can give, and whose a volume is: each rule with what it lets pass.
#include "nutshell/volume_rules.hpp"

#include <doctest/doctest.h>

#include "core/problems.hpp"
#include "nutshell/error.hpp"

using namespace nutshell;

namespace {

const Uuid uuid = *parse_uuid("0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0");

LogicalVolumeFact volume(const std::string& name, VolumeKind kind, Bytes size) {
  LogicalVolumeFact made;
  made.vg = "vg01";
  made.name = name;
  made.kind = kind;
  made.size = size;
  return made;
}

/// vg01: 10G, 4M extents, 3G free; a pool of 4G that is half full, a thin and a thick volume of
/// ours.
LvmFacts facts() {
  LvmFacts facts;
  VolumeGroupFact group;
  group.name = "vg01";
  group.extent = 4 * mebi;
  group.size = 10 * gibi;
  group.free = 3 * gibi;
  facts.groups.push_back(group);
  LogicalVolumeFact pool = volume("pool0", VolumeKind::thin_pool, 4 * gibi);
  pool.data_percent = 50.0;
  pool.metadata_percent = 10.0;
  facts.volumes.push_back(pool);
  LogicalVolumeFact thin = volume("vm.default.ciab.0", VolumeKind::thin, 3 * gibi);
  thin.pool = "pool0";
  thin.tags = {machine_tag(uuid)};
  facts.volumes.push_back(thin);
  LogicalVolumeFact thick = volume("data", VolumeKind::thick, gibi);
  thick.tags = {"theirs", volume_tag(uuid, "1a2b")};
  facts.volumes.push_back(thick);
  facts.volumes.push_back(volume("theirs", VolumeKind::thick, gibi));
  return facts;
}

template <class E, class Run>
std::string thrown(Run run) {
  try {
    run();
    return "";
  } catch (const E& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("names of machines' volumes never meet and are never LVM's own") {
  CHECK(machine_volume({"lab", "ciab"}, 2) == "vm.lab.ciab.2");
  CHECK(machine_volume({"a-b", "c"}, 0) != machine_volume({"a", "b-c"}, 0));
  for (const char* reserved : {"snapshot", "pvmove", "snapshot1", "pvmove0"})
    CHECK(volume_name_fault({"vg01", machine_volume({reserved, reserved}, 0)}).empty());
  CHECK(next_machine_volume({"default", "ciab"}, "vg01", facts(), {}) == "vm.default.ciab.1");
  CHECK(next_machine_volume({"default", "ciab"}, "vg01", facts(), {"vm.default.ciab.1"}) ==
        "vm.default.ciab.2");
  CHECK(next_machine_volume({"default", "ciab"}, "vg02", facts(), {}) == "vm.default.ciab.0");
}

TEST_CASE("sizes are whole extents") {
  const LvmFacts host = facts();
  const VolumeGroupFact& group = host.groups[0];
  CHECK(whole_extents(1, group) == 4 * mebi);
  CHECK(whole_extents(4 * mebi, group) == 4 * mebi);
  CHECK(whole_extents(gibi + 1, group) == gibi + 4 * mebi);
  CHECK(whole_extents(5, VolumeGroupFact{}) == 5);
}

TEST_CASE("a group that is missing, partial or exported is refused with what would help") {
  LvmFacts host = facts();
  CHECK(usable_group(host, "vg01").name == "vg01");
  CHECK(contains(thrown<NotFound>([&] { usable_group(host, "vg02"); }), "this host shows vg01"));
  CHECK(contains(thrown<NotFound>([&] { usable_group({}, "vg02"); }), "this host shows none"));
  host.groups[0].exported = true;
  CHECK(contains(thrown<Conflict>([&] { usable_group(host, "vg01"); }), "`vgimport vg01`"));
  host.groups[0].partial = true;
  PhysicalVolumeFact lost;
  lost.device = "[unknown]";
  lost.uuid = "PV-UUID";
  lost.missing = true;
  host.groups[0].physical_volumes.push_back(lost);
  const std::string said = thrown<Conflict>([&] { usable_group(host, "vg01"); });
  CHECK(contains(said, "PV-UUID"));
  CHECK(contains(said, "vgreduce --removemissing vg01"));
}

TEST_CASE("thick volumes need free extents") {
  const LvmFacts host = facts();
  const VolumeGroupFact& group = host.groups[0];
  CHECK_FALSE(find_shortage(group, {3 * gibi}));
  CHECK_FALSE(find_shortage(group, {gibi, gibi, gibi}));
  const auto shortage = find_shortage(group, {gibi, gibi, gibi, 1});
  REQUIRE(shortage);
  CHECK(shortage->needed == 3 * gibi + 4 * mebi);
  CHECK(shortage->free == 3 * gibi);
  CHECK(contains(shortage_words(*shortage, "/dev/sdb"), "3G free, and 3076M is needed"));
  CHECK(contains(shortage_words(*shortage, "/dev/sdb"), "`vgextend vg01 /dev/sdb`"));
  CHECK(contains(shortage_words(*shortage, ""), "none to spare"));
  CHECK(find_shortage(group, {~Bytes{0}}));
  CHECK(find_shortage(group, {~Bytes{0} >> 1, ~Bytes{0} >> 1, ~Bytes{0} >> 1}));
}

TEST_CASE("a thin pool has a limit, of data and of metadata") {
  LvmFacts host = facts();
  const VolumeName pool{"vg01", "pool0"};
  CHECK(usable_pool(host, pool, 90).name == "pool0");
  CHECK(usable_pool(host, pool, 50).name == "pool0");
  CHECK(contains(thrown<Conflict>([&] { usable_pool(host, pool, 49); }), "50.0 % full of data"));
  host.volumes[0].metadata_percent = 90.1;
  CHECK(contains(thrown<Conflict>([&] { usable_pool(host, pool, 90); }),
                 "90.1 % full of metadata, past its limit of 90 %"));
  CHECK(contains(thrown<NotFound>([&] {
                   usable_pool(host, {"vg01", "pol"}, 90);
                 }),
                 "it has pool0"));
  CHECK(contains(thrown<Conflict>([&] {
                   usable_pool(host, {"vg01", "data"}, 90);
                 }),
                 "no thin pool"));
  host.volumes.erase(host.volumes.begin());
  CHECK(contains(thrown<NotFound>([&] { usable_pool(host, pool, 90); }), "lvcreate --type"));
}

TEST_CASE("a pool that has promised more than it has is warned of") {
  const LvmFacts host = facts();
  CHECK_FALSE(overcommit_warning(host, host.volumes[0], gibi));
  const auto warning = overcommit_warning(host, host.volumes[0], gibi + 1);
  REQUIRE(warning);
  CHECK(contains(*warning, "vg01/pool0 has 4G"));
}

TEST_CASE("whose a volume is, and whether it can be used") {
  LvmFacts host = facts();
  CHECK(own_volume(host, {"vg01", "data"}, 90).name == "data");
  CHECK(own_volume(host, {"vg01", "vm.default.ciab.0"}, 90).kind == VolumeKind::thin);
  CHECK(usable_volume(host, {"vg01", "theirs"}, 90).name == "theirs");
  CHECK(contains(thrown<Conflict>([&] {
                   own_volume(host, {"vg01", "theirs"}, 90);
                 }),
                 "no mark of nutshell's"));
  CHECK(contains(thrown<NotFound>([&] {
                   usable_volume(host, {"vg01", "gone"}, 90);
                 }),
                 "removed by hand"));
  CHECK(contains(thrown<Conflict>([&] {
                   usable_volume(host, {"vg01", "pool0"}, 90);
                 }),
                 "a thin pool and no disk"));
  CHECK(contains(thrown<Conflict>([&] {
                   usable_volume(host, {"vg01", "vm.default.ciab.0"}, 49);
                 }),
                 "past its limit"));
  host.volumes[2].broken = true;
  CHECK(contains(thrown<Conflict>([&] {
                   usable_volume(host, {"vg01", "data"}, 90);
                 }),
                 "cannot be read"));
  // A tag that only looks like ours is none.
  host.volumes[3].tags = {"nutshell.machine=not-a-uuid"};
  CHECK_FALSE(thrown<Conflict>([&] { own_volume(host, {"vg01", "theirs"}, 90); }).empty());
}

TEST_CASE("what stays with a volume: snapshots with its mark, and thick ones of anybody") {
  LvmFacts host = facts();
  const auto add = [&](const std::string& name, VolumeKind kind, const std::string& tag) {
    LogicalVolumeFact made = volume(name, kind, gibi);
    made.origin = "vm.default.ciab.0";
    if (!tag.empty()) made.tags = {tag};
    host.volumes.push_back(made);
  };
  add("vm.default.ciab.0.before", VolumeKind::thin, machine_tag(uuid));
  add("copy", VolumeKind::thin, volume_tag(uuid, "1a2b"));  // a clone has a mark of its own
  add("by-hand", VolumeKind::thick_snapshot, "");
  CHECK(snapshots_of(host, {"vg01", "vm.default.ciab.0"}) ==
        std::vector<std::string>{"vm.default.ciab.0.before", "by-hand"});
  CHECK(snapshots_of(host, {"vg01", "data"}).empty());
  CHECK(snapshots_of(host, {"vg01", "gone"}).empty());
}
