// What a machine is given: for its life at create, and for one run at start. Each inside one
// transaction, all or none.
#pragma once
#include <vector>

#include "app/house.hpp"
#include "host/fd.hpp"
#include "nutshell/facts.hpp"
#include "nutshell/registry.hpp"

namespace nutshell {

/// Asks the wire about addresses that a foreign neighbour may have, and adds the answers to
/// `facts`, with what machines have that the registry has lost. Before the transaction; a dry run
/// asks nothing.
void probe_wanted_addresses(House& house, const MachineSpec& spec, Facts& facts);

/// Throws Conflict when a disk or a layer below one is a volume of another machine.
void refuse_others_volumes(Transaction& transaction, const MachineSpec& spec);
/// Throws Conflict when a NIC on a bridge may use addresses (also=) that another cloud, a network
/// or a reservation has.
void refuse_also_of_others(Transaction& transaction, const MachineSpec& spec, const NicSpec& nic,
                           const Facts& facts);
/// MACs, addresses, CID, uid and volume names, written into the spec. Says what was skipped and
/// why.
void reserve_machine(House& house, Transaction& transaction, MachineSpec& spec, const Facts& facts);
/// The same of one of many machines: lost_machines() are looked for once.
void reserve_machine(House& house, Transaction& transaction, MachineSpec& spec, const Facts& facts,
                     const std::vector<MachineSpec>& lost);

struct RunReservation {
  RunRecord run;
  host::Fd vnc_socket;                  ///< bound and listening: the proof that the display is ours
  std::vector<EnsureNetwork> networks;  ///< managed networks that have to be up
};
/// A display (proven by binding it; a dry run believes the facts), tap names. `boot` is the number
/// of this run.
RunReservation reserve_run(House& house, Transaction& transaction, const MachineSpec& spec,
                           unsigned boot, Facts& facts, bool kvm);

}  // namespace nutshell
