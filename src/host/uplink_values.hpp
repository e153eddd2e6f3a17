// The values of an adoption to those of netlink and back. Private to uplink*.cpp.
#pragma once
#include <functional>
#include <string>

#include "nl/address.hpp"
#include "nl/neighbour.hpp"
#include "nl/route.hpp"
#include "nl/rule.hpp"
#include "nutshell/adoption.hpp"

namespace nutshell::host {

/// The name of a link by its index ("" for 0), and the index by the name; the latter throws
/// nl::Error (ENODEV).
using LinkName = std::function<std::string(int)>;
using LinkIndex = std::function<int(const std::string&)>;

LinkAddress to_value(const nl::Address& address, const LinkName& name);
LinkRoute to_value(const nl::Route& route, const LinkName& name);
LinkRule to_value(const nl::Rule& rule);
LinkNeighbour to_value(const nl::Neighbour& neighbour, const LinkName& name);

nl::Address to_netlink(const LinkAddress& address);
nl::Route to_netlink(const LinkRoute& route, const LinkIndex& index);
nl::Rule to_netlink(const LinkRule& rule);
nl::Neighbour to_netlink(const LinkNeighbour& neighbour);

}  // namespace nutshell::host
