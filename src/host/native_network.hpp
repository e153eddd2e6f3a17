// Files of the host's own network configuration: written and removed only where they are ours.
#pragma once
#include <string>
#include <vector>

#include "nutshell/native_config.hpp"

namespace nutshell::host {

/// Throws Conflict, before anything is written, when a file is there that does not begin with our
/// header.
void check_native(const std::vector<NativeFile>& files, const std::string& bridge);
/// Writes them (0644), folders made where missing; a failure takes back what was written.
void write_native(const std::vector<NativeFile>& files, const std::string& bridge);
/// Removes every file of ours for that bridge. Returns, in sentences, what stays: what cannot be
/// removed, and what has such a name and does not begin with our header (any more).
std::vector<std::string> drop_native(const std::string& bridge);
/// Paths of those that are there now.
std::vector<std::string> find_native(const std::string& bridge);

}  // namespace nutshell::host
