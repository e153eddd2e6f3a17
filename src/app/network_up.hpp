// What a managed network is on the host, piece by piece, for those who make it (network_up.cpp) and
// those who look whether it is still so (network_tend.cpp).
#pragma once
#include <string>
#include <vector>

#include "app/network.hpp"
#include "host/network.hpp"

namespace nutshell {

/// True when the run that is on has a NIC there. What `set` has added since is the next run's: it
/// comes after those that the run has taps for.
bool runs_on(const MachineRow& row, const std::string& network);
/// Those on which a machine runs, or is being started, machines included that the registry has
/// lost; `leaving` does not count.
std::vector<NetworkRow> networks_up(House& house, const Uuid& leaving);
/// The bridge as it is to be.
host::BridgeWish bridge_of(House& house, const NetworkRow& row);
/// Starts its dnsmasq, or tells it who is there.
void serve(House& house, const NetworkRow& row);
/// True when its dnsmasq runs.
bool is_served(const House& house, const std::string& network);
/// Rules, bridge, dnsmasq: whatever is missing. The caller has lock_network().
void make_network(House& house, const NetworkRow& row);

}  // namespace nutshell
