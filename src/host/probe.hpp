// Asks the wire whether somebody has an address, before it is given to a machine (RFC 5227).
#pragma once
#include <string>
#include <vector>

#include "nutshell/facts.hpp"
#include "nutshell/values.hpp"

namespace nutshell::host {

/// One ARP probe for each address on that bridge, then one wait of 200 ms for all: those that were answered, with who answered.
/// Throws SystemError when the bridge is missing or raw sockets are not allowed.
std::vector<IpFact> probe_addresses(const std::string& bridge, const std::vector<Ipv4>& addresses);

}  // namespace nutshell::host
