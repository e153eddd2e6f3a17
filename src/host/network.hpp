// The bridge of a managed network: made once, marked, and removed only when it is provably ours and
// nothing hangs on it.
#pragma once
#include <string>

#include "nutshell/values.hpp"

namespace nutshell::host {

struct BridgeWish {
  std::string name;
  Ipv4Net address;   ///< the bridge's own, with its prefix
  Mac mac;           ///< recorded before the bridge is made: proof of ours until the mark is set
  std::string mark;  ///< network_mark(...), its link alias
};

/// Makes the bridge with its MAC, mark and address, and sets it up; what is there already of ours
/// (by mark, or by MAC where no mark was set yet) is completed. Throws Conflict when a link of that
/// name is somebody else's, Failed when the kernel refuses.
void ensure_bridge(const BridgeWish& wish);
/// Removes the bridge; gone already is done. Throws Conflict when it is not ours, or a port is
/// left.
void drop_bridge(const BridgeWish& wish);
/// Makes the host forget which addresses a MAC had, so that it is not taken for a stranger's when
/// its machine is gone. Links that are gone, and what cannot be removed, are no error.
void forget_neighbours(Mac mac);

}  // namespace nutshell::host
