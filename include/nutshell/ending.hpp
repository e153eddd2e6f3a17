// How a run ended, or what it is doing now, from what QEMU traced to its log. The last
// `runstate_set` is the truth. Pure.
#pragma once
#include <string>
#include <string_view>

namespace nutshell {

enum class RunState { unknown, prelaunch, running, paused, io_error, shutdown, panicked, crashed };

/// io_error: paused, because a disk could not be written (werror=stop).
struct Ending {
  RunState state = RunState::unknown;  ///< the last state that was entered
  int reason = -1;  ///< ShutdownCause of the last shutdown request (QEMU qapi/run-state.json), -1:
                    ///< none traced
};

/// Reads the trace lines of a log (or of its tail).
Ending parse_ending(std::string_view log);
/// For a run whose lock is free: "stopped", "stopped: guest powered off", "crashed: guest
/// panicked", "crashed: QEMU was killed", ...
std::string words_of_end(const Ending& ending);

}  // namespace nutshell
