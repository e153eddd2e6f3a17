// One more machine is one transaction that names only what is its, so nothing is listed before.
// Whether the tables are there is told by the note, and by nft itself, which refuses to add to what
// is not there; only then they are made anew, with what all running machines have in them.
#include "app/guard.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/firewall.hpp"
#include "app/firewall_note.hpp"
#include "app/machine_state.hpp"
#include "app/network.hpp"
#include "app/public_address.hpp"
#include "nutshell/error.hpp"
#include "nutshell/firewall.hpp"

namespace nutshell {
namespace {

constexpr int most_tries = 5;  // each fails only because somebody changed the tables meanwhile

bool any_routed(const std::vector<GuestNic>& nics) {
  return std::any_of(nics.begin(), nics.end(), [](const GuestNic& nic) { return nic.routed; });
}

/// More than that other clouds do not see it, which is so by default.
bool is_asked_for(const GuestNic& nic) {
  return nic.guarded || nic.routed || nic.rate || !nic.groups.empty();
}

BridgeTracking tracking_for(const std::vector<GuestNic>& nics) {
  const bool asked = std::any_of(nics.begin(), nics.end(),
                                 [](const GuestNic& nic) { return !nic.groups.empty(); });
  return asked && host::bridges_track_connections() ? BridgeTracking::yes : BridgeTracking::no;
}

/// The tables as the note knows them.
GuardTables tables_of(const FirewallNote& note, const std::vector<GuestNic>& nics) {
  return {note.bridge_table, any_routed(nics) ? note.table : "", tracking_for(nics)};
}

Firewall bridge_firewall(House& house) {
  Firewall firewall;
  firewall.mark = own_mark(house);
  firewall.groups = groups_of(house.registry().groups());
  return firewall;
}

bool is_known(House& house, const FirewallNote& note) {
  return !note.bridge_table.empty() &&
         note.bridge_made == bridge_firewall_comment(bridge_firewall(house));
}

/// The table of the bridges anew, with these machines in it.
void make_bridge_table(House& house, FirewallNote& note, const std::vector<GuestNic>& nics) {
  Firewall firewall = bridge_firewall(house);
  firewall.guests = nics;
  for (int i = 1;; ++i) {
    const TablePlace place = i == 1 && note.bridge_table.empty()
                                 ? usual_place(house)
                                 : find_table_place(house, "bridge", note.bridge_table);
    firewall.table = place.name;
    note.bridge_table = place.name;
    note.bridge_made = bridge_firewall_comment(firewall);
    write_firewall_note(house, note);
    try {
      host::apply_rules(
          render_bridge_firewall(firewall, tracking_for(nics),
                                 place.ours ? std::optional(place.ours->handle) : std::nullopt));
      const auto made = host::find_table(place.name, "bridge");
      note.bridge_listing = made ? made->digest : "";
      return write_firewall_note(house, note);
    } catch (const CommandFailed& error) {
      if (i == most_tries || !met_another(error)) throw;
    }
  }
}

/// True when it was possible with the tables that are there.
bool put_in(House& house, const FirewallNote& note, const std::vector<GuestNic>& nics,
            const std::string& before = "") {
  if (!is_known(house, note) || (any_routed(nics) && note.table.empty())) return false;
  try {
    host::apply_rules(
        before + render_guests(tables_of(note, nics), nics, groups_of(house.registry().groups())));
    return true;
  } catch (const CommandFailed& error) {
    if (!met_another(error)) throw;
    return false;
  }
}

/// Everything of these machines and of all others that run, whatever is there.
void make_anew(House& house, const std::vector<GuestNic>& all) {
  {
    const host::Lock lock = lock_firewall(house);
    FirewallNote note = read_firewall_note(house);
    make_bridge_table(house, note, all);
  }
  if (!any_routed(all)) return;
  refresh_networks(house);
  const host::Lock lock = lock_firewall(house);
  const FirewallNote note = read_firewall_note(house);
  if (!note.table.empty())
    host::apply_rules(render_guests({"", note.table, BridgeTracking::no}, all,
                                    groups_of(house.registry().groups())));
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

std::vector<GuestNic> joined(std::vector<GuestNic> one, const std::vector<GuestNic>& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

}  // namespace

std::vector<GuestNic> guests_up(House& house, const Uuid& leaving) {
  std::vector<GuestNic> all;
  for (const MachineSummary& row : house.registry().summaries()) {
    if (!row.run || row.run->guests.empty() || row.uuid == leaving ||
        row.run->boot_id != house.boot_id || !is_alive(house, row.uuid))
      continue;
    all = joined(std::move(all), guests_from_json(row.run->guests));
  }
  return all;
}

void guard_machine(House& house, const GuardMachine& step) {
  const std::vector<GuestNic> nics = guests_from_json(step.guests);
  try {
    bool done = false;
    {
      const host::Lock lock = lock_firewall(house);
      done = put_in(house, read_firewall_note(house), nics);
    }
    if (!done) make_anew(house, joined(guests_up(house, step.uuid), nics));
  } catch (const CommandFailed& error) {
    // A kernel without nftables for bridges had machines on bridges before there were these rules.
    if (std::any_of(nics.begin(), nics.end(), is_asked_for)) throw;
    house.reporter.warn(
        fmt::format("machines of other clouds on its bridge see it: {}", error.what()));
  }
  take_addresses(house, nics);
}

void unguard_machine(House& house, const UnguardMachine& step) {
  const std::vector<GuestNic> nics = guests_from_json(step.guests);
  const std::vector<GuestNic> rest = guests_up(house, step.uuid);
  give_addresses(house, nics);
  const host::Lock lock = lock_firewall(house);
  FirewallNote note = read_firewall_note(house);
  GuardTables tables = tables_of(note, nics);
  if (rest.empty() && !note.bridge_table.empty()) {
    drop_own_table(house, "bridge", note.bridge_table);
    note.bridge_table = note.bridge_made = note.bridge_listing = tables.bridge = "";
    write_firewall_note(house, note);
  }
  if (tables.bridge.empty() && tables.inet.empty()) return;
  const Groups groups = groups_of(house.registry().groups());
  try {
    host::apply_rules(render_guests_removal(tables, nics, rest, groups));
  } catch (const CommandFailed& error) {
    // Somebody has taken the table away, and these rules with it.
    if (met_another(error)) return;
    // A machine that the registry has lost still needs what they shared.
    if (std::string(error.what()).find("resource busy") == std::string::npos) throw;
    host::apply_rules(render_guests_removal(tables, nics, rest, groups, Shared::keep));
  }
}

void guard_group(House& house, const GroupRow& group) {
  const std::vector<GuestNic> all = guests_up(house);
  const host::Lock lock = lock_firewall(house);
  const FirewallNote note = read_firewall_note(house);
  const std::string rules =
      render_group({note.bridge_table, note.table, BridgeTracking::no}, group, all);
  if (!rules.empty()) host::apply_rules(rules);
}

void change_guests(House& house, const Uuid& uuid, const std::vector<GuestNic>& before,
                   const std::vector<GuestNic>& after) {
  const std::vector<GuestNic> rest = guests_up(house, uuid);
  const Groups groups = groups_of(house.registry().groups());
  bool done = false;
  {
    const host::Lock lock = lock_firewall(house);
    const FirewallNote note = read_firewall_note(house);
    done = put_in(house, note, after,
                  render_guests_removal(tables_of(note, before), before, rest, groups));
  }
  if (!done) make_anew(house, joined(rest, after));
}

void forget_guests(House& house) {
  const host::Lock lock = lock_firewall(house);
  FirewallNote note = read_firewall_note(house);
  if (note.bridge_table.empty()) return;
  note.bridge_table = note.bridge_made = note.bridge_listing = "";
  write_firewall_note(house, note);
}

std::vector<std::string> unguarded_machines(House& house) {
  std::vector<std::string> names;
  const FirewallNote note = read_firewall_note(house);
  std::string bridge, inet;
  bool listed = false;
  for (const MachineSummary& row : house.registry().summaries()) {
    if (!row.run || row.run->guests.empty() || !is_alive(house, row.uuid)) continue;
    if (!std::exchange(listed, true)) {
      if (!note.bridge_table.empty()) bridge = host::list_table(note.bridge_table, "bridge");
      if (!note.table.empty()) inet = host::list_table(note.table, "inet");
    }
    const auto nics = guests_from_json(row.run->guests);
    const Groups groups = groups_of(house.registry().groups());
    if (std::any_of(nics.begin(), nics.end(), [&](const GuestNic& nic) {
          return lacks(bridge, render_guests({"b", ""}, {nic}, groups), nic) ||
                 lacks(inet, render_guests({"", "i"}, {nic}, groups), nic);
        }))
      names.push_back(to_string(row.name));
  }
  return names;
}

bool mend_guests(House& house) {
  {
    const host::Lock lock = lock_firewall(house);
    const FirewallNote note = read_firewall_note(house);
    if (note.bridge_table.empty() || guests_up(house).empty()) return false;
    const auto table = host::find_table(note.bridge_table, "bridge");
    if (table && table->digest == note.bridge_listing) return false;
  }
  restore_guests(house);
  return true;
}

void restore_guests(House& house) {
  const std::vector<GuestNic> all = guests_up(house);
  make_anew(house, all);
  take_addresses(house, all);
}

}  // namespace nutshell
