// Lists beside the registry, of what only it knows: after it was lost `recover` finds them again.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "app/house.hpp"

namespace nutshell {

struct KeptList {
  std::string name;               ///< of the list in its file: "groups"
  std::vector<std::string> keys;  ///< the fields that say which one an entry is
  std::vector<Json> entries;      ///< what the registry has
};

using MakeLists = std::vector<KeptList> (*)(House& house);

/// Writes the lists that `made` gives as one file, which goes where there is nothing to keep. What
/// the file has from a registry that was lost, and this one does not know yet, stays in it until it
/// is recovered. A file that cannot be read is moved aside with a warning. Within the transaction
/// that changes them: what cannot be kept is not done, and of two commands the later one has the
/// last word. Throws Conflict where the file is of a later day of this very registry.
void keep_lists(House& house, Transaction& transaction, const std::string& path, MakeLists made);
/// To be called once that transaction is committed: from then on an older copy of the registry
/// knows less than the file. Whoever is killed before leaves a file that says so of the change
/// before it.
void number_lists(House& house, const std::string& path, MakeLists made);
/// The same where no transaction is open; it takes one only where the file says something else. A
/// file of a later day is left alone.
void follow_lists(House& house, const std::string& path, MakeLists made);
/// The same for `recover`, which has put back what a later day's file has more.
void replace_lists(House& house, const std::string& path, MakeLists made);
/// Throws Conflict as keep_lists() does, before anything is done.
void refuse_later_day(House& house, const std::string& path);
/// A list with all its entries, lost ones too. A file that cannot be read is named in `failed`,
/// once.
std::vector<Json> kept_list(const std::string& path, const std::string& name,
                            std::vector<std::string>& failed);
/// The entries that a registry had which was lost; this one may know some of them again.
std::vector<Json> lost_list(House& house, const std::string& path, const std::string& name);
/// True when that file is of a later day of this very registry, which is an older copy then.
bool is_of_later_day(House& house, const std::string& path);
/// Puts one entry back, in a transaction of its own, and names it in `names`; one that cannot be
/// goes to `failed`, as what it is (`kind`) and why not. Nothing is changed in a dry run.
void put_back_entry(House& house, const std::string& kind, const std::string& name,
                    std::vector<std::string>& names, std::vector<std::string>& failed,
                    const std::function<void(Transaction& transaction)>& put);

}  // namespace nutshell
