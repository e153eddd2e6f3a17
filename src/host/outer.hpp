// What the box outside has told this one, when this one is a machine of nutshell's.
#pragma once
#include <optional>

#include "nutshell/outer.hpp"

namespace nutshell::host {

/// From the firmware's tables, or from QEMU's fw_cfg where its driver is loaded; root alone may
/// read them. Read once in a process. nullopt on hardware, in a machine of somebody else's, and
/// where it cannot be read; never throws.
const std::optional<Outer>& observe_outer();

}  // namespace nutshell::host
