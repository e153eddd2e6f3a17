// A machine's row is committed before its folder is made and goes after it, so a folder without a
// row is not one that is being made or removed just now.
#include "app/lost.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "app/cloud_file.hpp"
#include "app/cloud_recover.hpp"
#include "app/firewall_kept.hpp"
#include "app/machine_state.hpp"
#include "app/network.hpp"
#include "app/reserved_kept.hpp"
#include "host/files.hpp"
#include "host/observe.hpp"

namespace nutshell {
namespace {

struct Lost {
  std::vector<MachineSpec> machines;
  std::vector<std::string> unreadable;  ///< folders
};

Lost look_at_lost(House& house) {
  const std::vector<std::string> folders = host::names_in(house.paths.machines());
  std::set<std::string> known;  // asked after the folders were listed
  house.registry().each_summary([&](const MachineSummary& row) { known.insert(row.uuid.text); });
  Lost lost;
  for (const std::string& folder : folders) {
    const auto uuid = parse_uuid(folder);
    if (!uuid || known.contains(uuid->text)) continue;
    try {
      const auto text = host::read_file(house.paths.spec_file(*uuid));
      if (text) lost.machines.push_back(spec_from_json(Json::parse(*text)));
    } catch (const Error&) {
      lost.unreadable.push_back(house.paths.machine(*uuid));
    }
  }
  return lost;
}

std::string unknown_words(const std::string& who) {
  return fmt::format("{} runs, and the registry does not know of it", who);
}

/// Empty: there are none.
std::string words_of_unknown(House& house) {
  const std::vector<Uuid> unknown = unknown_living(house);
  if (unknown.empty()) return "";
  std::string who = "the machine " + unknown.front().text;
  for (const MachineSpec& spec : lost_machines(house))
    if (spec.uuid == unknown.front()) who = to_string(spec.name);
  if (const auto row = house.registry().machine(unknown.front())) who = to_string(row->name);
  return unknown.size() == 1
             ? unknown_words(who)
             : fmt::format("{} and {} more run, and the registry does not know of them", who,
                           unknown.size() - 1);
}

}  // namespace

std::vector<MachineSpec> lost_machines(House& house) { return look_at_lost(house).machines; }

void refuse_beside_unreadable(House& house, const std::string& machine) {
  const std::vector<std::string> folders = look_at_lost(house).unreadable;
  if (!folders.empty())
    throw Conflict(fmt::format(
        "{} is not there, and may be what is in {}, whose spec.json cannot be read; mend that and "
        "run `nutshell recover`, or move the folder away",
        machine, folders.front()));
}

std::vector<Uuid> unknown_living(House& house) {
  std::vector<std::string> folders = host::names_in(house.paths.machines());
  std::map<std::string, bool> runs;  // asked after the folders were listed
  for (const MachineSummary& row : house.registry().summaries())
    runs[row.uuid.text] = row.run.has_value();
  std::vector<Uuid> found;
  for (const std::string& folder : folders) {
    const auto uuid = parse_uuid(folder);
    const auto known = runs.find(folder);
    if (!uuid || (known != runs.end() && known->second) || !is_alive(house, *uuid)) continue;
    // It may have been started, or its folder have got a row, since the rows were listed.
    const auto row = house.registry().machine(*uuid);
    if (row && (row->run || !host::find_qemu_by_uuid(*uuid))) continue;
    found.push_back(*uuid);
  }
  return found;
}

void refuse_beside_unknown(House& house) {
  if (const std::string who = words_of_unknown(house); !who.empty())
    throw Conflict(fmt::format("{}; run `nutshell recover` first", who));
}

void refuse_unknown_run(House& house, const Uuid& uuid, const MachineName& name) {
  if (!is_alive(house, uuid) || !host::find_qemu_by_uuid(uuid)) return;
  const auto row = house.registry().machine(uuid);  // it may have been started meanwhile
  if (row && !row->run && is_alive(house, uuid))
    throw Conflict(fmt::format("{}; run `nutshell recover` first", unknown_words(to_string(name))));
}

void refuse_lost_part(House& house, const std::string& cloud) {
  for (const MachineSpec& spec : lost_machines(house))
    if (spec.name.cloud == cloud)
      throw Conflict(
          fmt::format("the registry has lost the machine {}; run `nutshell recover` first",
                      to_string(spec.name)));
  for (const MachineSummary& row : house.registry().summaries())
    if (row.name.cloud == cloud && !row.run) refuse_unknown_run(house, row.uuid, row.name);
}

// A machine that runs has its folder below paths.run, whoever knows of it.
void warn_of_unknown_runs(House& house) {
  constexpr std::size_t length_of_short_id = 8;
  std::set<std::string> known;
  for (const MachineSummary& row : house.registry().runs()) known.insert(row.uuid.short_id());
  const std::vector<std::string> folders = host::names_in(house.paths.run);
  if (std::all_of(folders.begin(), folders.end(), [&](const std::string& name) {
        return name.size() != length_of_short_id || known.contains(name);
      }))
    return;
  if (const std::string who = words_of_unknown(house); !who.empty())
    house.reporter.warn(fmt::format("{}; `nutshell recover` finds it again", who));
}

void warn_of_lost(House& house) {
  std::vector<std::string> what;
  for (const MachineSpec& spec : lost_machines(house))
    what.push_back("the machine " + to_string(spec.name));
  for (const std::string& cloud : noted_clouds(house))
    if (is_noted(house, cloud) && !house.registry().cloud(cloud))
      what.push_back("the cloud " + cloud);
  if (what.empty()) return;
  house.reporter.warn(fmt::format(
      "the registry does not know {}{}; `nutshell recover` finds what it has lost", what.front(),
      what.size() == 1 ? "" : fmt::format(" and {} more", what.size() - 1)));
}

void add_lost_machines(House& house, Facts& facts) {
  for (const MachineSpec& spec : lost_machines(house))
    for (const NicSpec& nic : spec.nics) {
      const std::string holder = fmt::format(
          "the machine {}, which the registry has lost (`nutshell recover`)", to_string(spec.name));
      if (nic.mac) facts.macs.push_back({*nic.mac, holder});
      if (nic.ip) facts.ips.push_back({*nic.ip, holder});
    }
  add_lost_networks(house, facts);
}

std::vector<RangeFact> lost_ranges(House& house) {
  std::vector<RangeFact> lost;
  const auto add = [&](const std::string& value, const std::string& whose,
                       const std::string& cloud) {
    std::vector<AddressRange> ranges;
    if (const auto net = parse_ipv4_net(value))
      ranges = {{net->first(), net->last()}};
    else if (auto read = parse_ranges(value))
      ranges = *std::move(read);
    for (const AddressRange& range : ranges)
      lost.push_back({range.first, range.last,
                      fmt::format("{}, which the registry has lost (`nutshell recover`)", whose),
                      false, cloud});
  };
  for (const MachineSpec& spec : lost_machines(house))
    for (const NicSpec& nic : spec.nics)
      if (nic.kind == NicKind::bridge && !nic.also.empty())
        add(to_string(nic.also), "the machine " + to_string(spec.name), spec.name.cloud);
  for (const auto& [cloud, value] : lost_cloud_ranges(house))
    add(value, "the cloud " + cloud, cloud);
  for (const PublicAddress& one : lost_addresses(house))
    add(to_string(one.address), "the cloud " + one.cloud, one.cloud);
  for (const Lease& lease : lost_reservations(house)) add(lease.value, "a reservation by hand", "");
  return lost;
}

}  // namespace nutshell
