// The managed network: its row and subnet in the registry, its bridge and dnsmasq on the host. The
// first machine makes it, the last removes it.
#pragma once
#include "app/house.hpp"
#include "nutshell/facts.hpp"
#include "nutshell/registry.hpp"
#include "nutshell/step.hpp"

namespace nutshell {

/// The network's row; made with a free subnet and a bridge name that nobody has if there is none
/// yet.
NetworkRow find_or_add_network(House& house, Transaction& transaction, const std::string& name,
                               const Facts& facts);
/// Who holds a network's leases in the registry.
Uuid network_holder(const std::string& name);
/// Writes the note of each network of that machine, from which `recover` knows it again. The note
/// goes with the network's row.
void note_networks(House& house, const Uuid& uuid);
/// Bridge up and dnsmasq answering, with a line for each machine that has an address here.
void ensure_network(House& house, const EnsureNetwork& step);
/// Takes both down when no other machine runs on it.
void leave_network(House& house, const LeaveNetwork& step);
/// Puts a network back into the registry from the note beside it (for `recover`). Throws NotFound
/// without one.
void restore_network(House& house, Transaction& transaction, const std::string& name);
/// Forgets networks in which no machine has an address any more.
void remove_unused_networks(House& house, Transaction& transaction);

}  // namespace nutshell
