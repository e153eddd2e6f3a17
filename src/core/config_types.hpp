// [[type]] and [quota], which nutshell.toml and cloud.toml share.
#pragma once
#include <optional>

#include "core/config_tree.hpp"
#include "nutshell/config.hpp"

namespace nutshell {

/// The type of that table; nullopt (and problems) when something in it is wrong.
std::optional<InstanceType> read_type(const ConfigNode& table, const std::string& file,
                                      Problems& problems);
/// The limits of a table [quota].
Quota read_quota(const ConfigNode& table, const std::string& file, Problems& problems);

}  // namespace nutshell
