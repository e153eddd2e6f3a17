// What lies beside the registry and which it does not know: it was lost, and `recover` will find
// it again. Until then nobody may be given what is somebody's there.
#pragma once
#include <vector>

#include "app/house.hpp"
#include "nutshell/facts.hpp"

namespace nutshell {

/// Their specs; those that cannot be read are left out (`recover` names them).
std::vector<MachineSpec> lost_machines(House& house);
/// For a machine of an earlier `up` which is not there. Throws Conflict where it may be the one in
/// a folder that the registry does not know and whose spec cannot be read.
void refuse_beside_unreadable(House& house, const std::string& machine);
/// Machines that run although the registry does not know of it: it was lost, or an older one was
/// put in its place. A machine that somebody only holds the lock of does not count.
std::vector<Uuid> unknown_living(House& house);
/// Throws Conflict when there are any: their firewall and ports are not known, and whoever starts
/// beside them would take both away.
void refuse_beside_unknown(House& house);
/// Throws Conflict when that machine runs and the registry does not know of it: an older one was
/// put in its place, and nothing that is done to the machine would be what it seems.
void refuse_unknown_run(House& house, const Uuid& uuid, const MachineName& name);
/// Throws Conflict when machines of that cloud are lost, or run unknown: until `recover`, their
/// names are not free, and the cloud is not what the registry says.
void refuse_lost_part(House& house, const std::string& cloud);
/// Warns, once for all of them, of machines that run unknown. Costs nothing where there are none.
void warn_of_unknown_runs(House& house);
/// Warns, once for all of them, where there are lost machines or clouds: a list that is empty, or
/// what it calls free, is not the whole truth then.
void warn_of_lost(House& house);
/// MACs and addresses of lost machines as facts, with a holder that says where they are from.
void add_lost_machines(House& house, Facts& facts);
/// Ranges and subnets of lost clouds, their public addresses, and what was reserved by hand.
std::vector<RangeFact> lost_ranges(House& house);

}  // namespace nutshell
