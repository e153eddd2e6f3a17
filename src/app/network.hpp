// Managed networks: their rows and subnets in the registry (network.cpp, network_note.cpp), their
// rules, bridges and dnsmasqs on the host (network_up.cpp). The first machine makes them there, the
// last removes them.
#pragma once
#include "app/house.hpp"
#include "host/lock.hpp"
#include "nutshell/facts.hpp"
#include "nutshell/registry.hpp"
#include "nutshell/step.hpp"

namespace nutshell {

/// The network that every machine of root is on when nobody says otherwise.
inline constexpr const char* default_network = "nutshell0";

/// The network's row; the default network is made with a free subnet and a bridge name that nobody
/// has if there is none yet. Throws NotFound for another one that is not there.
NetworkRow find_or_add_network(House& house, Transaction& transaction, const std::string& name,
                               const Facts& facts);
/// Gives a NIC on a managed network its bridge. Throws as find_or_add_network(), and ConfigError
/// where the NIC asks for an address outside of the network.
void put_on_network(House& house, Transaction& transaction, const MachineName& machine,
                    NicSpec& nic, const Facts& facts);
/// Whose a network's subnet is: a lease of its own, or its cloud's private one.
enum class SubnetOf { pool, cloud };
/// Adds a network. `wanted` has its name, mode, MTU and so on; a subnet where one is asked for
/// (address with prefix, first is the network's), else prefix 0 and one of `prefix` is taken (0: of
/// the pool's size). Gives the row as it is added.
NetworkRow add_network(House& house, Transaction& transaction, NetworkRow wanted,
                       const Facts& facts, SubnetOf subnet = SubnetOf::pool, unsigned prefix = 0);
/// Forgets a network that no machine has an address in, and gives back what it held. Its note goes
/// after the commit: drop_note().
void forget_network(Transaction& transaction, const NetworkRow& row);
/// Who holds a network's leases in the registry.
Uuid network_holder(const std::string& name);
/// The mark of its bridge.
std::string mark_of_network(House& house, const std::string& name);
/// Names of the machines that have a NIC there, by cloud and name.
std::vector<std::string> machines_on(House& house, const std::string& network);

/// While it is held, nobody else writes into the folder of the notes (state/networks); what killed
/// commands left half written there is swept.
host::Lock lock_notes(const House& house);
/// Writes the note of a network, from which `recover` knows it again. The note goes with the
/// network's row.
void note_network(House& house, const NetworkRow& row);
/// The same for each network of that machine.
void note_networks(House& house, const Uuid& uuid);
/// Removes the note, unless a machine that the registry has lost needs it.
void drop_note(House& house, const std::string& network);
/// True when a machine that the registry does not know has a NIC there, by the spec beside its
/// disks, and the network has a note.
bool needed_by_lost_machines(House& house, const std::string& network);
/// Adds a network that was there before, with all that it held.
void restore_row(Transaction& transaction, const NetworkRow& row);
/// Puts a network back into the registry from the note beside it (for `recover`). Throws NotFound
/// without one.
void restore_network(House& house, Transaction& transaction, const std::string& name);
/// What the note of a network says; nullopt without one. Throws Failed, naming the file, when it
/// cannot be read.
std::optional<NetworkRow> noted_network(const House& house, const std::string& name);
/// Puts what the notes of lost networks hold among what others have: each bridge's MAC and
/// range. A note that cannot be read holds nothing.
void add_lost_networks(House& house, Facts& facts);
/// Names of the networks that were made by hand, have a note, and are not in the registry. Notes
/// that cannot be read are named in `unreadable`.
std::vector<std::string> lost_networks(House& house, std::vector<std::string>& unreadable);
/// Forgets networks that were made on demand and in which no machine has an address any more.
void remove_unused_networks(House& house, Transaction& transaction);

/// Rules, bridge and dnsmasq, with a line for each machine that runs here. Throws Conflict where
/// somebody else has come to have its range since it was made.
void ensure_network(House& house, const EnsureNetwork& step);
/// Takes them down when no other machine runs on it. (Otherwise dnsmasq is told who is left when
/// the run is no more: tell_networks().)
void leave_network(House& house, const LeaveNetwork& step);
/// Makes rules and forwarding agree with the networks that are up.
void refresh_networks(House& house);
/// Tells the dnsmasq of each of these networks, where one runs, which machines there are now.
void tell_networks(House& house, const std::vector<std::string>& networks);
/// Makes what is missing while machines run: our table and forwarding as they were made, the
/// dnsmasq of each network that has died. It is said; a failure is a warning. One call of nft where
/// a network is up.
void tend_networks(House& house);
/// Rules for every network on which a machine runs, however the registry came to know it.
void follow_running_networks(House& house);
/// Makes a managed network again whose bridge was removed while machines run there. False when that
/// is no such network's bridge.
bool make_network_again(House& house, const std::string& bridge);
/// What tend_networks() would see to, in words with the cure, and a dnsmasq that does not answer:
/// all but the rules and forwarding.
std::vector<std::string> network_troubles(House& house);
/// The rules and forwarding. Throws where nft does not tell.
std::vector<std::string> network_rule_troubles(House& house);
/// An isolated bridge of the host has come or gone, or lost its rules: the table is made to know.
void follow_isolated_bridges(House& house);
/// The lock under which a network's bridge and dnsmasq change.
host::Lock lock_network(House& house, const std::string& network);
/// Removes the network's lock file, which the caller holds; who waits for it notices.
void drop_network_lock(House& house, const std::string& network);

}  // namespace nutshell
