// How a run ended, from lines as QEMU 7.2 traces them.
#include "nutshell/ending.hpp"

#include <doctest/doctest.h>

using namespace nutshell;

namespace {
const char* const running = "runstate_set current_run_state 6 (prelaunch) new_state 9 (running)\n";
std::string words(const std::string& more) { return words_of_end(parse_ending(running + more)); }
}  // namespace

TEST_CASE("the last state is the truth") {
  CHECK(parse_ending("").state == RunState::unknown);
  CHECK(parse_ending(running).state == RunState::running);
  CHECK(parse_ending(std::string(running) +
                     "runstate_set current_run_state 9 (running) new_state 4 (paused)\n")
            .state == RunState::paused);
  CHECK(parse_ending("runstate_set current_run_state 9 (running) new_state 3 (io-error)\n").state ==
        RunState::io_error);
  CHECK(parse_ending("noise\nrunstate_set current_run_state 9 (running) new_state 11 (shutdown)")
            .state == RunState::shutdown);
}

TEST_CASE("how it ended, in words") {
  const std::string shutdown =
      "runstate_set current_run_state 9 (running) new_state 11 (shutdown)\n";
  CHECK(words("qemu_system_shutdown_request reason=6\n" + shutdown) ==
        "stopped: the guest powered off");
  CHECK(words("qemu_system_shutdown_request reason=2\n" + shutdown) == "stopped: quit by QMP");
  CHECK(words(shutdown) == "stopped");
  CHECK(words("qemu_system_shutdown_request reason=8\n" + shutdown) ==
        "crashed: the guest panicked");
  CHECK(words("runstate_set current_run_state 9 (running) new_state 15 (guest-panicked)\n") ==
        "crashed: the guest panicked");
  CHECK(words("").starts_with("crashed"));
  // An earlier panic that the guest was reset out of is not how this run ended.
  CHECK(words("qemu_system_shutdown_request reason=8\n" + std::string(running)).find("panicked") ==
        std::string::npos);
}
