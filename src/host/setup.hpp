// What `setup` finds on this host, and its changes made and taken back.
#pragma once
#include <optional>
#include <string>

#include "nutshell/setup.hpp"

namespace nutshell::host {

/// Read only. Throws SystemError.
SetupFacts observe_setup(const SetupWish& wish);

/// Makes one change. Throws what went wrong; then nothing of it was done.
void make_change(const SetupChange& change);
/// Takes one back, also one that was never made; gives a sentence where others have changed the
/// thing since, and what was left of it.
std::optional<std::string> take_back(const SetupChange& change);

}  // namespace nutshell::host
