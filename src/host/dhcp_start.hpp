// Starts dnsmasq detached and unprivileged.
#pragma once
#include <string>

#include "host/proc.hpp"

namespace nutshell::host {

struct DnsmasqStart {
  std::string folder;  ///< its working directory, with dnsmasq.conf; `leases` is made there for it
  std::string log;     ///< where its stderr goes, appended
  std::string proof;   ///< an argument of its command line
};
/// Starts it and returns at once; it may die yet. It is nobody's child that must be waited for.
/// Throws Failed when dnsmasq is not installed, SystemError when it cannot be started (EPERM: not
/// root).
Identity start_dnsmasq(const DnsmasqStart& start);

}  // namespace nutshell::host
