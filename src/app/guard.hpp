// The firewall's rules of single machines: put in before a machine runs on, taken back when its run
// is over, made anew when a group changes.
#pragma once
#include <string>
#include <vector>

#include "app/house.hpp"
#include "nutshell/facts.hpp"
#include "nutshell/guard.hpp"
#include "nutshell/step.hpp"

namespace nutshell {

/// What the firewall is to have of a machine whose NICs have these taps; empty where there is
/// nothing to do.
std::vector<GuestNic> guests_of(House& house, const MachineSpec& spec,
                                const std::vector<std::string>& taps);
/// Throws where the spec asks for what cannot be here: ConfigError for what the spec says itself,
/// NotFound for a group that there is not, Failed without root, nft, or connection tracking,
/// Conflict where what is kept of its groups and addresses is of a later day than the registry.
void check_guard(House& house, const MachineSpec& spec);
/// Takes the published ports for the run. Throws Conflict, naming who has one.
void reserve_ports(Transaction& transaction, const MachineSpec& spec, const Facts& facts);
/// What the firewall is to have of all machines that run, but one.
std::vector<GuestNic> guests_up(House& house, const Uuid& leaving = {});

/// Puts the rules in, in one transaction. Throws CommandFailed; then what was there stands.
void guard_machine(House& house, const GuardMachine& step);
/// Takes them back; with those of the last machine, the table of the bridges.
void unguard_machine(House& house, const UnguardMachine& step);
/// Makes a group's rules anew for the machines that run.
void guard_group(House& house, const GroupRow& group);
/// Changes what a running machine has: the old rules go and the new ones come in one transaction.
void change_guests(House& house, const Uuid& uuid, const std::vector<GuestNic>& before,
                   const std::vector<GuestNic>& after);
/// Forgets the table of the bridges, which no machine needs any more.
void forget_guests(House& house);
/// Machines that run and whose rules somebody has taken out of the tables.
std::vector<std::string> unguarded_machines(House& house);
/// Makes the table of the bridges anew where somebody has changed or removed it while machines run
/// that have rules there. True when it was so.
bool mend_guests(House& house);
/// Puts the rules of all running machines in again.
void restore_guests(House& house);

}  // namespace nutshell
