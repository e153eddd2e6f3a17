// Forwarding between links, which the kernel has off until somebody turns it on: what has to be
// changed for it, and the way back.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace nutshell::host {

/// One setting below /proc/sys. What is put back is put back in reverse order.
struct Setting {
  std::string path;  ///< "net/ipv4/ip_forward"
  std::string before, after;
  bool operator==(const Setting&) const = default;
};

using LinkNames = std::vector<std::string>;

/// What turns IPv4 forwarding on, except for packets that come in by `never`; empty when it is on.
/// Links that forward already are in the list unchanged: turning the whole off turns them off, and
/// they are put back after it.
std::vector<Setting> settings_to_forward_ipv4(const LinkNames& never);
/// The same for IPv6. A host that forwards hears no router advertisements any more, so links that
/// learn their routes from them are told to go on (accept_ra 2) first.
std::vector<Setting> settings_to_forward_ipv6(const LinkNames& never);
/// Makes them so, in order. Throws SystemError.
void apply_settings(const std::vector<Setting>& settings);
/// Those that have the value that we gave them: what somebody else has changed meanwhile is his.
/// They are to be noted before the first is put back, because putting back one changes others; so
/// they come without their `after`, and asked for again they are all still ours.
std::vector<Setting> still_as_we_set(std::vector<Setting> settings);
/// Puts them back, in reverse order. Links that are gone are no error. Throws SystemError.
void restore_settings(const std::vector<Setting>& settings);
/// The inode of the network namespace that we are in: its own while it lives.
std::uint64_t network_namespace();

}  // namespace nutshell::host
