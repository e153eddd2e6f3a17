// The registry is the truth, and the note remembers digests of what was put in from it. Both are
// compared by every command that looks; what differs is not mended piece by piece: the tables are
// made anew as a whole, so that nothing stale stays.
#include "app/guard_standing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "app/firewall_kept.hpp"
#include "app/guard.hpp"
#include "app/machine_state.hpp"
#include "app/public_address.hpp"
#include "app/settle.hpp"
#include "host/nft.hpp"
#include "host/tool.hpp"

namespace nutshell {
namespace {

/// FNV-1a, 64 bits.
std::string digest(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return fmt::format("{:016x}", value);
}

std::string key_of(const GroupRow& group) { return group.cloud + "/" + group.name; }

std::string digest_of(const GroupRow& group) {
  std::string text;
  for (const GroupRule& rule : group.rules)
    text += fmt::format("{} {} {} {} {}\n", rule.protocol, rule.low, rule.high, rule.from,
                        rule.from_group);
  return digest(text);
}

/// Folders of machines that run, or have run and are not yet collected.
bool anything_runs(const House& house) {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(house.paths.run, none))
    if (entry.path().filename().string().rfind("net-", 0) != 0) return true;
  return false;
}

std::set<std::string> busy_machines(House& house) {
  std::set<std::string> busy;
  for (const Unfinished& unfinished : house.registry().unfinished())
    if (owner_lives(house, unfinished)) busy.insert(unfinished.plan.machine.text);
  return busy;
}

/// What a machine on a bridge would have had, had nft been installed when it was started.
std::string missed_guests(House& house, const MachineSummary& row) {
  if (!house.config.isolate_clouds ||
      std::all_of(row.run->taps.begin(), row.run->taps.end(),
                  [](const std::string& tap) { return tap.empty(); }))
    return "";
  const auto machine = house.registry().machine(row.uuid);
  if (!machine || !machine->run) return "";
  std::vector<GuestNic> nics;
  for (const GuestNic& all : guests_of(house, machine->spec, machine->run->taps)) {
    if (!all.isolated) continue;
    // The rest of its spec is what it is to have from its next start.
    GuestNic nic;
    nic.tap = all.tap;
    nic.mark = all.mark;
    nic.cloud = all.cloud;
    nic.mac = all.mac;
    nic.isolated = true;
    nic.routed = all.routed;
    nic.ip = all.ip;
    nic.ipv6 = all.ipv6;
    nics.push_back(std::move(nic));
  }
  return guests_to_json(nics);
}

bool runs_unguarded(House& house, const MachineSummary& row) {
  return row.run && row.run->guests.empty() && row.run->boot_id == house.boot_id &&
         is_alive(house, row.uuid);
}

void add_missed(House& house) {
  for (const MachineSummary& row : house.registry().runs()) {
    if (!runs_unguarded(house, row)) continue;
    const std::string guests = missed_guests(house, row);
    if (guests.empty()) continue;
    house.open_for_change();
    Transaction transaction = house.registry().begin();
    transaction.change_guests(row.uuid, guests);
    transaction.commit();
  }
}

/// True when a table shows less with a NIC's mark than its rules have.
bool lacks(const std::string& listing, const std::string& rules, const GuestNic& nic) {
  const std::string comment = "comment \"" + nic.mark + "\"";
  const auto count = [&](const std::string& text) {
    std::size_t times = 0;
    for (std::size_t at = 0; (at = text.find(comment, at)) != std::string::npos; ++at) ++times;
    return times;
  };
  return count(listing) < count(rules);
}

}  // namespace

std::vector<GuardedRun> guarded_runs(House& house, const Uuid& leaving) {
  std::vector<GuardedRun> runs;
  for (MachineSummary& row : house.registry().runs()) {
    if (!row.run || row.run->guests.empty() || row.uuid == leaving ||
        row.run->boot_id != house.boot_id || !is_alive(house, row.uuid))
      continue;
    runs.push_back({row.uuid, row.name, std::move(row.run->guests)});
  }
  return runs;
}

std::vector<GuestNic> nics_of(const std::vector<GuardedRun>& runs) {
  std::vector<GuestNic> all;
  for (const GuardedRun& run : runs)
    for (GuestNic& nic : guests_from_json(run.guests)) all.push_back(std::move(nic));
  return all;
}

void note_standing(FirewallNote& note, const Uuid& uuid, const std::string& guests,
                   const Groups& groups) {
  note.standing[uuid.text] = digest(guests);
  for (const GuestNic& nic : guests_from_json(guests))
    for (const std::string& name : nic.groups)
      if (const auto group = groups.find({nic.cloud, name}); group != groups.end())
        note.standing.emplace(key_of(group->second), digest_of(group->second));
}

void note_standing(FirewallNote& note, const GroupRow& group) {
  note.standing[key_of(group)] = digest_of(group);
}

std::vector<std::string> unguarded_machines(House& house) {
  std::vector<MachineSummary> steady = house.registry().runs();
  std::erase_if(steady, [&](const MachineSummary& row) {
    return !row.run || row.run->guests.empty() || is_at_work_on(house, row.uuid) ||
           !is_alive(house, row.uuid);
  });
  if (steady.empty()) return {};
  // Only now: what a start has ended before is in the note and in the tables.
  const FirewallNote note = read_firewall_note(house);
  const Groups groups = groups_of(house.registry().groups());
  std::string bridge, inet;
  if (!note.bridge_table.empty()) bridge = host::list_table(note.bridge_table, "bridge");
  if (!note.table.empty()) inet = host::list_table(note.table, "inet");
  std::vector<std::string> names;
  for (const MachineSummary& row : steady) {
    const auto nics = guests_from_json(row.run->guests);
    const bool lacking = std::any_of(nics.begin(), nics.end(), [&](const GuestNic& nic) {
      return lacks(bridge, render_guests({"b", ""}, {nic}, groups), nic) ||
             lacks(inet, render_guests({"", "i"}, {nic}, groups), nic);
    });
    if (!lacking || is_at_work_on(house, row.uuid) || !is_alive(house, row.uuid)) continue;
    // It may have been stopped, and started anew, while its rules were listed.
    const auto now = house.registry().machine(row.uuid);
    if (now && now->run == row.run) names.push_back(to_string(row.name));
  }
  return names;
}

std::vector<GuestNic> standing_beside(House& house, const FirewallNote& note, const Uuid& uuid,
                                      const std::vector<GuestNic>& nics) {
  constexpr std::size_t enough = 16;
  std::vector<GuestNic> others;
  if (nics.empty()) return others;
  for (const MachineSummary& row : house.registry().runs()) {
    if (others.size() >= enough) break;
    if (row.name.cloud != nics.front().cloud || row.uuid == uuid || !row.run ||
        !note.standing.contains(row.uuid.text))
      continue;
    for (GuestNic& nic : guests_from_json(row.run->guests)) others.push_back(std::move(nic));
  }
  return others;
}

std::vector<std::string> guard_drift(House& house) {
  std::vector<std::string> drift;
  const FirewallNote note = read_firewall_note(house);
  if (!house.root || (note.empty() && !anything_runs(house)) || !host::find_program("nft"))
    return drift;
  std::set<std::string> wanted, addresses;
  const std::set<std::string> busy = busy_machines(house);
  for (const MachineSummary& row : house.registry().runs()) {
    if (busy.contains(row.uuid.text) || !runs_unguarded(house, row)) continue;
    if (!missed_guests(house, row).empty())
      drift.push_back(fmt::format("{} runs without its rules", to_string(row.name)));
  }
  for (const GuardedRun& run : guarded_runs(house)) {
    wanted.insert(run.uuid.text);
    const auto standing = note.standing.find(run.uuid.text);
    if (!busy.contains(run.uuid.text) &&
        (standing == note.standing.end() || standing->second != digest(run.guests)))
      drift.push_back(
          fmt::format("the rules of {} are not those that it is to have", to_string(run.name)));
    if (note.addresses.empty()) continue;
    for (const GuestNic& nic : guests_from_json(run.guests))
      for (const Ipv4 address : nic.publics) addresses.insert(to_string(address));
  }
  for (const GroupRow& group : house.registry().groups()) {
    const auto standing = note.standing.find(key_of(group));
    if (standing != note.standing.end() && standing->second != digest_of(group))
      drift.push_back(
          fmt::format("the rules of the group {} are not those that it is to have", key_of(group)));
  }
  for (const auto& [key, value] : note.standing) {
    if (key.find('/') != std::string::npos || wanted.contains(key)) continue;
    // The registry has lost it, and `recover` finds it again: until then its rules stay.
    if (key != half && is_alive(house, Uuid{key})) return {};
    if (!busy.contains(key) && (key != half || busy.empty()))
      drift.push_back("rules stand that no machine is to have");
  }
  for (const HeldAddress& one : note.addresses)
    if (busy.empty() && !addresses.contains(one.address))
      drift.push_back(fmt::format("the public address {} is on {} and leads to no machine",
                                  one.address, one.link));
  return drift;
}

bool mend_drift(House& house) {
  if (guard_drift(house).empty()) return false;  // another has done it
  if (firewall_is_of_later_day(house)) {
    house.reporter.warn(
        "the firewall is left as it is, as the registry is older than what is kept beside it; "
        "`nutshell recover` brings both together");
    return false;
  }
  add_missed(house);
  restore_guests(house);
  drop_stray_addresses(house);
  // A registry that has none may have lost them: what is kept is then what `recover` reads.
  if (!house.registry().groups().empty() || !house.registry().addresses().empty())
    follow_firewall(house);
  return true;
}

}  // namespace nutshell
