// Listening sockets that are bound by us and handed to QEMU, so that nobody polls and nobody else
// can have them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "host/fd.hpp"

namespace nutshell::host {

/// A listening stream socket at `path`, mode 0600, exclusively (a file there is an error).
Fd listen_unix(const std::string& path);

/// Who holds a TCP port against a new listener, listening or only bound, by either family: "Xvnc
/// (pid 311)", "another process" where it cannot be known. Empty when the kernel lists nobody
/// (before Linux 6.8 it does not list what is bound and not listening).
std::string port_holder(std::uint16_t port);

/// Throws ConfigError when a numeric address is not this host's.
void check_listen_address(const std::string& address);

/// Who holds a port against a new listener on `address` (empty: on all of them), in words; empty:
/// nobody. Throws ConfigError when the address is not this host's.
std::string port_taken_by(const std::string& address, std::uint16_t port, bool udp);
/// All who have a UDP port of this network namespace, or listen on a TCP port, on whatever address.
std::vector<std::string> listed_port_holders(std::uint16_t port, bool udp);

struct DisplaySocket {
  Fd socket;           ///< listening; empty when the display is taken
  std::string holder;  ///< who has it then, in words: "Xvnc (pid 311)"
};
/// Proves that TCP port 5900+display is free on every address of both families, then listens on
/// `address` (numeric). What only remembers finished connections (TIME_WAIT) does not make a
/// display taken. Throws SystemError when the address is not this host's.
DisplaySocket listen_display(const std::string& address, unsigned display);

}  // namespace nutshell::host
