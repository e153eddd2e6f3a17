// Who belongs on which bridge by the registry, and what of that is not so on the host.
#pragma once
#include <string>
#include <vector>

#include "app/house.hpp"
#include "host/bridge.hpp"

namespace nutshell {

/// A machine's NIC on a bridge, as the registry has it for a machine that runs.
struct Placed {
  std::string machine, tap, bridge;
  host::PortWish wish{};
};
std::vector<Placed> placed_taps(House& house);
/// Those whose tap is there and is a port of another bridge, or of none.
std::vector<Placed> displaced_taps(House& house);

/// Those on their bridge whose VLANs are not as the registry has them, and what they are.
struct Mistagged {
  Placed port;
  std::string now;  ///< "100 without a tag, 200-210"
};
std::vector<Mistagged> mistagged_taps(House& house);

/// The machine whose tap a port is, by its mark; empty for a stranger's port.
std::string machine_of_port(const std::string& alias);
/// "ciab (nt12ab-0)", or the port's name alone.
std::string port_words(const host::BridgePortFact& port);

/// One thing that is wrong with a bridge, or that waits, for `doctor`.
struct BridgeTrouble {
  std::string bridge, words;
  bool bad = false;
};
std::vector<BridgeTrouble> bridge_troubles(House& house);

/// True when a bridge of ours is isolated and our table is not there (flushed, or the host has
/// started). False where we may not look.
bool lacks_isolation(House& house);

}  // namespace nutshell
