// Notes in the cache folder: what was learnt at some cost, a few lines each, written whole or not
// at all. They may vanish at any time.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace nutshell::host {

/// The lines of a note; nullopt when there is none, or it was cut short. Never throws.
std::optional<std::vector<std::string>> read_note(const std::string& cache,
                                                  const std::string& name);
/// Writes it by rename, the folder (0700) made where missing. A cache that cannot be written is no
/// error. Lines with a newline are not written.
void write_note(const std::string& cache, const std::string& name,
                const std::vector<std::string>& lines);

}  // namespace nutshell::host
