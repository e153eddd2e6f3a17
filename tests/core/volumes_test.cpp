// Names of logical volumes in the three forms, and what makes a volume ours.
#include "nutshell/volumes.hpp"

#include <doctest/doctest.h>

#include "core/problems.hpp"

using namespace nutshell;

namespace {
std::string read_as(std::string_view text) {
  const auto name = parse_volume_name(text);
  return name ? name->vg + " " + name->lv : "";
}
std::string fault(const std::string& vg, const std::string& lv) {
  return volume_name_fault({vg, lv});
}
constexpr const char* uuid = "11111111-2222-4333-8444-555555555555";
}  // namespace

TEST_CASE("a volume's name in each of its forms") {
  CHECK(read_as("/dev/vg01/ciab") == "vg01 ciab");
  CHECK(read_as("vg01/ciab") == "vg01 ciab");
  CHECK(read_as("/dev/mapper/vg01-ciab") == "vg01 ciab");
  CHECK(read_as("/dev/mapper/vg--01-my--disk") == "vg-01 my-disk");
  CHECK(read_as("/dev/mapper/a---b") == "a- b");  // an LV's name does not begin with '-'
  CHECK(read_as("/dev/mapper/a----b-c") == "a--b c");
  CHECK(read_as("/dev/mapper/vg-lv--") == "vg lv-");
  CHECK(read_as("/dev/V.G_1+/L.V") == "V.G_1+ L.V");
}

TEST_CASE("what is no logical volume") {
  for (const std::string_view text : {"",
                                      "/",
                                      "vg01",
                                      "/dev/sda",
                                      "/dev/vg01/",
                                      "/dev//lv",
                                      "/dev/vg/lv/x",
                                      "vg/lv/x",
                                      "/vg/lv",
                                      "./disk",
                                      "../disk",
                                      "/dev/mapper/",
                                      "/dev/mapper/control",
                                      "/dev/mapper/vg-lv-real",
                                      "/dev/mapper/-lv",
                                      "/dev/mapper/vg-",
                                      "/dev/mapper/a--b",
                                      "/dev/disk/by-id",
                                      "/dev/disk/by-id/x",
                                      "/dev/net/tun",
                                      "/dev/loop/0",
                                      "/dev/md/0",
                                      "vg/a b",
                                      "vg/\x1b",
                                      "nbd:x/y",
                                      "vg/-x"})
    CHECK_MESSAGE(read_as(text).empty(), text);
}

TEST_CASE("each fault of a name in its words") {
  CHECK(fault("vg01", "ciab").empty());
  CHECK(contains(fault("", "x"), "volume group is empty"));
  CHECK(contains(fault("vg", ""), "logical volume is empty"));
  CHECK(contains(fault("..", "x"), "'..'"));
  CHECK(contains(fault("vg", "-x"), "begin with '-'"));
  CHECK(contains(fault("vg", "a/b"), "'/'"));
  CHECK(contains(fault("vg", "a\n"), "\\x0a"));
  CHECK(contains(fault("vg", "snapshot1"), "'snapshot'"));
  CHECK(contains(fault("vg", "pvmove0"), "'pvmove'"));
  CHECK(contains(fault("vg", "a_tdata"), "'_tdata'"));
  CHECK(fault("vg", std::string(124, 'a')).empty());
  CHECK(contains(fault("vg", std::string(125, 'a')), "128 bytes"));
  CHECK(fault("v-", std::string(123, 'a')).empty());
  CHECK(contains(fault("v-", std::string(124, 'a')), "128 bytes"));
}

TEST_CASE("what is ours carries a whole mark") {
  const std::string machine = machine_tag({uuid}), lone = volume_tag({uuid}, "1a2b");
  CHECK(machine == std::string("nutshell.machine=") + uuid);
  CHECK(lone == std::string("nutshell.volume=") + uuid + "/1a2b");
  CHECK(parse_mark(machine) == Mark{true, {uuid}, ""});
  CHECK(parse_mark(lone) == Mark{false, {uuid}, "1a2b"});
  CHECK(parse_mark(std::string("nutshell.volume=") + uuid) == Mark{false, {uuid}, ""});
  CHECK_FALSE(parse_mark(machine + "/1a2b"));
  CHECK_FALSE(parse_mark("nutshell.restoring=x"));
  LogicalVolumeFact volume;
  volume.vg = "vg01";
  volume.name = "ciab";
  CHECK(volume.path() == "/dev/vg01/ciab");
  CHECK(our_tag(volume) == nullptr);
  volume.tags = {"backup", "nutshell.machine=", "nutshell.machine=1", "nutshell",
                 "xnutshell.machine=" + std::string(uuid)};
  CHECK(our_tag(volume) == nullptr);
  volume.tags.push_back(machine);
  REQUIRE(our_tag(volume) != nullptr);
  CHECK(*our_tag(volume) == machine);
  CHECK(volume.has_tag("backup"));
  CHECK_FALSE(volume.has_tag("back"));
  volume.tags = {lone};
  CHECK(*our_tag(volume) == lone);
}

TEST_CASE("a thin snapshot whose origin lvm has forgotten is known by its name and mark") {
  LvmFacts facts;
  const auto add = [&](const std::string& name, const std::string& tag, const std::string& pool) {
    LogicalVolumeFact volume;
    volume.vg = "vg01";
    volume.name = name;
    volume.kind = pool.empty() ? VolumeKind::thick : VolumeKind::thin;
    volume.pool = pool;
    volume.tags = {tag};
    facts.volumes.push_back(volume);
  };
  const std::string mark = machine_tag({uuid});
  add("vm.lab.ciab.0", mark, "pool0");
  add("vm.lab.ciab.0.before", mark, "pool0");
  add("vm.lab.ciab.0.shown", mark, "pool0");
  facts.volumes.back().origin = "vm.lab.ciab.0";
  add("vm.lab.ciab.0.clone", volume_tag({uuid}, "1a2b"), "pool0");
  add("vm.lab.ciab.0.other", mark, "pool1");
  add("vm.lab.ciab.0.thick", mark, "");
  add("vm.lab.ciab.1", mark, "pool0");
  complete_origins(facts);
  std::vector<std::string> by_name;
  for (const LogicalVolumeFact& volume : facts.volumes)
    if (volume.origin_by_name) by_name.push_back(volume.name + " of " + volume.origin);
  CHECK(by_name == std::vector<std::string>{"vm.lab.ciab.0.before of vm.lab.ciab.0"});
  CHECK(facts.volumes[2].origin == "vm.lab.ciab.0");
}

TEST_CASE("finding in what was read") {
  LvmFacts facts;
  facts.groups.push_back({.name = "vg01", .uuid = "u", .physical_volumes = {}});
  LogicalVolumeFact volume;
  volume.vg = "vg01";
  volume.name = "ciab";
  facts.volumes.push_back(volume);
  CHECK(facts.group("vg01") == &facts.groups[0]);
  CHECK(facts.group("vg02") == nullptr);
  CHECK(facts.volume("vg01", "ciab") == &facts.volumes[0]);
  CHECK(facts.volume("vg02", "ciab") == nullptr);
}
