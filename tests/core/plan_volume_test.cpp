// The plans of volumes, and what a kill leaves of them.
#include <doctest/doctest.h>

#include "golden/golden.hpp"

using namespace nutshell;
using State = Unfinished::State;

namespace {

const Uuid uuid{"4e757473-6865-4c6c-8000-676f6c64656e"};
const std::string tag = "nutshell.machine=" + uuid.text;

VolumePlace logical(const std::string& name) {
  return {"/dev/vg01/" + name, "vg01", "", tag, DiskFormat::raw, gibi, false};
}
VolumePlace file() { return {"/v.img", "", "", "", DiskFormat::raw, gibi, false}; }

/// What is done about a plan that was cut short while step `at` was begun.
std::vector<Step> after_kill(const std::vector<Step>& steps, std::size_t at,
                             OnFailure on_failure = OnFailure::undo) {
  Unfinished unfinished;
  unfinished.plan = plan_of("volume", uuid, on_failure, steps);
  unfinished.steps.assign(steps.size(), State::untouched);
  for (std::size_t i = 0; i < at; ++i) unfinished.steps[i] = State::done;
  unfinished.steps[at] = State::begun;
  return plan_recover(unfinished).steps;
}

bool has(const std::vector<Step>& steps, const Step& step) {
  return std::find(steps.begin(), steps.end(), step) != steps.end();
}

}  // namespace

TEST_CASE("a logical volume is made, wiped at its beginning, and left inactive") {
  CHECK(steps_to_make_volume(logical("a")) ==
        std::vector<Step>{MakeLogicalVolume{"vg01", "a", gibi, "", tag},
                          ActivateVolume{"vg01", "a"}, WipeVolume{"/dev/vg01/a", mebi},
                          DeactivateVolume{"vg01", "a"}});
  CHECK(steps_to_make_volume(file()) ==
        std::vector<Step>{MakeVolume{"/v.img", gibi, DiskFormat::raw, {}}});
}

TEST_CASE("wherever making a volume is cut short, nothing of it stays") {
  const auto steps = steps_to_import("/i.qcow2", "qcow2", logical("a"));
  CHECK(kind(steps.back()) == "deactivate_volume");
  CHECK(has(steps, FillVolume{"/i.qcow2", "qcow2", "/dev/vg01/a", DiskFormat::raw}));
  for (std::size_t at = 0; at < steps.size(); ++at) {
    const auto left = after_kill(steps, at);
    REQUIRE_FALSE(left.empty());
    CHECK(left.back() == Step{DropLogicalVolume{"vg01", "a", tag}});
    if (at > 0) CHECK(left.front() == Step{DeactivateVolume{"vg01", "a"}});
  }
}

TEST_CASE("a volume that is wiped is removed only when all of it is") {
  const auto steps = steps_to_drop_volume(logical("a"), Wipe::yes, uuid);
  CHECK(steps == std::vector<Step>{ActivateVolume{"vg01", "a"}, WipeVolume{"/dev/vg01/a", 0},
                                   DeactivateVolume{"vg01", "a"}, Commit{uuid},
                                   DropLogicalVolume{"vg01", "a", tag}});
  CHECK(after_kill(steps, 1) == std::vector<Step>{DeactivateVolume{"vg01", "a"}});
  CHECK(after_kill(steps, 4) == std::vector<Step>{DropLogicalVolume{"vg01", "a", tag}});
  CHECK(steps_to_drop_volume(logical("a"), Wipe::no, uuid) ==
        std::vector<Step>{DropLogicalVolume{"vg01", "a", tag}});
  CHECK(steps_to_drop_volume(file(), Wipe::yes, uuid) ==
        std::vector<Step>{WipeVolume{"/v.img", 0}, Commit{uuid}, DropVolume{"/v.img"}});
}

TEST_CASE("a guest that is held is let go, wherever the snapshot is cut short") {
  for (const bool freeze : {false, true}) {
    const auto steps = steps_to_snapshot(logical("a"), "a.before", GuestHold{uuid, freeze});
    CHECK(steps == std::vector<Step>{HoldGuest{uuid, freeze},
                                     SnapshotVolume{"vg01", "a", "a.before", tag},
                                     LetGuest{uuid, freeze}});
    for (std::size_t at = 0; at < steps.size(); ++at)
      CHECK(after_kill(steps, at).back() == Step{LetGuest{uuid, freeze}});
  }
  CHECK(steps_to_snapshot(logical("a"), "a.before", std::nullopt).size() == 1);
}

TEST_CASE("what a thin snapshot is put back into keeps the size that it has grown to") {
  VolumePlace origin = logical("a"), snapshot = logical("a.before");
  const Step restore = RestoreVolume{"vg01", "a.before", tag};
  CHECK(steps_to_restore(snapshot, origin) == std::vector<Step>{restore});
  origin.size = 2 * gibi;
  CHECK(steps_to_restore(snapshot, origin) == std::vector<Step>{restore});  // thick: copied into
  origin.thin = snapshot.thin = "pool0";
  const auto steps = steps_to_restore(snapshot, origin);
  CHECK(steps == std::vector<Step>{restore, ResizeVolume{"/dev/vg01/a", "vg01", tag,
                                                         DiskFormat::raw, gibi, 2 * gibi}});
  CHECK(after_kill(steps, 0, OnFailure::keep_going) == steps);
}

TEST_CASE("a clone: thin at once, thick by copying, of a running machine from a snapshot") {
  VolumePlace thin = logical("a"), thin_copy = logical("b");
  thin.thin = thin_copy.thin = "pool0";
  thin_copy.tag = "nutshell.volume=x";
  CHECK(steps_to_clone(thin, thin_copy, std::nullopt, "m", uuid) ==
        std::vector<Step>{ActivateVolume{"vg01", "a"},
                          SnapshotVolume{"vg01", "a", "b", "nutshell.volume=x"},
                          DeactivateVolume{"vg01", "a"}});
  thin.active = true;
  CHECK(steps_to_clone(thin, thin_copy, std::nullopt, "m", uuid).size() == 1);
  CHECK(steps_to_clone(logical("a"), logical("b"), std::nullopt, "m", uuid) ==
        std::vector<Step>{MakeLogicalVolume{"vg01", "b", gibi, "", tag},
                          ActivateVolume{"vg01", "b"}, ActivateVolume{"vg01", "a"},
                          FillVolume{"/dev/vg01/a", "raw", "/dev/vg01/b", DiskFormat::raw},
                          DeactivateVolume{"vg01", "a"}, DeactivateVolume{"vg01", "b"}});
  VolumePlace used = logical("a");
  used.active = true;
  const auto steps = steps_to_clone(used, logical("b"), GuestHold{uuid, false}, "a.m", uuid);
  CHECK(steps ==
        std::vector<Step>{MakeLogicalVolume{"vg01", "b", gibi, "", tag}, HoldGuest{uuid, false},
                          SnapshotVolume{"vg01", "a", "a.m", tag}, LetGuest{uuid, false},
                          ActivateVolume{"vg01", "b"},
                          FillVolume{"/dev/vg01/a.m", "raw", "/dev/vg01/b", DiskFormat::raw},
                          DeactivateVolume{"vg01", "b"}, Commit{uuid},
                          DropLogicalVolume{"vg01", "a.m", tag}});
  for (std::size_t at = 2; at < steps.size(); ++at)
    CHECK(has(after_kill(steps, at), DropLogicalVolume{"vg01", "a.m", tag}));
  for (std::size_t at = 0; at < 7; ++at)
    CHECK(has(after_kill(steps, at), DropLogicalVolume{"vg01", "b", tag}));
  CHECK_FALSE(has(after_kill(steps, 8), DropLogicalVolume{"vg01", "b", tag}));
}

TEST_CASE("a disk that grows never shrinks again once its guest may know") {
  const MachineSpec before = golden::machine("lvm");
  MachineSpec after = before;
  after.disks[0].size = 200 * gibi;
  VolumePlace now{before.disks[0].path, "vg01",     "",  machine_tag(before.uuid),
                  DiskFormat::raw,      100 * gibi, true};
  const Paths paths = golden::paths(golden::root);
  const ResizeVolume grow{now.path, "vg01", now.tag, DiskFormat::raw, 100 * gibi, 200 * gibi};
  const auto steps = steps_to_grow_disk({before, after, 0, now, true}, paths);
  REQUIRE(steps.size() == 5);
  CHECK(steps[1] == Step{grow});
  CHECK(kind(steps[3]) == "commit");
  CHECK(steps[4] == Step{TellGuest{uuid, 0, 200 * gibi}});
  ResizeVolume back = grow;
  std::swap(back.from, back.to);
  CHECK(has(after_kill(steps, 1), back));
  CHECK(has(after_kill(steps, 3), back));
  CHECK(after_kill(steps, 4) == std::vector<Step>{steps[4]});
  CHECK(steps_to_grow_disk({before, after, 0, now, false}, paths).size() == 4);
  now.format = DiskFormat::qcow2;  // an open qcow2 is enlarged by QEMU alone
  for (const Step& step : steps_to_grow_disk({before, after, 0, now, true}, paths))
    CHECK_FALSE(std::holds_alternative<ResizeVolume>(step));
}

TEST_CASE("what a run activated is deactivated when it is collected, before it is forgotten") {
  const MachineSpec spec = golden::machine("lvm");
  const Paths paths = golden::paths(golden::root);
  const auto start = steps_to_start(spec, paths, 1, {}, {{"vg01/a", "vg01/b"}, {}, {}});
  CHECK(start[2] == Step{ActivateVolume{"vg01", "a"}});
  CHECK(start[3] == Step{ActivateVolume{"vg01", "b"}});
  const auto collect = steps_to_collect(spec, paths, "stopped", {{"vg01/a", "vg01/b"}, {}, {}});
  CHECK(collect[1] == Step{DeactivateVolume{"vg01", "a"}});
  CHECK(collect[3] == Step{FreeRun{uuid, "stopped"}});
}

TEST_CASE("rm of a machine on LVM: dropped, wiped first, or kept") {
  const MachineSpec spec = golden::machine("lvm");
  const Paths paths = golden::paths(golden::root);
  CHECK(steps_to_remove(spec, paths, Volumes::drop)[0] ==
        Step{DropLogicalVolume{"vg01", "vm.lab.ciab.0", machine_tag(spec.uuid)}});
  const auto wiped = steps_to_remove(spec, paths, Volumes::wipe);
  CHECK(kind(wiped[0]) == "activate_volume");
  CHECK(wiped[1] == Step{WipeVolume{spec.disks[0].path, 0}});
  const auto commit = std::find(wiped.begin(), wiped.end(), Step{Commit{spec.uuid}});
  REQUIRE(commit != wiped.end());
  for (auto step = commit; step != wiped.end(); ++step) CHECK(kind(*step) != "wipe_volume");
  for (auto step = wiped.begin(); step != commit; ++step)
    CHECK(kind(*step) != "drop_logical_volume");
  for (const Step& step : steps_to_remove(spec, paths, Volumes::keep))
    CHECK_FALSE(std::holds_alternative<DropLogicalVolume>(step));
}
