// The kernel takes no macvtap link back when its QEMU dies: what a run has made is in the registry
// for as long as the run is, and when that is lost, only the link itself can tell.
#include "app/lost_links.hpp"

#include <algorithm>

#include "app/machine_state.hpp"
#include "app/start.hpp"
#include "host/macvtap.hpp"
#include "host/observe.hpp"
#include "nutshell/facts.hpp"

namespace nutshell {

std::vector<LostLink> lost_macvtaps(House& house) {
  std::vector<LostLink> lost;
  if (!house.root) return lost;
  Facts facts = observe_parts(house, host::part::links);
  std::erase_if(facts.links, [](const LinkFact& link) { return link.kind != "macvtap"; });
  if (facts.links.empty()) return lost;
  for (const MachineRow& row : house.registry().machines()) {
    if (row.run || is_alive(house, row.uuid)) continue;
    for (std::size_t i = 0; i < row.spec.nics.size(); ++i)
      for (const LinkFact& link : facts.links)
        if (link.mac == row.spec.nics[i].mac &&
            link.alias == tap_mark(row.name, static_cast<unsigned>(i)))
          lost.push_back({link.name, link.alias, link.mac});
  }
  return lost;
}

void drop_lost_macvtap(House& house, const std::string& name) {
  for (const LostLink& link : lost_macvtaps(house))
    if (link.name == name) host::drop_macvtap(link.name, link.mark, link.mac);
}

}  // namespace nutshell
