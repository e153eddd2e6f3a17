// Files that mean nothing after a restart of the host.
#pragma once
#include <string>
#include <string_view>

namespace nutshell::host {

/// As write_file(), whole or not at all for whoever reads it, but without waiting for the disk; and
/// nothing is done where the file has that content already. After a crash of the host it may be
/// empty. Throws SystemError.
void write_runtime_file(const std::string& path, std::string_view text, unsigned mode = 0600);

}  // namespace nutshell::host
