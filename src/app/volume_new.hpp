// Where a new standalone volume is made, and whether it has room there.
#pragma once
#include <optional>
#include <string>

#include "app/command.hpp"
#include "app/volume.hpp"

namespace nutshell {

/// What was asked for: --vg, --thin, --file and --format, with the config's default group.
struct NewVolumeChoice {
  std::string vg, thin;  ///< vg empty: a file
  DiskFormat format = DiskFormat::raw;
};
/// Reads the options. Throws ConfigError for what contradicts itself.
NewVolumeChoice parse_new_volume(const Parsed& args, const House& house);

/// The place of a new volume NAME of that size, with a mark of its own. Throws ConfigError for a
/// name that cannot be one, Conflict when it is taken or there is no room. Warns of overcommitted
/// pools.
struct NewStandalone {
  VolumePlace place;
  Uuid id;
};
NewStandalone place_new_volume(House& house, const VolumeList& volumes, const std::string& name,
                               Bytes size, const NewVolumeChoice& choice);
/// The text after `where` as a size. Throws ConfigError.
Bytes size_option(const Parsed& args, const std::string& name);

}  // namespace nutshell
