// ls: every machine on a line. It has 15 ms for a thousand of them, so no spec is parsed unless
// JSON is asked for.
#include <algorithm>

#include "app/cmd.hpp"
#include "app/machine_json.hpp"
#include "app/settle.hpp"

namespace nutshell {
namespace {

/// The addresses in a spec's JSON text, without parsing it: to_json() writes them as
/// "ip":"ADDRESS".
std::string addresses_in(const std::string& spec_json) {
  static constexpr std::string_view key = "\"ip\":\"";
  std::string found;
  for (auto at = spec_json.find(key); at != std::string::npos; at = spec_json.find(key, at)) {
    at += key.size();
    found += (found.empty() ? "" : ",") + spec_json.substr(at, spec_json.find('"', at) - at);
  }
  return found;
}

bool uses_unix_vnc(const std::string& spec_json) {
  return spec_json.find("\"mode\":\"unix\"") != std::string::npos;
}

}  // namespace

Exit run_ls(const Parsed&, House& house) {
  const Settled settled = settle(house);
  JsonList list("machines");
  Table table{{"NAME", "STATE", "CPUS", "MEMORY", "ADDRESS", "VNC"}, {}};
  for (const MachineSummary& summary : house.registry().summaries()) {
    Seen seen = look_at(house, summary.uuid, summary.run, summary.last_end);
    const bool busy =
        std::find(settled.busy.begin(), settled.busy.end(), summary.uuid) != settled.busy.end();
    if (seen.uncollected && busy)
      seen = look_at(house, summary.uuid, std::nullopt, summary.last_end);
    seen.words = seen.words.substr(0, seen.words.find(':'));  // `show` says how it ended
    if (seen.uncollected) seen.words += " (not yet collected)";
    if (busy) seen.words += " (a command is at work on it)";
    if (house.reporter.json()) {
      list.push(machine_json(house, summary, spec_from_json(Json::parse(summary.spec_json)), seen));
      continue;
    }
    const auto run = seen.state == MachineState::running || seen.state == MachineState::paused
                         ? summary.run
                         : std::nullopt;
    const VncMode mode = run && !run->display && uses_unix_vnc(summary.spec_json)
                             ? VncMode::unix_socket
                             : VncMode::automatic;
    const std::string address = addresses_in(summary.spec_json),
                      vnc = vnc_words(house, summary.uuid, mode, run);
    table.rows.push_back({to_string(summary.name), house.reporter.state(seen.words),
                          std::to_string(summary.cpus), format_size(summary.memory),
                          address.empty() ? "-" : address, vnc.empty() ? "-" : vnc});
  }
  if (table.rows.empty() && !house.reporter.json()) {
    house.reporter.note(
        "no machines yet; `nutshell launch NAME --cdrom ISO --disk SIZE` makes one");
    return Exit::done;
  }
  house.reporter.answer(list, table);
  return Exit::done;
}

}  // namespace nutshell
