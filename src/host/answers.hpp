// Does somebody still answer? Small questions that a dead-man asks each second.
#pragma once
#include <chrono>
#include <string>
#include <vector>

namespace nutshell::host {

/// `asked` is "arp 10.0.0.1" (a gateway, by RFC 5227 probe), "nd fe80::1" (an IPv6 gateway, by
/// neighbour solicitation), "echo 192.0.2.7" (by ping), or "tcp 192.0.2.7 50022" (the far end of a
/// connection to port 22: silent when what was sent to it is sent again and again; one that is over
/// is not asked any more). `link` is what the gateway is behind. Never throws: who cannot be asked
/// does not answer.
bool answers(const std::string& link, const std::string& asked, std::chrono::milliseconds timeout);

/// Who is connected to port 22 of one of `addresses`, as "tcp IP PORT" and "echo IP" for each; at
/// most four. Throws Failed where the kernel cannot be asked.
std::vector<std::string> ssh_peers(const std::vector<std::string>& addresses);

}  // namespace nutshell::host
