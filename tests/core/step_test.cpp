// Steps: the undo of each, its words, and its way through the journal.
#include "nutshell/step.hpp"

#include <doctest/doctest.h>

#include <set>

#include "core/problems.hpp"

using namespace nutshell;

namespace {

const Uuid uuid = *parse_uuid("0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0");

std::vector<Step> all_steps() {
  return {
      HoldMachine{uuid, "ciab"},
      ForgetMachine{uuid, "ciab"},
      HoldRun{uuid},
      FreeRun{uuid, "crashed: killed"},
      HoldSpec{uuid, "{}"},
      RestoreSpec{uuid, "{}"},
      Commit{uuid},
      TrimLeases{uuid, "{}"},
      MakeDirectory{"/d"},
      DropDirectory{"/d"},
      MakeVolume{"/v", 100 * gibi, DiskFormat::qcow2, {{"/b", DiskFormat::raw}}},
      DropVolume{"/v"},
      MakeLogicalVolume{"vg01", "vm.default.ciab.0", 100 * gibi, "pool", "nutshell.machine=x"},
      DropLogicalVolume{"vg01", "a", "nutshell.machine=x"},
      ActivateVolume{"vg01", "a"},
      DeactivateVolume{"vg01", "a"},
      WipeVolume{"/dev/vg01/a", mebi},
      SnapshotVolume{"vg01", "a", "a.before", "nutshell.machine=x"},
      RestoreVolume{"vg01", "a.before", "nutshell.machine=x"},
      ResizeVolume{"/dev/vg01/a", "vg01", "nutshell.machine=x", DiskFormat::raw, gibi, 2 * gibi},
      TellGuest{uuid, 1, 2 * gibi},
      FillVolume{"/i.vmdk", "vmdk", "/dev/vg01/a", DiskFormat::raw},
      HoldGuest{uuid, true},
      LetGuest{uuid, false},
      CopyFile{"/from", "/to"},
      MakeSecret{"/p", "/from"},
      WriteFile{"/f", "text\n\"x\""},
      DropFile{"/f"},
      EnsureNetwork{uuid, "nutshell0", "nutshell0", *parse_ipv4_net("10.75.0.1/24"),
                    *parse_mac("52:54:00:00:00:01"), NetworkMode::routed},
      LeaveNetwork{uuid, "nutshell0"},
      MakeMacvtap{"nt1-1", "em1", MacvtapMode::vepa, *parse_mac("52:54:00:00:00:02"),
                  "nutshell:default/ciab:0", 9000},
      DropMacvtap{"nt1-1", "nutshell:default/ciab:0", *parse_mac("52:54:00:00:00:02")},
      GuardMachine{uuid, "[]"},
      UnguardMachine{uuid, "[]"},
      StartQemu{uuid, 3},
      StopQemu{uuid},
      Continue{uuid}};
}

std::string refused(const std::string& json) {
  try {
    step_from_json(Json::parse(json));
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("the list above holds every step once") {
  std::set<std::size_t> kinds;
  for (const Step& step : all_steps()) kinds.insert(step.index());
  CHECK(kinds.size() == std::variant_size_v<Step>);
}

TEST_CASE("what undoes what") {
  CHECK(inverse(HoldMachine{uuid, "ciab"}) == Step(ForgetMachine{uuid, "ciab"}));
  CHECK(inverse(HoldRun{uuid}) == Step(FreeRun{uuid, ""}));
  CHECK(inverse(HoldSpec{uuid, "{}"}) == Step(RestoreSpec{uuid, "{}"}));
  CHECK(inverse(GuardMachine{uuid, "[]"}) == Step(UnguardMachine{uuid, "[]"}));
  CHECK(inverse(MakeSecret{"/p", ""}) == Step(DropFile{"/p"}));
  CHECK(inverse(MakeDirectory{"/d"}) == Step(DropDirectory{"/d"}));
  CHECK(inverse(MakeVolume{"/v", 1, DiskFormat::raw, {}}) == Step(DropVolume{"/v"}));
  CHECK(inverse(MakeLogicalVolume{"g", "a", 1, "", "t"}) == Step(DropLogicalVolume{"g", "a", "t"}));
  CHECK(inverse(ActivateVolume{"g", "a"}) == Step(DeactivateVolume{"g", "a"}));
  CHECK(inverse(SnapshotVolume{"g", "a", "s", "t"}) == Step(DropLogicalVolume{"g", "s", "t"}));
  CHECK(inverse(ResizeVolume{"/v", "g", "t", DiskFormat::raw, 1, 2}) ==
        Step(ResizeVolume{"/v", "g", "t", DiskFormat::raw, 2, 1}));
  CHECK(inverse(HoldGuest{uuid, true}) == Step(LetGuest{uuid, true}));
  CHECK_FALSE(inverse(WipeVolume{"/v", 0}));
  CHECK_FALSE(inverse(RestoreVolume{"g", "s", "t"}));
  CHECK_FALSE(inverse(TellGuest{uuid, 0, 1}));
  CHECK(inverse(CopyFile{"/from", "/to"}) == Step(DropFile{"/to"}));
  CHECK(inverse(WriteFile{"/f", "x"}) == Step(DropFile{"/f"}));
  CHECK(inverse(EnsureNetwork{uuid, "n", "b", {}, {}}) == Step(LeaveNetwork{uuid, "n"}));
  CHECK(inverse(MakeMacvtap{"l", "em1", MacvtapMode::bridge, {7}, "m", 0}) ==
        Step(DropMacvtap{"l", "m", {7}}));
  CHECK(inverse(StartQemu{uuid, 1}) == Step(StopQemu{uuid}));
  CHECK_FALSE(inverse(Continue{uuid}));
}

TEST_CASE("an undo is never undone") {
  for (const Step& step : all_steps())
    if (const auto undo = inverse(step)) CHECK_FALSE_MESSAGE(inverse(*undo), kind(step));
}

TEST_CASE("kinds and descriptions are distinct, on one line and printable") {
  std::set<std::string> kinds, lines;
  for (const Step& step : all_steps()) {
    kinds.insert(kind(step));
    lines.insert(describe(step));
    CHECK(describe(step) == printable(describe(step)));
  }
  CHECK(kinds.size() == all_steps().size());
  CHECK(lines.size() == all_steps().size());
  CHECK(kind(MakeVolume{}) == "make_volume");
  CHECK(describe(MakeVolume{"/v", 100 * gibi, DiskFormat::raw, {}}) == "make volume /v: 100G raw");
  CHECK(describe(WipeVolume{"/v", 0}) == "zero all of /v");
  CHECK(describe(WipeVolume{"/v", mebi}) == "zero the first 1M of /v");
  CHECK(describe(MakeLogicalVolume{"g", "a", gibi, "p", "t"}) ==
        "make logical volume g/a: 1G, thin, in pool p");
  CHECK(describe(DropFile{"/a\x1b[2J"}) == "remove file /a\\x1b[2J");
}

TEST_CASE("steps and plans come back from the journal") {
  for (const Step& step : all_steps()) {
    CHECK_MESSAGE(step_from_json(Json::parse(to_json(step).dump())) == step, kind(step));
    CHECK(to_json(step).text("step") == kind(step));
  }
  for (const OnFailure on_failure : {OnFailure::undo, OnFailure::keep_going}) {
    const Plan plan{"launch", uuid, on_failure, all_steps()};
    CHECK(plan_from_json(Json::parse(to_json(plan).dump())) == plan);
  }
  CHECK(plan_from_json(to_json(Plan())) == Plan());
}

TEST_CASE("a journal that is damaged or newer is refused") {
  CHECK(
      contains(refused(R"({"step":"teleport"})"), "\"teleport\" that this version does not know"));
  CHECK_THROWS_AS(step_from_json(Json::parse(R"({"step":"drop_file"})")), Failed);
  try {
    step_from_json(Json::parse(R"({"step":"teleport"})"));
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::conflict);  // newer is not damaged
  }
  CHECK(contains(refused(R"({"step":"drop_file"})"), "\"path\""));
  CHECK(contains(refused(R"({"step":"stop_qemu","uuid":"x"})"), "no UUID"));
  CHECK(contains(refused(R"({"step":"start_qemu","uuid":"","boot":0})"), "out of range"));
  CHECK(contains(refused(R"({"step":"start_qemu","uuid":"","boot":4294967296})"), "out of range"));
  CHECK(contains(
      refused(R"({"step":"make_volume","path":"/v","size":-1,"format":"raw","backing":[]})"),
      "negative"));
  CHECK(contains(
      refused(R"({"step":"make_volume","path":"/v","size":1,"format":"vmdk","backing":[]})"),
      "no disk format"));
  CHECK_FALSE(refused("[]").empty());
  CHECK_FALSE(refused("null").empty());
  for (const Step& step : all_steps()) {
    const Json json = to_json(step);
    for (const auto& [missing, value] : json.as_object()) {
      Json less = Json::object();
      for (const auto& [name, member] : json.as_object())
        if (name != missing) less.append(name, member);
      // A journal of the first version knows networks of one mode.
      const bool optional = kind(step) == "ensure_network" && missing == "mode";
      CHECK_MESSAGE(refused(less.dump()).empty() == optional, kind(step), " without ", missing);
    }
  }
  CHECK_THROWS_AS(
      plan_from_json(Json::parse(R"({"verb":"x","machine":"","on_failure":"shrug","steps":[]})")),
      Failed);
}
