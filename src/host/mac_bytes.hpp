// A MAC as netlink has it.
#pragma once
#include "nl/mac.hpp"
#include "nutshell/values.hpp"

namespace nutshell::host {

nl::Mac to_bytes(Mac mac);

}  // namespace nutshell::host
