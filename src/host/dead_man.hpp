// The process that puts an uplink back when nobody says that all is well.
#pragma once
#include <string>

#include "host/proc.hpp"
#include "nutshell/adoption.hpp"

namespace nutshell::host {

/// How many probes in a row, a second apart, may be lost before the dead-man puts the uplink back.
inline constexpr int most_lost = 5;

/// Starts it, and returns when it holds its lock (dead_man_lock) and its timer runs. It has a
/// session of its own, all that it needs in memory, and no descriptor of ours; the command may die
/// any death. It ends when the note says `confirmed` or `restored`, is gone, or is another
/// adoption's. It puts back when the deadline passes, when the command dies while the note says
/// `begun`, when one of `adoption.asked` stops answering, or when it is told to end (SIGTERM).
/// Throws SystemError, Conflict.
Identity start_dead_man(const std::string& folder, const Adoption& adoption);

/// Kills the one that holds the lock of that adoption, by the pid that he wrote there and only
/// while he is what he says. True when nobody holds it any more (within two seconds).
bool end_dead_man(const std::string& folder, const Adoption& adoption);

}  // namespace nutshell::host
