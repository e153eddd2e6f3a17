// Reservations by hand beside the registry, so that `recover` finds them again.
#pragma once
#include <string>
#include <vector>

#include "app/house.hpp"

namespace nutshell {

/// Writes down the reservations that the registry has; where there are none, there is no file.
/// Within the transaction that changes them: what cannot be kept is not done.
void keep_reservations(House& house, Transaction& transaction);
/// keep_reservations(), commit, and what comes after that.
void commit_with_reservations(House& house, Transaction& transaction);
/// The same where no transaction is open, after something else that may have taken some away.
void follow_reservations(House& house);
/// Throws Conflict where what is kept is of a later day than the registry, an older copy of which
/// was put in its place.
void refuse_later_reservations(House& house);
/// Puts back those that the registry has lost; gives them in words. What cannot be put back is
/// named in `failed`. From then on what is kept is this registry's word. Nothing is changed in a
/// dry run.
std::vector<std::string> recover_reservations(House& house, std::vector<std::string>& failed);

/// Those of a registry that was lost, which this one does not know.
std::vector<Lease> lost_reservations(House& house);

/// Throws Conflict where addresses of a network that is to go are reserved by hand.
void refuse_reserved(House& house, const std::string& network);

}  // namespace nutshell
