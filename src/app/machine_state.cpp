// The lock is the truth about being alive; the last traced state is the truth about everything else
// (DESIGN.md section 4).
#include "app/machine_state.hpp"

#include "host/lock.hpp"
#include "host/log_file.hpp"
#include "host/qemu_start.hpp"

namespace nutshell {
namespace {
constexpr std::size_t enough_log = 8192;

Seen ended(const std::string& end, bool uncollected) {
  Seen seen;
  seen.state = end.starts_with("crashed") ? MachineState::crashed : MachineState::stopped;
  seen.words = end;
  seen.uncollected = uncollected;
  seen.end = uncollected ? end : "";
  return seen;
}
}  // namespace

std::string to_string(MachineState state) {
  switch (state) {
    case MachineState::defined: return "defined";
    case MachineState::running: return "running";
    case MachineState::paused: return "paused";
    case MachineState::stopped: return "stopped";
    case MachineState::crashed: return "crashed";
  }
  return "";
}

bool is_alive(const House& house, const Uuid& uuid) {
  return host::is_held(house.paths.lock(uuid));
}

Ending ending_in_log(const House& house, const Uuid& uuid, unsigned boot) {
  return parse_ending(host::read_tail(house.paths.qemu_log(uuid, boot), enough_log));
}

Seen look_at(const House& house, const Uuid& uuid, const std::optional<RunRecord>& run,
             const std::string& last_end) {
  if (!run) return last_end.empty() ? Seen{} : ended(last_end, false);
  if (run->boot_id != house.boot_id) return ended("stopped (host restarted)", true);
  const Ending ending = ending_in_log(house, uuid, run->boot);
  for (const std::string& log :
       {house.paths.qemu_log(uuid, run->boot), house.paths.serial_log(uuid, run->boot)})
    if (!house.dry()) host::trim_log(log);
  if (!is_alive(house, uuid)) return ended(words_of_end(ending), true);
  Seen seen;
  seen.state = MachineState::running;
  seen.words = "running";
  if (ending.state == RunState::paused || ending.state == RunState::io_error) {
    const bool disk = ending.state == RunState::io_error;
    seen.state = MachineState::paused;
    seen.words = disk ? "paused (a disk could not be written)" : "paused";
    seen.why_paused = disk ? PausedBy::disk : PausedBy::somebody;
  }
  return seen;
}

}  // namespace nutshell
