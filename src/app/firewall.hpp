// Our nftables table and the host's forwarding: made with the first network that is up, or the
// first isolated bridge, gone with the last.
#pragma once
#include <string>
#include <vector>

#include "app/house.hpp"
#include "nutshell/registry.hpp"

namespace nutshell {

/// Makes the host agree with these networks being up and no others, under a lock of its own: the
/// table in one transaction, forwarding on where one of them needs it (which is said), both taken
/// back when none does. True when something had to be changed for it. Throws Failed when nft is not
/// installed, CommandFailed when it fails: then what was there stands.
bool follow_networks(House& house, const std::vector<NetworkRow>& up);
/// The bridges of ours that were made isolated and are there: for as long their rules stand in the
/// table, whatever forwards on this host.
std::vector<std::string> isolated_bridges(House& house);
/// What somebody else has changed of it since: our table (one call of nft; seen by root alone) and
/// forwarding. Cheap where no network is up.
std::vector<std::string> firewall_faults(House& house);
/// True when the host has something that follow_networks() would take back if no network were up.
bool has_firewall(House& house);
/// Takes back all of it, tables that the note does not name included. No network may be up.
void drop_firewall(House& house);
/// The names of tables that carry this registry's mark, found on the host, whatever the note says.
/// Empty where nft is not installed.
std::vector<std::string> our_tables(House& house);

}  // namespace nutshell
