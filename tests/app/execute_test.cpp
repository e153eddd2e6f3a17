// The executor against a host that fails: what was completed is undone in reverse, nothing else is
// touched, and what cannot be undone is told.
#include "app/execute.hpp"

#include <doctest/doctest.h>

#include "fakes/fake_host.hpp"
#include "nutshell/plan.hpp"

using namespace nutshell;

namespace {

const Uuid uuid{"4e757473-6865-4c6c-8000-676f6c64656e"};

Plan plan(OnFailure on_failure, std::vector<Step> steps) {
  return {"test", uuid, on_failure, std::move(steps)};
}

std::vector<std::string> words(const std::vector<Step>& steps) {
  std::vector<std::string> list;
  for (const Step& step : steps) list.push_back(describe(step));
  return list;
}

Outcome run(const Plan& plan, fakes::FakeHost& host) {
  return execute(plan, std::ref(host), [](const Step&) {}, {});
}

}  // namespace

TEST_CASE("a plan that succeeds does each step once, in order") {
  fakes::FakeHost host;
  const Plan launch =
      plan(OnFailure::undo,
           {MakeDirectory{"/a"}, MakeVolume{"/a/v", 1, DiskFormat::raw, {}}, StartQemu{uuid, 1}});
  const Outcome outcome = run(launch, host);
  CHECK_FALSE(outcome.cause);
  CHECK(host.done == words(launch.steps));
  CHECK_NOTHROW(rethrow(outcome));
}

TEST_CASE("what is finished, never undone, goes on with the next command when it is interrupted") {
  std::vector<std::string> done;
  const Outcome outcome = execute(
      plan(OnFailure::keep_going, {RestoreVolume{"vg01", "a.s", "t"}, DropFile{"/f"}}),
      [&](const Step& step) {
        if (std::holds_alternative<RestoreVolume>(step)) throw Interrupted();
        done.push_back(describe(step));
      },
      [](const Step&) {}, {});
  CHECK(done.empty());
  CHECK(outcome.leftovers.empty());
  CHECK_THROWS_WITH_AS(rethrow(outcome), "interrupted; the test goes on with the next command",
                       Interrupted);
}

TEST_CASE("at whichever step it fails, just the completed steps are undone, in reverse") {
  const std::vector<Step> steps{
      HoldMachine{uuid, "m"},  MakeDirectory{"/a"}, MakeVolume{"/a/v", 1, DiskFormat::raw, {}},
      WriteFile{"/a/s", "{}"}, StartQemu{uuid, 1},  Continue{uuid}};
  for (std::size_t failing = 1; failing <= steps.size(); ++failing) {
    fakes::FakeHost host({static_cast<int>(failing)});
    const Outcome outcome = run(plan(OnFailure::undo, steps), host);
    std::vector<Step> expected(steps.begin(),
                               steps.begin() + static_cast<std::ptrdiff_t>(failing - 1));
    for (std::size_t i = steps.size(); i-- > 0;)
      if (i < failing - 1 ||
          is_held(steps[i]))  // held: committed with the plan, before its first step
        if (const auto back = inverse(steps[i])) expected.push_back(*back);
    CAPTURE(failing);
    CHECK(host.done == words(expected));
    CHECK(outcome.leftovers.empty());
    CHECK_THROWS_WITH_AS(rethrow(outcome), doctest::Contains("fails"), Failed);
  }
}

TEST_CASE("an undo that fails is tried once more when the others are done") {
  fakes::FakeHost host({3, 4});  // step 3 fails, then the first undo
  const Outcome outcome = run(
      plan(OnFailure::undo, {MakeDirectory{"/a"}, MakeDirectory{"/b"}, MakeDirectory{"/c"}}), host);
  CHECK(host.done == words({MakeDirectory{"/a"}, MakeDirectory{"/b"}, DropDirectory{"/a"},
                            DropDirectory{"/b"}}));
  CHECK(outcome.leftovers.empty());
  CHECK_THROWS_AS(rethrow(outcome), Failed);
}

TEST_CASE("an undo that fails does not stop the others, and is told with exit 5") {
  fakes::FakeHost host({3, 4, 6});  // step 3 fails, then the first undo, then its second try
  const Outcome outcome = run(
      plan(OnFailure::undo, {MakeDirectory{"/a"}, MakeDirectory{"/b"}, MakeDirectory{"/c"}}), host);
  CHECK(host.done == words({MakeDirectory{"/a"}, MakeDirectory{"/b"}, DropDirectory{"/a"}}));
  REQUIRE(outcome.leftovers.size() == 1);
  try {
    rethrow(outcome);
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::left_behind);
    CHECK(std::string(error.what()).find("/b") != std::string::npos);
    CHECK(std::string(error.what()).find("nutshell gc") != std::string::npos);
  }
}

TEST_CASE("a teardown goes on past a step that fails") {
  fakes::FakeHost host({1});
  const Outcome outcome = run(plan(OnFailure::keep_going, {DropVolume{"/a/v"}, DropDirectory{"/a"},
                                                           ForgetMachine{uuid, "m"}}),
                              host);
  CHECK(host.done == words({DropDirectory{"/a"}, ForgetMachine{uuid, "m"}}));
  CHECK(outcome.leftovers.size() == 1);
}

TEST_CASE("past its commit a plan goes on, before it it is undone") {
  const std::vector<Step> steps{MakeVolume{"/v2", 1, DiskFormat::raw, {}}, Commit{uuid},
                                DropVolume{"/v1"}, TrimLeases{uuid, "{}"}};
  fakes::FakeHost late({3});
  const Outcome after = run(plan(OnFailure::undo, steps), late);
  CHECK(late.done == words({steps[0], steps[1], steps[3]}));
  CHECK(after.leftovers.size() == 1);
  fakes::FakeHost early({2});
  const Outcome before = run(plan(OnFailure::undo, steps), early);
  CHECK(early.done == words({steps[0], DropVolume{"/v2"}}));
  CHECK(before.leftovers.empty());
}
