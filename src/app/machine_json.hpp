// A machine as programs see it (DESIGN.md section 6) and as a row of `ls`.
#pragma once
#include <string>
#include <vector>

#include "app/house.hpp"
#include "app/machine_state.hpp"
#include "nutshell/json.hpp"

namespace nutshell {

/// The object of `ls`; `show` adds to it.
Json machine_json(const House& house, const MachineSummary& summary, const MachineSpec& spec,
                  const Seen& seen);
/// What `show` adds: created, boots, how the last run ended, boot order, files, leases.
Json machine_details(House& house, const MachineRow& row, const Seen& seen);
MachineSummary summary_of(const MachineRow& row);
/// Where its screen can be reached: "127.0.0.1:1", "unix:PATH", "" when it has none now.
std::string vnc_words(const House& house, const Uuid& uuid, VncMode mode,
                      const std::optional<RunRecord>& run);

}  // namespace nutshell
