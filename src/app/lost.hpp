// Machines whose spec lies beside their disks and which the registry does not know: it was lost,
// and `recover` will find them again. Until then nobody may be given what is theirs.
#pragma once
#include <vector>

#include "app/house.hpp"
#include "nutshell/facts.hpp"

namespace nutshell {

/// Their specs; those that cannot be read are left out (`recover` names them).
std::vector<MachineSpec> lost_machines(House& house);
/// Their MACs and addresses as facts, with a holder that says where they are from.
void add_lost_machines(House& house, Facts& facts);

}  // namespace nutshell
