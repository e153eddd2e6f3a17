// Links of machines that a lost registry left behind.
#pragma once
#include <string>
#include <vector>

#include "app/house.hpp"

namespace nutshell {

struct LostLink {
  std::string name, mark;
  Mac mac;
};
/// Macvtap links that carry the mark and the MAC of a machine of ours which does not run and has no
/// run to be collected.
std::vector<LostLink> lost_macvtaps(House& house);
/// Removes the link of that name if it still is one of them.
void drop_lost_macvtap(House& house, const std::string& name);

}  // namespace nutshell
