// The seed disks of a cloud's machines: what cloud-init in a guest is told, kept beside the cloud's
// note, and attached to the machine as a disk that it reads only.
#pragma once
#include <string>

#include "app/house.hpp"
#include "nutshell/cloud.hpp"
#include "nutshell/registry.hpp"

namespace nutshell {

/// Where a machine's seed lies: clouds/CLOUD/MACHINE.seed.iso below the state folder.
std::string seed_path(const House& house, const MachineName& name);
/// True of the machine's own seed while its file is not there: `up` makes it before a start.
bool is_unmade_seed(const House& house, const MachineName& name, const DiskSpec& disk);
/// True when the machine has its seed as a disk, and the file of it is not there.
bool lacks_seed(const House& house, const MachineSpec& spec);
/// Makes the seed what it should be; true when it was not (in a dry run nothing is written). Of a
/// gateway or name server that cannot be known now the present seed keeps what it has. Throws as
/// read_ssh_keys(), and SystemError.
bool write_seed(House& house, const CloudSpec& spec, const MachineRow& row);
/// Removes it; gone already is done.
void drop_seed(House& house, const MachineName& name);

/// Writes a seed image to a place of the user's, through a symbolic link: at once, 0600. Throws
/// ConfigError where that is no file, a device say, and Conflict where it is a file that is no seed
/// of ours, unless `force`.
void write_seed_to(const std::string& path, const std::string& image, bool force);

}  // namespace nutshell
