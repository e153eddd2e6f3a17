// Groups and public addresses beside the registry, so that `recover` finds them again.
#pragma once
#include <string>
#include <vector>

#include "app/house.hpp"

namespace nutshell {

/// Writes down the groups and public addresses that the registry has; where there are none, there
/// is no file. Within the transaction that changes them: what cannot be kept is not done.
void keep_firewall(House& house, Transaction& transaction);
/// keep_firewall(), commit, and what comes after that.
void commit_with_firewall(House& house, Transaction& transaction);
/// The same where no transaction is open, for what an earlier command may have left undone.
void follow_firewall(House& house);
/// True when what is kept is of a later day than the registry, an older copy of which was put in
/// its place: what stands on the host is not to be mended by its word.
bool firewall_is_of_later_day(House& house);
/// Throws Conflict then. So does each change of groups and addresses in its transaction; this is
/// for before.
void refuse_later_firewall(House& house);
/// Puts back the groups that the registry has lost, or has as they were on an earlier day; gives
/// their names. What cannot be put back is named in `failed`. Nothing is changed in a dry run.
std::vector<std::string> recover_groups(House& house, std::vector<std::string>& failed);
/// The same for public addresses, which lead again to the machines that are there. From then on
/// what is kept is this registry's word.
std::vector<std::string> recover_addresses(House& house, std::vector<std::string>& failed);
/// True for a group of a registry that was lost, which has to be recovered before another one has
/// its name.
bool is_lost_group(House& house, const std::string& cloud, const std::string& name);
/// Those of a registry that was lost, which this one does not know.
std::vector<PublicAddress> lost_addresses(House& house);
/// What the firewall is to have of each machine that runs, found out anew, and put in.
void recover_guests(House& house);

}  // namespace nutshell
