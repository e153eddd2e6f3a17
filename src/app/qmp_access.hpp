// The QMP of a running machine, for commands.
#pragma once
#include "app/house.hpp"
#include "host/qmp.hpp"

namespace nutshell {

/// The machine of that name, which must run (or be paused). Throws NotFound, Conflict with what to
/// do.
MachineRow find_running(House& house, const std::string& typed);
host::Qmp open_qmp(const House& house, const MachineRow& row);
host::Qmp::Place qmp_place(const House& house, const Uuid& uuid, const MachineName& name);

}  // namespace nutshell
