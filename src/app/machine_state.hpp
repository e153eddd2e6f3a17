// What a machine is doing, from its row, its lock and its log: no QMP, no process list.
#pragma once
#include <string>

#include "app/house.hpp"
#include "nutshell/ending.hpp"

namespace nutshell {

enum class MachineState { defined, running, paused, stopped, crashed };

enum class PausedBy { nothing, somebody, disk };

struct Seen {
  MachineState state = MachineState::defined;
  std::string words =
      "defined";  ///< "running", "stopped (host restarted)", "crashed: the guest panicked"
  bool uncollected = false;  ///< a run has ended and its leases are not yet given back
  PausedBy why_paused = PausedBy::nothing;  ///< disk: it could not be written (werror=stop)
  std::string end;                          ///< how the run that is to be collected ended
};

/// Looks at the lock (without taking it) and at the tail of the log.
Seen look_at(const House& house, const Uuid& uuid, const std::optional<RunRecord>& run,
             const std::string& last_end);
/// What the log of that boot says of its end, or of what it does now.
Ending ending_in_log(const House& house, const Uuid& uuid, unsigned boot);
std::string to_string(MachineState state);
/// True when the machine's lock is held: QEMU lives, or is about to.
bool is_alive(const House& house, const Uuid& uuid);

}  // namespace nutshell
