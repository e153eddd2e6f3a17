// Plans and their recovery, as lists.
#include "nutshell/plan.hpp"

#include <doctest/doctest.h>

#include "golden/golden.hpp"

using namespace nutshell;
using State = Unfinished::State;

namespace {

const Uuid uuid{"4e757473-6865-4c6c-8000-676f6c64656e"};

Unfinished cut_short(OnFailure on_failure, std::vector<Step> steps, std::vector<State> states) {
  Unfinished unfinished;
  unfinished.plan = plan_of("launch", uuid, on_failure, std::move(steps));
  unfinished.steps = std::move(states);
  return unfinished;
}

}  // namespace

TEST_CASE("a launch that was cut short is undone in reverse, with the step that was begun") {
  const Plan plan =
      plan_recover(cut_short(OnFailure::undo,
                             {HoldMachine{uuid, "a"}, MakeDirectory{"/d"},
                              MakeVolume{"/d/v", 1, DiskFormat::raw, {}}, StartQemu{uuid, 1}},
                             {State::done, State::done, State::begun, State::untouched}));
  CHECK(plan.on_failure == OnFailure::keep_going);
  CHECK(plan.steps ==
        std::vector<Step>{DropVolume{"/d/v"}, DropDirectory{"/d"}, ForgetMachine{uuid, "a"}});
}

TEST_CASE("what was committed with the plan is given back although no step was begun") {
  const Plan plan = plan_recover(
      cut_short(OnFailure::undo, {HoldMachine{uuid, "a"}, MakeDirectory{"/d"}, HoldRun{uuid}},
                {State::untouched, State::untouched, State::untouched}));
  CHECK(plan.steps == std::vector<Step>{FreeRun{uuid, ""}, ForgetMachine{uuid, "a"}});
}

TEST_CASE("an undo that was cut short goes on where it was") {
  const Plan plan = plan_recover(
      cut_short(OnFailure::undo, {HoldMachine{uuid, "a"}, MakeDirectory{"/d"}, MakeDirectory{"/e"}},
                {State::done, State::done, State::undone}));
  CHECK(plan.steps == std::vector<Step>{DropDirectory{"/d"}, ForgetMachine{uuid, "a"}});
}

TEST_CASE("a plan that is done needs nothing") {
  CHECK(plan_recover(cut_short(OnFailure::undo, {HoldRun{uuid}, StartQemu{uuid, 1}, Continue{uuid}},
                               {State::done, State::done, State::done}))
            .steps.empty());
}

TEST_CASE("a teardown is finished") {
  const Plan plan = plan_recover(cut_short(
      OnFailure::keep_going, {StopQemu{uuid}, DropDirectory{"/d"}, FreeRun{uuid, "stopped"}},
      {State::done, State::begun, State::untouched}));
  CHECK(plan.steps == std::vector<Step>{DropDirectory{"/d"}, FreeRun{uuid, "stopped"}});
}

TEST_CASE("past its commit a plan is finished, before it undone") {
  const std::vector<Step> steps{HoldSpec{uuid, "{}"}, WriteFile{"/d/spec.json", ""}, Commit{uuid},
                                DropVolume{"/d/v"}, TrimLeases{uuid, "{}"}};
  CHECK(plan_recover(
            cut_short(OnFailure::undo, steps,
                      {State::done, State::done, State::done, State::begun, State::untouched}))
            .steps == std::vector<Step>{DropVolume{"/d/v"}, TrimLeases{uuid, "{}"}});
  CHECK(plan_recover(
            cut_short(OnFailure::undo, steps,
                      {State::done, State::done, State::begun, State::untouched, State::untouched}))
            .steps == std::vector<Step>{DropFile{"/d/spec.json"}, RestoreSpec{uuid, "{}"}});
}

TEST_CASE(
    "in a plan that undoes, nothing that cannot be undone stands before a step that can fail") {
  for (const std::string& name : golden::names()) {
    const MachineSpec spec = golden::machine(name);
    std::vector<Step> steps =
        steps_to_create(spec, golden::paths(golden::root), "/golden/OVMF_VARS.fd");
    for (Step& step :
         steps_to_start(spec, golden::paths(golden::root), 1, {}, {{}, golden::places(spec).taps}))
      steps.push_back(std::move(step));
    for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
      CAPTURE(describe(steps[i]));
      // What is wiped is ours and new, and what is deactivated is activated again when it is used.
      CHECK((inverse(steps[i]).has_value() || std::holds_alternative<WipeVolume>(steps[i]) ||
             std::holds_alternative<DeactivateVolume>(steps[i])));
    }
  }
}

TEST_CASE("rm keeps volumes when told, and the spec that says whose they were") {
  const MachineSpec spec = golden::machine("disks_virtio");
  const Paths paths = golden::paths(golden::root);
  const auto kept = steps_to_remove(spec, paths, Volumes::keep);
  for (const Step& step : kept) {
    CHECK_FALSE(std::holds_alternative<DropVolume>(step));
    CHECK(step != Step{DropDirectory{paths.machine(spec.uuid)}});
  }
  int dropped = 0;
  for (const Step& step : steps_to_remove(spec, paths, Volumes::drop))
    dropped += std::holds_alternative<DropVolume>(step);
  CHECK(dropped == 2);  // the three that were named by path are never ours to delete
}

TEST_CASE(
    "the rules go in when the taps are there, while QEMU gets ready and before the guest runs") {
  const MachineSpec spec = golden::machine("nic_wires");
  RunRecord run;
  run.taps = golden::places(spec).taps;
  run.guests = "[]";
  const auto start = steps_to_start(spec, golden::paths(golden::root), 1, {}, parts_of(run));
  REQUIRE(start.size() >= 3);
  std::vector<std::string> last;
  for (std::size_t i = start.size() - 3; i < start.size(); ++i) last.push_back(kind(start[i]));
  CHECK(last == std::vector<std::string>{"start_qemu", "guard_machine", "continue"});
}

TEST_CASE("a macvtap link is made before QEMU, and is gone before its name is") {
  const MachineSpec spec = golden::machine("nic_wires");
  const Paths paths = golden::paths(golden::root);
  RunRecord run;
  run.taps = golden::places(spec).taps;
  const auto start = steps_to_start(spec, paths, 1, {}, parts_of(run));
  const auto collect = steps_to_collect(spec, paths, "stopped", parts_of(run));
  const auto place = [](const std::vector<Step>& steps, const std::string& word) {
    return std::find_if(steps.begin(), steps.end(),
                        [&](const Step& step) { return kind(step) == word; }) -
           steps.begin();
  };
  CHECK(place(start, "make_macvtap") < place(start, "start_qemu"));
  CHECK(place(collect, "drop_macvtap") < place(collect, "free_run"));
  int made = 0;
  for (const Step& step : start) {
    if (!std::holds_alternative<MakeMacvtap>(step)) continue;
    ++made;
    CHECK(std::find(collect.begin(), collect.end(), *inverse(step)) != collect.end());
  }
  CHECK(made == 2);
  for (const Step& step : steps_to_collect(spec, paths, "stopped", parts_of(std::nullopt)))
    CHECK_FALSE(std::holds_alternative<DropMacvtap>(step));
}
