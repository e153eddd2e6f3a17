// QEMU's trace events name run states by number, and the numbers moved between versions, so the
// name in parentheses is read where it is there (7.1 and later print it), and the one table of
// numbers serves the rest.
#include "nutshell/ending.hpp"

#include <charconv>
#include <optional>

namespace nutshell {
namespace {

struct Named {
  const char* name;
  RunState state;
};
constexpr Named states[] = {
    {"prelaunch", RunState::prelaunch},     {"running", RunState::running},
    {"paused", RunState::paused},           {"shutdown", RunState::shutdown},
    {"guest-panicked", RunState::panicked}, {"internal-error", RunState::crashed},
    {"io-error", RunState::io_error},       {"watchdog", RunState::paused},
    {"suspended", RunState::running},       {"debug", RunState::paused},
    {"postmigrate", RunState::paused},      {"save-vm", RunState::paused},
    {"restore-vm", RunState::paused},       {"inmigrate", RunState::paused},
    {"finish-migrate", RunState::paused}};

RunState state_named(std::string_view name) {
  for (const auto& [known, state] : states)
    if (name == known) return state;
  return RunState::unknown;
}

// "... new_state 9 (running)": the last parenthesis of the line.
RunState last_state(std::string_view line) {
  const auto open = line.rfind('('), close = line.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open)
    return RunState::unknown;
  return state_named(line.substr(open + 1, close - open - 1));
}

std::optional<int> number_after(std::string_view line, std::string_view key) {
  const auto at = line.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  int value = 0;
  const char* first = line.data() + at + key.size();
  if (std::from_chars(first, line.data() + line.size(), value).ec != std::errc())
    return std::nullopt;
  return value;
}

// ShutdownCause, in the order of QEMU's qapi/run-state.json, which has been the same since 2.9.
const char* words_of_reason(int reason) {
  switch (reason) {
    case 2: return "quit by QMP";
    case 3: return "reset by QMP";
    case 4: return "ended by a signal";
    case 5: return "its display was closed";
    case 6: return "the guest powered off";
    case 7: return "the guest asked for a reset";
    case 8: return "the guest panicked";
    default: return "";
  }
}

}  // namespace

Ending parse_ending(std::string_view log) {
  Ending ending;
  while (!log.empty()) {
    const auto end = log.find('\n');
    const std::string_view line = log.substr(0, end);
    log.remove_prefix(end == std::string_view::npos ? log.size() : end + 1);
    if (line.find("runstate_set") != std::string_view::npos &&
        line.find("new_state") != std::string_view::npos) {
      if (const RunState state = last_state(line); state != RunState::unknown) ending.state = state;
      if (ending.state == RunState::running) ending.reason = -1;
    } else if (line.find("qemu_system_shutdown_request") != std::string_view::npos) {
      if (const auto reason = number_after(line, "reason=")) ending.reason = *reason;
    }
  }
  return ending;
}

std::string words_of_end(const Ending& ending) {
  const std::string reason = words_of_reason(ending.reason);
  if (ending.reason == 8 || ending.state == RunState::panicked)
    return "crashed: the guest panicked";
  if (ending.state == RunState::shutdown || ending.reason == 2)
    return reason.empty() ? "stopped" : "stopped: " + reason;
  return "crashed: QEMU ended without a word, as when it is killed";
}

}  // namespace nutshell
