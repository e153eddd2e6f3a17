// From what the user said to a spec that is complete: defaults of config and host, what images are,
// what the host can never give.
#pragma once
#include <string>
#include <vector>

#include "app/house.hpp"
#include "nutshell/facts.hpp"
#include "nutshell/spec.hpp"

namespace nutshell {

/// Fills in what was left open: NICs, paths of volumes, backing chains, the pinned machine type,
/// firmware variables. Appends every mistake, and to `warnings` what is odd but allowed (more
/// memory than is free now). `coming` are networks that will be there before the machine is.
void complete_spec(House& house, const Facts& facts, MachineSpec& spec, Problems& problems,
                   std::vector<std::string>& warnings, const std::vector<NetworkRow>& coming = {});
/// What a machine needs for a start, and has not of itself while it runs: files that must be
/// readable, its seed, groups. Throws the first fault.
void check_needs(House& house, const MachineSpec& spec);
/// What only a look at the host shows before a start: files that must be readable, disks in use,
/// bridges, groups. Throws the first fault.
void check_before_start(House& house, const Facts& facts, const MachineSpec& spec);
/// Throws NotFound, ConfigError or SystemError when `path` is no readable file; `where` names the
/// option.
void check_iso(const std::string& path, const std::string& where);

}  // namespace nutshell
