// What a start would refuse is refused before anything is stopped or made for it.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "app/cloud_work.hpp"

namespace nutshell {

/// FILE:LINE of what a machine asks for; `what` tells of which of its words.
std::string line_of(const MachineWork& machine, const std::string& what);
/// Does `work` for that machine; what refuses it says the line of the file.
void at_its_line(const MachineWork& machine, const std::function<void()>& work);

/// What a run has that is over by then is nobody's.
void forget_display(Facts& facts, const RunRecord& run);

/// The QEMU line of a machine that is to be started.
struct MachineLine {
  std::string name;
  std::vector<std::string> argv;
};
/// True when the machine asks for what the host may not have to give, or somebody else may have.
bool asks_of_host(const MachineSpec& spec);
/// Of all that start, or of those that are made, changed or restarted: what a stopped machine lacks
/// holds up no edit of the others.
enum class Tried { all, touched };
/// Those that are to be started, from the leases of a transaction that is rolled back and has what
/// reserve_all() takes. Throws what a start would throw, but for what QEMU alone can tell (a CPU
/// that it does not know, a word in `args`).
std::vector<MachineLine> try_starts(House& house, Transaction& transaction, const CloudWork& work,
                                    Tried tried);

}  // namespace nutshell
