// What makes a machine's disk or NIC the one that the file means: the things that cannot change
// while it stays the same one.
#include "core/cloud_lists.hpp"

namespace nutshell {

int likeness(const DiskSpec& wish, const DiskSpec& present) {
  if (wish.ours() != present.ours()) return 0;
  if (!wish.ours()) return wish.path == present.path ? exactly_alike : 0;
  const bool volume_group = wish.vg.empty() || wish.vg == present.vg;
  if (!volume_group || wish.format != present.format ||
      wish.backing.empty() != present.backing.empty())
    return 0;
  if (!wish.backing.empty() && wish.backing.front() != present.backing.front()) return 0;
  return wish.size == present.size ? exactly_alike : alike;
}

int likeness(const NicSpec& wish, const NicSpec& present) {
  // The default is a network for root and user mode for everybody else.
  const bool open = wish.kind == NicKind::network && wish.network.empty();
  if (open && (present.kind == NicKind::network || present.kind == NicKind::user))
    return present.model == wish.model ? exactly_alike : alike;
  if (wish.kind != present.kind || wish.uplink != present.uplink) return 0;
  if (wish.kind == NicKind::bridge && wish.bridge != present.bridge) return 0;
  if (wish.kind == NicKind::network && wish.network != present.network) return 0;
  const bool named = (wish.mac && wish.mac == present.mac) || (wish.ip && wish.ip == present.ip);
  return named ? exactly_alike : alike;
}

bool leaves_nics_open(const CloudMachine& machine) {
  return machine.wish.nics.empty() && !machine.wish.origins.contains("nic");
}

std::vector<NicSpec> nics_of(const CloudMachine& machine) {
  return leaves_nics_open(machine) ? std::vector(1, NicSpec{}) : machine.wish.nics;
}

}  // namespace nutshell
