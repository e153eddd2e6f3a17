// Damage that no query happens to meet: only `recover` looks for it, as that reads the whole file.
#pragma once
#include <string>

namespace nutshell {

/// Reads all of the registry at `path`, without writing. Throws as Registry::open, and Failed in
/// one sentence when something of it is damaged.
void check_registry(const std::string& path);

}  // namespace nutshell
