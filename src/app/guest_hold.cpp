// Freezing is the guest's own work (its file systems are written out and wait), so it may fail or
// take long; then the guest is paused, which leaves on the disk what a power cut would.
#include "app/guest_hold.hpp"

#include <fmt/format.h>

#include "app/agent.hpp"
#include "app/machine_state.hpp"
#include "app/qmp_access.hpp"

namespace nutshell {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds freeze_patience{5000}, thaw_patience{10'000};

std::string status(host::Qmp& qmp) { return qmp.execute("query-status").text("status"); }

MachineRow row_of(House& house, const Uuid& uuid) {
  if (auto row = house.registry().machine(uuid)) return *std::move(row);
  throw NotFound("the machine was removed meanwhile");
}

bool freeze(House& house, const Uuid& uuid) {
  const std::string agent = house.paths.agent(uuid);
  if (ask_agent(agent, "guest-fsfreeze-freeze", freeze_patience)) return true;
  (void)ask_agent(agent, "guest-fsfreeze-thaw", freeze_patience);  // it may have come too late
  return false;
}

// An agent that answers says whether anything is frozen; one that does not, with file systems that
// wait for it, is worth another try.
void thaw(House& house, const Uuid& uuid, const std::string& who) {
  const std::string agent = house.paths.agent(uuid);
  for (int attempt = 0; attempt < 3; ++attempt) {
    (void)ask_agent(agent, "guest-fsfreeze-thaw", thaw_patience);
    const auto now = ask_agent(agent, "guest-fsfreeze-status", thaw_patience);
    if (now && now->is_string() && now->as_string() == "thawed") return;
    if (!is_alive(house, uuid)) return;
  }
  throw Failed(
      fmt::format("{}: its guest agent does not answer any more, so its file systems may be "
                  "frozen; try `nutshell "
                  "gc` again, or `nutshell restart {} --force`",
                  who, who));
}

}  // namespace

std::optional<GuestHold> hold_for_snapshot(House& house, const MachineRow& row) {
  const Seen seen = look_at(house, row.uuid, row.run, row.last_end);
  if (seen.state != MachineState::running) return std::nullopt;
  return GuestHold{row.uuid, agent_answers(house.paths.agent(row.uuid))};
}

void hold_guest(House& house, const GuestHold& hold) {
  if (hold.freeze && freeze(house, hold.machine)) return;
  open_qmp(house, row_of(house, hold.machine)).execute("stop");
}

void let_guest(House& house, const GuestHold& hold) {
  const auto row = house.registry().machine(hold.machine);
  if (!row || !is_alive(house, hold.machine)) return;
  try {
    host::Qmp qmp = open_qmp(house, *row);
    // It ran when it was held, so whatever holds it now is us.
    if (status(qmp) == "paused") qmp.execute("cont");
  } catch (const Error&) {
    if (is_alive(house, hold.machine)) throw;
    return;
  }
  if (hold.freeze) thaw(house, hold.machine, to_string(row->name));
}

}  // namespace nutshell
