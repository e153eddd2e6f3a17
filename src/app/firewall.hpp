// Our nftables tables as wholes, and the host's forwarding. The table of the networks is made with
// the first network that is up, or the first isolated bridge, gone with the last; that of the
// bridges, with the first machine that has rules there (app/guard).
#pragma once
#include <string>
#include <vector>

#include "app/house.hpp"
#include "nutshell/registry.hpp"

namespace nutshell {

/// Makes the host agree with these networks being up and no others, under a lock of its own: the
/// table in one transaction, forwarding on where one of them needs it (which is said), both taken
/// back when none does. True when something had to be changed for it. Throws Failed when nft is not
/// installed, CommandFailed when it fails: then what was there stands. `leaving` is a machine whose
/// rules are taken back at this moment.
bool follow_networks(House& house, const std::vector<NetworkRow>& up, const Uuid& leaving = {});
/// What somebody else has changed of it since: our tables (one call of nft each; seen by root
/// alone) and forwarding. Cheap where no network is up and no machine runs.
std::vector<std::string> firewall_faults(House& house);
/// True when the host has something that follow_networks() would take back if no network were up.
bool has_firewall(House& house);
/// Takes back all of it, tables that the note does not name included; the table of the bridges
/// stays while a machine has rules in it. No network may be up.
void drop_firewall(House& house);
struct OurTable {
  std::string family, name;
};
/// The tables that carry this registry's mark, found on the host, whatever the note says.
/// Empty where nft is not installed.
std::vector<OurTable> our_tables(House& house);

}  // namespace nutshell
