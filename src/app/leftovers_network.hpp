// The part of app/leftovers that is about networks.
#pragma once
#include <vector>

#include "app/leftovers.hpp"

namespace nutshell {

/// Adds what networks have left behind. No machine may live that the registry does not know: it
/// could be on one of them.
void find_network_leftovers(House& house, std::vector<Leftover>& found);

}  // namespace nutshell
