// Whom this host asks for names, as far as others can ask the same.
#pragma once
#include <string_view>
#include <vector>

#include "nutshell/values.hpp"

namespace nutshell::host {

/// The IPv4 addresses of the lines `nameserver` of a resolv.conf(5), without those of the loopback,
/// which nobody else can ask.
std::vector<Ipv4> name_servers_in(std::string_view resolv_conf);
/// Those of /etc/resolv.conf; where it names only the loopback, those that systemd-resolved itself
/// asks. Never throws.
std::vector<Ipv4> observe_name_servers();

}  // namespace nutshell::host
