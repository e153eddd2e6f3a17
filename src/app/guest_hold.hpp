// A guest that stands still for the moment of a snapshot, and goes on in any case.
#pragma once
#include <optional>

#include "app/house.hpp"
#include "nutshell/plan.hpp"

namespace nutshell {

/// How the guest of a machine is to be held: frozen by its agent where that answers, else paused.
/// nullopt: it does not run, or stands still already.
std::optional<GuestHold> hold_for_snapshot(House& house, const MachineRow& row);
/// HoldGuest and LetGuest. Letting go of a machine that has ended meanwhile is done.
void hold_guest(House& house, const GuestHold& hold);
void let_guest(House& house, const GuestHold& hold);

}  // namespace nutshell
