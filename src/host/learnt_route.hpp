// The IPv6 default routes that the kernel has from router advertisements. Private to uplink*.cpp.
#pragma once
#include <vector>

#include "nl/socket.hpp"
#include "nutshell/adoption.hpp"

namespace nutshell::host {

/// Sets `learnt` of those that the kernel follows advertisements for (/proc/net/ipv6_route tells;
/// netlink does not).
void mark_learnt(std::vector<LinkRoute>& routes);
/// Adds one such that the kernel goes on with it as if it had learnt it on that link. Its protocol
/// shows as "boot", and its metrics come with the next advertisement. Throws nl::Error.
void add_learnt_route(nl::Socket& socket, const LinkRoute& route);

}  // namespace nutshell::host
