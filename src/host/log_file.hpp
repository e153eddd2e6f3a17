// Logs that QEMU writes itself and we keep within bounds.
#pragma once
#include <string>

#include "nutshell/values.hpp"

namespace nutshell::host {

/// How much of a log is kept.
inline constexpr Bytes longest_log = 10 * mebi;

/// Gives the blocks of all but the last 10 MiB back to the file system (fallocate(2), PUNCH_HOLE):
/// who writes goes on writing, and the place of each byte stays. Where the file system cannot, or
/// there is nothing to give back, nothing happens.
void trim_log(const std::string& path);
/// Where the kept part begins (lseek(2), SEEK_DATA); 0 for a log that was never trimmed.
long start_of_log(int fd);

}  // namespace nutshell::host
