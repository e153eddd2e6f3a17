// Connections that are open when a machine comes, goes, or changes what leads to it: they end with
// what they came by. Called when the rules have changed.
#pragma once
#include <vector>

#include "nutshell/guard.hpp"

namespace nutshell {

/// Those that name one of these addresses, either way.
void end_flows_of(const std::vector<Ipv4>& addresses);
/// Those that were on before the machine was there, and now lead to it: to the ports that it
/// publishes, to its public addresses.
void end_flows_before(const std::vector<GuestNic>& nics);
/// Those of a machine that is gone: its own, and its public addresses'. Its next namesake, or
/// whoever has its address next, has none of them.
void end_flows_after(const std::vector<GuestNic>& nics);
/// Those of the public addresses that are in one of the two alone.
void end_flows_between(const std::vector<GuestNic>& before, const std::vector<GuestNic>& after);

}  // namespace nutshell
