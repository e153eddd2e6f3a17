// Public addresses of machines, on the host: where a link has the address's subnet, the address
// stands on that link while the machine runs, so that the host answers for it.
#pragma once
#include <vector>

#include "app/house.hpp"
#include "nutshell/guard.hpp"

namespace nutshell {

/// Puts the public addresses of these NICs on the links that have their subnets, and announces
/// them. An address for which no link has a subnet is left alone: it is routed to this host.
void take_addresses(House& house, const std::vector<GuestNic>& nics);
/// Takes away what take_addresses() has put there; gone already is done.
void give_addresses(House& house, const std::vector<GuestNic>& nics);

}  // namespace nutshell
