// Which devices make up a volume group, and calls that see only those.
#pragma once
#include <string>
#include <vector>

#include "host/lvm.hpp"
#include "host/lvm_call.hpp"

namespace nutshell::host {

/// Settings of lvm.conf(5) for a look at all devices but the guests'.
std::string all_but_guests(const LvmPlace& place);

/// A call that sees only the group's devices: those that were noted since this boot, and when lvm
/// misses something on them, those that are found by looking again. Throws NotFound naming the
/// groups that there are, Conflict when two groups have the name, and what call_lvm throws.
LvmAnswer call_on_group(const LvmPlace& place, const std::string& vg, LvmCall call);

}  // namespace nutshell::host
