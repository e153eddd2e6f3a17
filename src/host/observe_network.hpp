// The network parts of observe().
#pragma once
#include "host/observe.hpp"

namespace nutshell::host {

/// Fills in links, addresses, routes, macs, ips and ports, as far as the options ask for them.
void observe_network(const ObserveOptions& options, Facts& facts);

}  // namespace nutshell::host
