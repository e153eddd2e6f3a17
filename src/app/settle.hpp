// Puts right what earlier commands left: plans whose owner was killed, and runs that ended with
// nobody watching.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "app/house.hpp"
#include "app/machine_state.hpp"
#include "nutshell/step.hpp"

namespace nutshell {

struct Settled {
  std::vector<std::string> done;       ///< what was put right, in words
  std::vector<std::string> leftovers;  ///< what could not be
  std::vector<Uuid> busy;              ///< machines that a living command works on now
};

/// Looks at every machine (or one), and takes back what is over. Opens the registry for writing
/// only if there is something to do; where it may not be written, nothing is done and nothing
/// fails.
Settled settle(House& house, const std::optional<Uuid>& only = std::nullopt);

/// The machine as it is once what earlier commands left of it is settled. Throws NotFound when that
/// was a launch cut short, which is undone now.
MachineRow settled_row(House& house, const MachineRow& found);
/// The same for whoever does something with the machine. Throws as refuse_unknown_run(), too.
MachineRow settled_machine(House& house, const MachineRow& found);

/// True when a living command works on that machine.
bool is_at_work_on(House& house, const Uuid& uuid);
/// True when a run that seemed to be over is: nobody starts it, or takes it away, just now.
bool is_over(House& house, const Uuid& uuid);
/// look_at() for whoever shows the machine: one that is being started or stopped just now is seen
/// as before its start, or after its end, and not as one that ended by itself.
Seen look_calmly(House& house, const MachineRow& row);

/// True when the owner of a journaled plan still lives.
bool owner_lives(const House& house, const Unfinished& unfinished);
/// Waits (at most 60 s) until no living command works on the machine; throws Conflict naming the
/// command that still does.
void wait_for_others(House& house, const Uuid& uuid, const std::string& who);
/// Inside a transaction: throws Conflict when a living command works on the machine.
void check_alone(House& house, const Uuid& uuid, const std::string& who);

/// Journals a teardown for the machine and executes it.
std::vector<std::string> run_teardown(House& house, const Plan& plan, const std::string& who);

}  // namespace nutshell
