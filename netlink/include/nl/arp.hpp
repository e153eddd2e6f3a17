// The RFC 5227 address probe: does anybody on this wire use this IPv4 address?
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "nl/link.hpp"

namespace nl {

/// Somebody who uses an address, or (RFC 5227, 2.1.1) probes for it at this very moment.
struct ArpAnswer {
  std::uint32_t ip = 0;  ///< host byte order
  Mac mac{};
  bool probing = false;  ///< wants it too, does not have it yet
};

/// Sends one ARP probe (sender address 0, broadcast) for each of `addresses` (host byte order) on
/// `link`, and waits once, `timeout` in all or until each was answered. Returns those that were
/// answered, the first answer of each. A link that was only just set up is waited for, `timeout` at
/// most; where it has no carrier by then nobody can hear, and nobody is returned. This host does
/// not answer for its own addresses. The socket's namespace must be the calling thread's. Needs
/// CAP_NET_RAW. Throws nl::Error: ENODEV, ENETDOWN where the link is down, EPERM.
std::vector<ArpAnswer> probe_addresses(
    Socket& socket, const LinkRef& link, const std::vector<std::uint32_t>& addresses,
    std::chrono::milliseconds timeout = std::chrono::milliseconds(200));

/// Tells everybody on `link` that this host has `address` (host byte order) now: one gratuitous ARP
/// request (RFC 5227, 3). A link that is down, or without a MAC, has nobody to tell. Needs
/// CAP_NET_RAW. Throws nl::Error: ENODEV, EPERM.
void announce_address(Socket& socket, const LinkRef& link, std::uint32_t address);

}  // namespace nl
