// What adopting, confirming and releasing share, and the two halves that need care: whom to ask,
// and changing with a way back.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "app/adoption.hpp"
#include "app/house.hpp"
#include "host/lock.hpp"
#include "nutshell/adoption.hpp"

namespace nutshell {

/// One adoption at a time on this host; what killed commands left half written is swept.
host::Lock lock_adoptions(House& house, std::chrono::milliseconds patience);
/// A note that begins now.
Adoption new_adoption(House& house, const UplinkView& before, unsigned timeout);
/// The adoption of that bridge. Throws NotFound, or Conflict when it is elsewhere.
Adoption need_adoption(House& house, const std::string& bridge);
/// Empty while the bridge is there and up, with the uplink as its port and the addresses that were
/// moved; else what is amiss. Addresses with a lifetime may have gone by themselves, but not all.
std::string why_not_adopted(const Adoption& adoption);
/// Answers a dry run: addresses, routes and rules before and after, and the messages between.
Exit show_plan(House& house, const UplinkView& before, const UplinkView& after,
               const Native& native);

/// Gateways, and whoever is logged in over that uplink, of those that answer now: they are to go on
/// answering. Sends packets, and takes up to 0.4 s for each that does not answer.
std::vector<std::string> who_answers(const House& house, const UplinkView& before);
/// Writes the note, starts the dead-man, makes the network look like `want`, and leaves the note as
/// `waiting`. What fails is put back at once: throws Failed (put back), Interrupted, or Error with
/// Exit::left_behind.
void change_guarded(House& house, Adoption& adoption, const UplinkView& want);

}  // namespace nutshell
