// What is overwritten, opened so that nobody can put another file in its way.
#pragma once
#include <string>

#include "host/fd.hpp"

namespace nutshell::host {

/// Opens a volume to be overwritten: in /dev a block device, elsewhere a file that is no link and
/// has no other name. `how`: flags of open(2), beside O_CLOEXEC. Throws Conflict naming what it is
/// instead, or that it is in use (O_EXCL), and SystemError.
Fd open_disk(const std::string& path, int how);

}  // namespace nutshell::host
