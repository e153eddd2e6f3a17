// lvm's own reports, as lvm 2.03.16 printed them, and what is no report.
#include "host/lvm_report.hpp"

#include <doctest/doctest.h>

#include "host/lvm_call.hpp"
#include "host/lvm_holders.hpp"
#include "host/scratch.hpp"

using namespace nutshell;
using namespace nutshell::host;

namespace {

// A group with a thin pool, a thin volume and its snapshot, a thick one and its snapshot, inactive
// where no device-mapper is.
constexpr const char* recorded = R"json(
  {
      "report": [
          {
              "vg": [
                  {"vg_name":"vg01", "vg_uuid":"HjU8jr-1ma7-BSIz-tRPz-VGZT-R5VN-Elhals", "vg_extent_size":"4194304", "vg_size":"1065353216", "vg_free":"931135488", "vg_partial":"partial", "vg_exported":""}
              ]
              ,
              "pv": [
                  {"pv_name":"/dev/loop0", "pv_uuid":"KkPlRv-4ob0-Ox82-kDTe-JZ4T-u7NM-JqMuNn", "pv_size":"532676608", "pv_free":"423624704", "pv_missing":""},
                  {"pv_name":"[unknown]", "pv_uuid":"yHw51k-Kv0l-CcuH-tGab-0heB-56KL-FM272H", "pv_size":"532676608", "pv_free":"507510784", "pv_missing":"missing"}
              ]
              ,
              "lv": [
                  {"lv_name":"pool", "lv_uuid":"aaaaaa-ibwx-2ZHW-Qdke-vN5Q-4kIK-2jsNMY", "lv_size":"83886080", "lv_layout":"thin,pool", "lv_role":"private", "pool_lv":"", "origin":"", "lv_tags":"", "lv_active":"active", "lv_device_open":"", "lv_skip_activation":"", "lv_snapshot_invalid":"unknown", "data_percent":"12.50", "metadata_percent":"10.94", "lv_health_status":""},
                  {"lv_name":"snap", "lv_uuid":"gggggg-ibwx-2ZHW-Qdke-vN5Q-4kIK-2jsNMY", "lv_size":"25165824", "lv_layout":"linear", "lv_role":"public,snapshot,thicksnapshot", "pool_lv":"", "origin":"thick", "lv_tags":"", "lv_active":"unknown", "lv_device_open":"unknown", "lv_skip_activation":"", "lv_snapshot_invalid":"snapshot invalid", "data_percent":"100.00", "metadata_percent":"", "lv_health_status":""},
                  {"lv_name":"thick", "lv_uuid":"ffffff-ibwx-2ZHW-Qdke-vN5Q-4kIK-2jsNMY", "lv_size":"20971520", "lv_layout":"linear", "lv_role":"public,origin,thickorigin", "pool_lv":"", "origin":"", "lv_tags":"", "lv_active":"active", "lv_device_open":"open", "lv_skip_activation":"", "lv_snapshot_invalid":"unknown", "data_percent":"", "metadata_percent":"", "lv_health_status":"partial"},
                  {"lv_name":"thin1", "lv_uuid":"dddddd-ibwx-2ZHW-Qdke-vN5Q-4kIK-2jsNMY", "lv_size":"209715200", "lv_layout":"thin,sparse", "lv_role":"public,origin,thinorigin", "pool_lv":"pool", "origin":"", "lv_tags":"nutshell.machine=1,x", "lv_active":"unknown", "lv_device_open":"unknown", "lv_skip_activation":"skip activation", "lv_snapshot_invalid":"unknown", "data_percent":"", "metadata_percent":"", "lv_health_status":""},
                  {"lv_name":"thin1s", "lv_uuid":"eeeeee-ibwx-2ZHW-Qdke-vN5Q-4kIK-2jsNMY", "lv_size":"209715200", "lv_layout":"thin,sparse", "lv_role":"public,snapshot,thinsnapshot", "pool_lv":"pool", "origin":"thin1", "lv_tags":"", "lv_active":"unknown", "lv_device_open":"unknown", "lv_skip_activation":"skip activation", "lv_snapshot_invalid":"unknown", "data_percent":"", "metadata_percent":"", "lv_health_status":""}
              ]
              ,
              "pvseg": [
              ]
              ,
              "seg": [
              ]
          }
      ]
  }
)json";

std::string group_named(const std::string& name, const std::string& uuid) {
  return R"({"vg":[{"vg_name":")" + name + R"(","vg_uuid":")" + uuid +
         R"(","vg_extent_size":"4194304","vg_size":"8388608","vg_free":"0","vg_partial":"","vg_exported":"exported"}],)"
         R"("pv":[],"lv":[{"lv_name":"x","lv_uuid":"u","lv_size":"4194304","lv_layout":"raid,raid1","lv_role":"public"}]})";
}

}  // namespace

TEST_CASE("a recorded report, every kind of volume in it") {
  const LvmFacts facts = parse_lvm_report(recorded);
  REQUIRE(facts.groups.size() == 1);
  const VolumeGroupFact& group = facts.groups[0];
  CHECK(group.extent == 4194304);
  CHECK(group.size == 1065353216);
  CHECK(group.free == 931135488);
  CHECK(group.partial);
  CHECK_FALSE(group.exported);
  CHECK_FALSE(group.ambiguous);
  REQUIRE(group.physical_volumes.size() == 2);
  CHECK(group.physical_volumes[0].device == "/dev/loop0");
  CHECK_FALSE(group.physical_volumes[0].missing);
  CHECK(group.physical_volumes[1].missing);

  REQUIRE(facts.volumes.size() == 5);
  const LogicalVolumeFact &pool = facts.volumes[0], &snap = facts.volumes[1],
                          &thick = facts.volumes[2], &thin = facts.volumes[3],
                          &thin_snap = facts.volumes[4];
  CHECK(pool.kind == VolumeKind::thin_pool);
  CHECK(pool.data_percent == 12.5);
  CHECK(pool.metadata_percent == 10.94);
  CHECK(snap.kind == VolumeKind::thick_snapshot);
  CHECK(snap.origin == "thick");
  CHECK(snap.broken);
  CHECK_FALSE(snap.active);  // "unknown"
  CHECK(thick.kind == VolumeKind::thick);
  CHECK(thick.active);
  CHECK(thick.open);
  CHECK(thick.broken);
  CHECK_FALSE(thick.skips_activation);
  CHECK(thin.kind == VolumeKind::thin);
  CHECK(thin.pool == "pool");
  CHECK(thin.origin.empty());
  CHECK(thin.tags == std::vector<std::string>{"nutshell.machine=1", "x"});
  CHECK(thin.skips_activation);
  CHECK_FALSE(thin.broken);
  CHECK_FALSE(thin.data_percent);
  CHECK(thin.path() == "/dev/vg01/thin1");
  CHECK(thin_snap.kind == VolumeKind::thin);
  CHECK(thin_snap.origin == "thin1");
}

TEST_CASE("two groups of one name are both told, and the volumes of neither") {
  const LvmFacts facts =
      parse_lvm_report("{\"report\":[" + group_named("vg", "b") + "," + group_named("vg", "a") +
                       "," + group_named("other", "c") + "]}");
  REQUIRE(facts.groups.size() == 3);
  CHECK(facts.groups[0].name == "other");
  CHECK_FALSE(facts.groups[0].ambiguous);
  CHECK(facts.groups[0].exported);
  CHECK(facts.groups[1].uuid == "a");
  CHECK(facts.groups[1].ambiguous);
  CHECK(facts.groups[2].ambiguous);
  REQUIRE(facts.volumes.size() == 1);
  CHECK(facts.volumes[0].vg == "other");
  CHECK(facts.volumes[0].kind == VolumeKind::other);
}

TEST_CASE("what is no report") {
  for (const std::string text :
       {"", "{", "[]", "{}", "null", "{\"report\":1}", "{\"report\":{}}",
        "{\"report\":[{\"vg\":1}]}", "{\"report\":[{\"vg\":[1]}]}",
        "{\"report\":[{\"vg\":[{\"vg_name\":\"x\"}]}]}",
        "{\"report\":[{\"vg\":[{\"vg_name\":\"x\",\"vg_extent_size\":\"4.00m\"}]}]}", "\xff\xfe"}) {
    CHECK_MESSAGE(
        scratch::sentence_of([&] { parse_lvm_report(text); }).find("report") != std::string::npos,
        text);
  }
  CHECK(parse_lvm_report("{\"report\":[]}").groups.empty());
  CHECK_FALSE(
      scratch::sentence_of([] { parse_pv_report("{\"report\":[{\"pv\":[{}]}]}"); }).empty());
}

TEST_CASE("physical volumes: a copy, a missing one, and a device that is none") {
  const auto rows = parse_pv_report(
      R"({"report":[{"pv":[
        {"pv_name":"/dev/loop0","vg_name":"tvg1","vg_uuid":"H","pv_duplicate":""},
        {"pv_name":"/dev/loop2","vg_name":"tvg1","vg_uuid":"H","pv_duplicate":"duplicate"},
        {"pv_name":"[unknown]","vg_name":"tvg1","vg_uuid":"H","pv_duplicate":""},
        {"pv_name":"/dev/vda","vg_name":"","vg_uuid":"","pv_duplicate":""}]}]})");
  REQUIRE(rows.size() == 4);
  CHECK_FALSE(rows[0].duplicate);
  CHECK(rows[1].duplicate);
  CHECK(rows[2].device == "[unknown]");
  CHECK(rows[3].vg.empty());
}

TEST_CASE("what lvm says, without its warnings and escape sequences") {
  CHECK(words_of_lvm("") == "lvm said nothing");
  CHECK(words_of_lvm("  WARNING: Activation disabled.\n\n") == "lvm said nothing");
  CHECK(words_of_lvm(
            "  WARNING: x\n  Volume group \"vg\" not found\n  Cannot process volume group vg.\n") ==
        "Volume group \"vg\" not found; Cannot process volume group vg");
  CHECK(words_of_lvm("File descriptor 9 (/x) leaked on lvm invocation.\n\x1b[2Jbad") ==
        "\\x1b[2Jbad");
  CHECK(words_of_lvm(" . \n...\n") == "lvm said nothing");
}

TEST_CASE("device-mapper's name of a volume") {
  CHECK(mapper_name({"vg01", "ciab"}) == "vg01-ciab");
  CHECK(mapper_name({"vg-01", "a--b"}) == "vg--01-a----b");
  for (const VolumeName& name : {VolumeName{"v-", "a"}, {"v", "a-b-c"}, {"a--", "b-"}})
    CHECK(parse_volume_name("/dev/mapper/" + mapper_name(name)) == name);
}
