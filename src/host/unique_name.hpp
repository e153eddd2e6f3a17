// Names of temporary files: beside the file that they become, so that rename works, and known by
// their form, so that what a killed command left can be swept.
#pragma once
#include <sys/types.h>

#include <string>
#include <string_view>

#include "host/fd.hpp"

namespace nutshell::host {

/// A name in the folder of `path` that nothing has: ".nutshell-" and 16 random hex digits.
std::string unique_name_beside(const std::string& path);
/// True when a file name (without folder) has that form.
bool is_unique_name(std::string_view name);

struct Temporary {
  std::string path;
  Fd file;  ///< open for writing, and locked while it is open
};
/// Makes an empty file with such a name. Throws SystemError, which names `path`.
Temporary make_temporary(const std::string& path, mode_t mode);
/// Removes such files of a folder that nobody has locked: what commands left that were killed. No
/// folder is none; what may not be opened stays.
void drop_temporaries(const std::string& folder);

}  // namespace nutshell::host
