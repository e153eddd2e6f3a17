// Public addresses of machines, on the host: where a link has the address's subnet, the address
// stands on that link while the machine runs, so that the host answers for it.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "app/house.hpp"
#include "nutshell/facts.hpp"
#include "nutshell/guard.hpp"

namespace nutshell {

/// Puts the public addresses of these NICs on the links that have their subnets, and announces
/// them. An address for which no link has a subnet is left alone: it is routed to this host. True
/// when one was put there.
bool take_addresses(House& house, const std::vector<GuestNic>& nics);
/// Takes away what take_addresses() has put there, but what `kept` has; gone already is done.
void give_addresses(House& house, const std::vector<GuestNic>& nics,
                    const std::vector<GuestNic>& kept = {});
/// Takes away those that no machine that runs is to have any more, and ends what was open by them.
void drop_stray_addresses(House& house);
/// The public addresses of these NICs.
std::vector<Ipv4> publics_of(const std::vector<GuestNic>& nics);

/// Those that somebody has taken from their links, in words.
std::vector<std::string> address_faults(House& house);
/// Asks the links that have their subnets whether somebody has one of these addresses (RFC 5227),
/// and adds the answers to the facts.
void probe_public_addresses(Facts& facts, const std::vector<Ipv4>& addresses);
/// A managed network's addresses are its machines' own, and its bridge's. Throws Conflict where one
/// has what is asked for of the pool, or, without a certain address, all that the cloud may choose.
void refuse_network(House& house, const std::string& pool, const std::string& cloud,
                    const std::optional<Ipv4>& wanted);
/// Those addresses, as facts.
void add_network_ranges(House& house, Facts& facts);

}  // namespace nutshell
