// What lies beside the registry and which it does not know: it was lost, and `recover` will find
// it again. Until then nobody may be given what is somebody's there.
#pragma once
#include <vector>

#include "app/house.hpp"
#include "nutshell/facts.hpp"

namespace nutshell {

/// Their specs; those that cannot be read are left out (`recover` names them).
std::vector<MachineSpec> lost_machines(House& house);
/// Their MACs and addresses as facts, with a holder that says where they are from.
void add_lost_machines(House& house, Facts& facts);
/// Ranges and subnets of lost clouds, their public addresses, and what was reserved by hand.
std::vector<RangeFact> lost_ranges(House& house);

}  // namespace nutshell
