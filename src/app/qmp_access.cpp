// Every command that talks to QEMU first looks at the lock: a socket of a dead QEMU would say less
// clearly what is wrong.
#include "app/qmp_access.hpp"

#include <fmt/format.h>

#include "app/machine_state.hpp"
#include "app/settle.hpp"

namespace nutshell {

MachineRow find_running(House& house, const std::string& typed) {
  const MachineRow row = settled_machine(house, find_machine(house, typed));
  const Seen seen = look_at(house, row.uuid, row.run, row.last_end);
  if (seen.state != MachineState::running && seen.state != MachineState::paused)
    throw Conflict(fmt::format("{} is not running ({}); `nutshell start {}` starts it",
                               to_string(row.name), seen.words, to_string(row.name)));
  return row;
}

host::Qmp::Place qmp_place(const House& house, const Uuid& uuid, const MachineName& name) {
  return {house.paths.qmp(uuid), house.paths.qmp_lock(uuid), to_string(name)};
}

host::Qmp open_qmp(const House& house, const MachineRow& row) {
  return host::Qmp::connect(qmp_place(house, row.uuid, row.name));
}

}  // namespace nutshell
