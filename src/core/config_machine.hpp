// The keys of a machine in a table of a config file, for a machine's own file and for the machines
// of a cloud.
#pragma once
#include "core/config_tree.hpp"
#include "nutshell/config.hpp"

namespace nutshell {

/// Every key of a machine but its name and cloud. Disks and NICs go behind those that the spec has
/// already; keys that the table does not have leave the spec as it is. Mistakes go to `problems`;
/// what is wrong in the spec as a whole is check()'s to say.
void read_machine_keys(TableReader& reader, MachineSpec& spec, Problems& problems);

}  // namespace nutshell
