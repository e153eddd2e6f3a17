// The host's forwarding, which a network needs: on while one is up, then as it was before; and the
// bridges that are never to forward.
#pragma once
#include <string>
#include <vector>

#include "app/firewall_note.hpp"

namespace nutshell {

/// Which families a network that is up needs forwarded.
struct Forwarding {
  bool ipv4 = false, ipv6 = false;
};

/// Notes what it is before anything is changed, and says that it will be on. Gives the families
/// that nutshell has put on, or will, and is to put off again.
Forwarding note_forwarding(House& house, FirewallNote& note, const Forwarding& wanted);
/// Puts on what is wanted, and the rest back to what it was; the note knows. True when something
/// had to be put on.
bool follow_forwarding(House& house, FirewallNote& note, const Forwarding& wanted);
/// Families that somebody has put off although a network needs them, in words.
std::vector<std::string> forwarding_faults(const FirewallNote& note);

/// The bridges of ours that were made isolated and are there: for as long their rules stand in the
/// table, whatever forwards on this host.
std::vector<std::string> isolated_bridges(House& house);

}  // namespace nutshell
