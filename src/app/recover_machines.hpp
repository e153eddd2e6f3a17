// Machines that the registry has lost, found by their specs, their locks, their QEMUs and the marks
// on their taps.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "app/house.hpp"
#include "nutshell/facts.hpp"

namespace nutshell {

struct FoundMachine {
  MachineSpec spec;
  unsigned boots = 0;
  std::optional<RunRecord> run;  ///< while its QEMU lives
};

/// Those that the registry does not know; of `facts` the links are looked at. What cannot be read
/// is named in `unreadable`. A QEMU that never ran is ended.
std::vector<FoundMachine> find_lost_machines(House& house, const Facts& facts,
                                             std::vector<std::string>& unreadable);
/// Puts one into the registry, with all its leases. Throws Conflict when somebody else has them.
void add_again(House& house, const FoundMachine& found);
/// Machines that are known, and run otherwise than the registry says, since an older one was put in
/// its place: their runs become known, and are given in words.
std::vector<std::string> recover_runs(House& house, const Facts& facts,
                                      std::vector<std::string>& failed);

}  // namespace nutshell
