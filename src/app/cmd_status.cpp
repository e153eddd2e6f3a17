// status: the clouds on a line each, or one of them with its machines and with what `up` would do.
#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_file.hpp"
#include "app/cloud_quota.hpp"
#include "app/cloud_ranges.hpp"
#include "app/cloud_unit.hpp"
#include "app/cloud_work.hpp"
#include "app/cmd.hpp"
#include "app/lost.hpp"
#include "app/machine_json.hpp"
#include "app/machine_state.hpp"
#include "app/settle.hpp"

namespace nutshell {
namespace {

struct Counts {
  std::size_t all = 0, running = 0, by_hand = 0;
};

bool runs(const Seen& seen) {
  return seen.state == MachineState::running || seen.state == MachineState::paused;
}

Json json_of(const std::optional<Ipv4Net>& net) { return net ? Json(to_string(*net)) : Json(); }

Json ranges_json(const std::vector<AddressRange>& ranges) {
  Json list = Json::array();
  for (const AddressRange& range : ranges)
    list.push(Json::object({{"first", to_string(range.first)}, {"last", to_string(range.last)}}));
  return list;
}

Exit show_all(House& house) {
  JsonList list("clouds");
  Table table{{"CLOUD", "MACHINES", "RUN", "PUBLIC", "PRIVATE", "FILE"}, {}};
  const auto summaries = house.registry().summaries();
  for (const CloudRow& row : house.registry().clouds()) {
    const CloudRanges ranges = ranges_of(house, row.name);
    Counts counts;
    for (const MachineSummary& each : summaries) {
      if (each.name.cloud != row.name) continue;
      ++counts.all;
      if (runs(look_at(house, each.uuid, each.run, each.last_end))) ++counts.running;
    }
    list.push(Json::object({{"name", row.name},
                            {"file", row.file},
                            {"created", row.created},
                            {"machines", counts.all},
                            {"running", counts.running},
                            {"public", ranges_json(ranges.publics)},
                            {"private", json_of(ranges.subnet)}}));
    table.rows.push_back({row.name, std::to_string(counts.all), std::to_string(counts.running),
                          ranges.publics.empty() ? "-" : to_string(ranges.publics),
                          ranges.subnet ? to_string(*ranges.subnet) : "-", printable(row.file)});
  }
  warn_of_lost(house);
  warn_of_unknown_runs(house);
  if (table.rows.empty() && !house.reporter.json())
    house.reporter.note("no clouds yet; `nutshell up FILE` brings one up");
  else
    house.reporter.answer(list, table);
  return Exit::done;
}

/// What `up` would do about the file as it is now, in one sentence; it never fails a status.
std::string words_of_file(House& house, const CloudRow& row) {
  try {
    const CloudFile file = read_cloud_file(house, row.file);
    if (file.spec.name != row.name)
      return fmt::format("its file {} describes the cloud {} now", printable(row.file),
                         file.spec.name);
    CloudWork work = plan_work(house, file, {});
    if (work.waits())
      return "changes of its file wait for `up --restart`; `nutshell plan` shows them";
    if (!work.repairs.empty())
      return fmt::format("machines that run are cut off from {}; `nutshell up {}` repairs it",
                         *work.repairs.begin(), shell_quote(row.file));
    const bool differs =
        work.has_work() &&
        std::any_of(work.machines.begin(), work.machines.end(), [](const MachineWork& machine) {
          return machine.action != MachineWork::Action::nothing && !machine.is_missing();
        });
    if (differs || !work.networks.empty() || !work.groups.empty() || work.ranges_change ||
        work.answers_change || work.autostart_change)
      return "its file has changed since; `nutshell plan` shows what `up` would do";
    if (std::any_of(work.machines.begin(), work.machines.end(),
                    [](const MachineWork& machine) { return machine.is_missing(); }))
      return fmt::format("machines of its file are missing; `nutshell up {}` makes them",
                         shell_quote(row.file));
    return "";
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    return fmt::format("its file cannot be followed: {}", error.what());
  }
}

Exit show_one(House& house, const CloudRow& row) {
  warn_of_unknown_runs(house);
  const CloudSpec spec = spec_of(row);
  const CloudRanges ranges = ranges_of(house, row.name);
  Json machines = Json::array();
  Table table{{"MACHINE", "STATE", "CPUS", "MEMORY", "ADDRESS", "VNC"}, {}};
  Usage usage;
  std::vector<std::string> missing;
  for (const CloudMachine& machine : spec.machines)
    if (!house.registry().machine(machine.wish.name)) missing.push_back(machine.wish.name.name);
  for (const MachineRow& each : house.registry().machines()) {
    if (each.name.cloud != row.name) continue;
    const Seen seen = look_calmly(house, each);
    add_usage(usage, each.spec);
    Json json = machine_details(house, each, seen);
    machines.push(std::move(json));
    std::string addresses;
    for (const NicSpec& nic : each.spec.nics)
      if (nic.ip) addresses += (addresses.empty() ? "" : ",") + to_string(*nic.ip);
    const std::string vnc =
        runs(seen) ? vnc_words(house, each.uuid, each.spec.vnc.mode, each.run) : "";
    const std::string words = seen.words.substr(0, seen.words.find(':'));
    table.rows.push_back({each.name.name + (spec.machine(each.name.name) ? "" : " (by hand)"),
                          house.reporter.state(words), std::to_string(each.spec.cpus),
                          format_size(each.spec.memory), addresses.empty() ? "-" : addresses,
                          vnc.empty() ? "-" : vnc});
  }
  for (const std::string& name : missing) table.rows.push_back({name, "missing", "", "", "", ""});
  const std::string waits = words_of_file(house, row);
  std::string text = fmt::format("{} from {}\n", row.name, printable(row.file));
  text += fmt::format("  public range:   {}\n",
                      ranges.publics.empty() ? "none" : words_of_publics(ranges));
  text += fmt::format("  private subnet: {}\n", words_of_subnet(ranges));
  text += fmt::format("  in all:         {} machine{}, {} CPU{}, {} of memory, {} of disk\n",
                      usage.machines, usage.machines == 1 ? "" : "s", usage.cpus,
                      usage.cpus == 1 ? "" : "s", format_size_roughly(usage.memory),
                      format_size_roughly(usage.disk));
  if (spec.autostart)
    text += is_unit_stale(house, spec)
                ? fmt::format(
                      "  would come up when this host boots, but {} is not as it should be; "
                      "`nutshell up` writes it\n",
                      unit_path(house, row.name))
                : fmt::format("  {}\n", words_of_autostart(house));
  if (!waits.empty()) text += fmt::format("  {}\n", waits);
  if (!table.rows.empty()) text += table.text(house.reporter.colour());
  Json absent = Json::array();
  for (const std::string& name : missing) absent.push(name);
  house.reporter.answer(Json::object({{"name", row.name},
                                      {"file", row.file},
                                      {"created", row.created},
                                      {"public", ranges_json(ranges.publics)},
                                      {"private", json_of(ranges.subnet)},
                                      {"autostart", spec.autostart},
                                      {"note", waits.empty() ? Json() : Json(waits)},
                                      {"missing", absent},
                                      {"machines", machines}}),
                        text);
  return Exit::done;
}

}  // namespace

Exit run_status(const Parsed& args, House& house) {
  settle(house);
  if (args.words.empty()) return show_all(house);
  return show_one(house, find_cloud(house, args.words.front()));
}

}  // namespace nutshell
