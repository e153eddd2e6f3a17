// Names of temporary files: beside the file that they become, so that rename works, and known by
// their form, so that what a killed command left can be swept.
#pragma once
#include <string>
#include <string_view>

namespace nutshell::host {

/// A name in the folder of `path` that nothing has: ".nutshell-" and 16 random hex digits.
std::string unique_name_beside(const std::string& path);
/// True when a file name (without folder) has that form.
bool is_unique_name(std::string_view name);

}  // namespace nutshell::host
