// A changed spec of a machine that exists: leases, volumes, the spec file, all with a way back.
#pragma once
#include "app/house.hpp"
#include "nutshell/facts.hpp"

namespace nutshell {

/// What changes: `after` has its new NICs without MACs yet, its new volumes without paths checked;
/// `removed` are volumes of ours to drop last.
struct Change {
  MachineSpec after;
  std::vector<DiskSpec> removed;
  bool boot_once_again = false;
  bool counted = false;  ///< it is one of several, which were held against the quota together
};
/// Reserves what is new, journals, executes. In a dry run it prints the plan. `facts` as for a
/// create.
void change_machine(House& house, const MachineRow& before, Change change, const Facts& facts);
/// Paths for new volumes of a machine that has, or had, some already: each with a number of its
/// own.
void name_new_volumes(const House& house, const MachineSpec& before, MachineSpec& after);
/// What a change takes of the pools, written into `after`; quotas are not looked at. Throws as
/// change_machine() does.
void reserve_change(House& house, Transaction& transaction, const MachineSpec& before,
                    MachineSpec& after, const Facts& facts);
/// Throws Conflict when the machine is not what it was when the change was decided.
void check_unchanged(House& house, const MachineRow& before);
/// Another ISO in the drive, or none; kept for the next starts.
void change_cdrom(House& house, const MachineRow& row, const std::string& iso);
/// Gives back what the spec `before` held and the present one does not.
void trim_leases(House& house, const Uuid& uuid, const std::string& before);
/// Puts an old spec back: registry, spec file, and the leases that it does not have.
void restore_spec(House& house, const Uuid& uuid, const std::string& spec_json);

}  // namespace nutshell
