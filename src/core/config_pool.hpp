// One [[pool]] of nutshell.toml, read and judged.
#pragma once
#include <optional>

#include "core/config_tree.hpp"
#include "nutshell/config.hpp"

namespace nutshell {

/// The pool of that table; nullopt (and problems) when its name, kind or range is wrong.
std::optional<PoolRange> read_pool(const ConfigNode& table, const std::string& file,
                                   Problems& problems);

}  // namespace nutshell
