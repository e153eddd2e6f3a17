// The macvtap link of a machine's NIC. Unlike a tap it does not die with QEMU: it is a step of its
// own, with an undo.
#pragma once
#include <string>

#include "nutshell/spec.hpp"

namespace nutshell::host {

struct MacvtapLink {
  std::string name, uplink;
  MacvtapMode mode = MacvtapMode::bridge;
  Mac mac;
  std::string mark;
  unsigned mtu = 0;  ///< 0: the uplink's
};
/// Makes it, exclusively, marks it and sets it up; what fails leaves nothing. Throws NotFound
/// without the uplink, Conflict where that is taken (a port of a bridge, a passthru link on it).
void make_macvtap(const MacvtapLink& link);
/// Removes it if it carries that mark, or (cut short while it was made) no alias and that MAC; gone
/// already is done. Throws Conflict when it is another's.
void drop_macvtap(const std::string& name, const std::string& mark, Mac mac);

}  // namespace nutshell::host
