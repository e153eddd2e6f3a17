// The forwarding tables of bridges: which MAC was seen behind which port.
#pragma once

#include <cstdint>
#include <vector>

#include "nl/link.hpp"

namespace nl {

struct FdbEntry {
  Mac mac{};
  int port = 0;            ///< index of the port (or of the bridge itself) that it is behind
  int master = 0;          ///< index of the bridge; 0 for an entry of the device itself (`self`)
  std::uint16_t vlan = 0;  ///< 0 without VLAN filtering
  bool local = false;      ///< an address of the host: of the port or of the bridge (NUD_PERMANENT)
  bool fixed = false;      ///< put there by somebody, does not age (NUD_NOARP)
  bool self =
      false;  ///< the device's own filter (multicast groups and such), not the bridge's table
};

/// `bridge` 0: of every bridge. `self_entries`: those of the devices' own filters too.
struct FdbFilter {
  int bridge = 0;
  bool self_entries = false;
};
/// In one dump. What was learnt, what was put there, and the host's own (`local`).
std::vector<FdbEntry> list_fdb(Socket& socket, const FdbFilter& filter = {});

/// Puts a fixed entry for `mac` behind `port`, a bridge's port. EEXIST where the bridge has one.
void add_fdb(Socket& socket, const LinkRef& port, const Mac& mac);
/// The same, in place of what the bridge has for that MAC, learnt or put there. With VLANs on the
/// port, in each of them.
void replace_fdb(Socket& socket, const LinkRef& port, const Mac& mac);
/// Takes an entry away, learnt or fixed. ENOENT where there is none.
void remove_fdb(Socket& socket, const LinkRef& port, const Mac& mac);

}  // namespace nl
