// What `setup` finds on this host, and its changes made and taken back.
#pragma once
#include <optional>
#include <string>

#include "nutshell/setup.hpp"

namespace nutshell::host {

/// Read only. Throws SystemError.
SetupFacts observe_setup(const SetupWish& wish);

/// The line of the bridge helper's ACL that keeps everybody off a bridge. Of the files that it
/// includes count those that every user may read, and `own_file`.
std::optional<SetupDenial> find_denial(const std::string& bridge, const std::string& own_file);
/// Why the helper would refuse a bridge to the caller (of root: to ordinary users) although a line
/// allows it: a deny, or a file that may not be read. "" nothing of that.
std::string acl_trouble(const std::string& bridge);

/// Makes one change. Throws what went wrong; then nothing of it was done.
void make_change(const SetupChange& change);
/// What a change that was made has not brought: a module that keeps nesting off although it was
/// loaded anew. "" nothing.
std::string lack_after(const SetupChange& change);
/// Takes one back, also one that was never made; gives a sentence where others have changed the
/// thing since, and what was left of it. Throws Conflict where somebody uses it: it can be taken
/// back later.
std::optional<std::string> take_back(const SetupChange& change);

}  // namespace nutshell::host
