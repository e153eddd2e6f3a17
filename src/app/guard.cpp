// One more machine is one transaction that names only what is its, so nothing is listed before.
// Whether the tables are there is told by the note, and by nft itself, which refuses to add to what
// is not there; only then they are made anew, with what all running machines have in them.
#include "app/guard.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/firewall.hpp"
#include "app/firewall_note.hpp"
#include "app/flows.hpp"
#include "app/guard_standing.hpp"
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
bool put_in(House& house, const FirewallNote& note, const Uuid& uuid,
            const std::vector<GuestNic>& nics, const std::string& before = "") {
  if (!is_known(house, note) || (any_routed(nics) && note.table.empty())) return false;
  try {
    host::apply_rules(before + render_guests(tables_of(note, nics), nics,
                                             groups_of(house.registry().groups()),
                                             standing_beside(house, note, uuid, nics)));
    return true;
  } catch (const CommandFailed& error) {
    if (!met_another(error)) throw;
    return false;
  }
}

/// The note is the caller's to write.
void drop_bridge_table(House& house, FirewallNote& note) {
  if (note.bridge_table.empty()) return;
  drop_own_table(house, "bridge", note.bridge_table);
  note.bridge_table = note.bridge_made = note.bridge_listing = "";
}

void take_out(const GuardTables& tables, const std::vector<GuestNic>& nics,
              const std::vector<GuestNic>& rest, const Groups& groups) {
  if (tables.bridge.empty() && tables.inet.empty()) return;
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

/// What becomes of the table of the networks: completed, or made anew so that nothing stale stays.
enum class Inet { completed, renewed };

/// Everything of all machines that run, and of one that is about to, whatever is there.
void make_anew(House& house, Inet inet, const Uuid& entering = {}, const std::string& guests = "") {
  std::vector<GuestNic> all;
  Groups groups;
  const auto look = [&] {
    std::vector<GuardedRun> runs = guarded_runs(house, entering);
    if (!guests.empty()) runs.push_back({entering, {}, guests});
    all = nics_of(runs);
    groups = groups_of(house.registry().groups());
    return runs;
  };
  {
    const host::Lock lock = lock_firewall(house);
    FirewallNote note = read_firewall_note(house);
    const std::vector<GuardedRun> runs = look();
    if (inet == Inet::renewed) note.listing.clear();
    if (!all.empty()) {
      make_bridge_table(house, note, all);
    } else {
      drop_bridge_table(house, note);
    }
    note.standing.clear();
    for (const GuardedRun& run : runs) note_standing(note, run.uuid, run.guests, groups);
    const bool done = inet == Inet::completed ? !any_routed(all) : note.table.empty();
    if (!done) note.standing[half] = half;
    write_firewall_note(house, note);
    if (done) return;
  }
  refresh_networks(house);
  const host::Lock lock = lock_firewall(house);
  FirewallNote note = read_firewall_note(house);
  look();
  if (!note.table.empty() && any_routed(all))
    host::apply_rules(render_guests({"", note.table, BridgeTracking::no}, all, groups));
  note.standing.erase(half);
  write_firewall_note(house, note);
}

/// A kernel without nftables for bridges had machines on bridges before there were these rules.
/// Called where `error` was caught.
void warn_or_throw(House& house, const std::vector<GuestNic>& nics, const CommandFailed& error) {
  if (std::any_of(nics.begin(), nics.end(), is_asked_for)) throw;
  house.reporter.warn(
      fmt::format("machines of other clouds on its bridge see it: {}", error.what()));
}

/// It was tried, and is not tried again by each that looks.
void note_tried(House& house, const Uuid& uuid, const std::string& guests) {
  const host::Lock lock = lock_firewall(house);
  FirewallNote note = read_firewall_note(house);
  note_standing(note, uuid, guests, groups_of(house.registry().groups()));
  write_firewall_note(house, note);
}

}  // namespace

std::vector<GuestNic> guests_up(House& house, const Uuid& leaving) {
  return nics_of(guarded_runs(house, leaving));
}

void guard_machine(House& house, const GuardMachine& step) {
  const std::vector<GuestNic> nics = guests_from_json(step.guests);
  try {
    bool done = false;
    {
      const host::Lock lock = lock_firewall(house);
      FirewallNote note = read_firewall_note(house);
      done = put_in(house, note, step.uuid, nics);
      if (done) {
        note_standing(note, step.uuid, step.guests, groups_of(house.registry().groups()));
        write_firewall_note(house, note);
      }
    }
    if (!done) make_anew(house, Inet::completed, step.uuid, step.guests);
  } catch (const CommandFailed& error) {
    warn_or_throw(house, nics, error);
    note_tried(house, step.uuid, step.guests);
  }
  take_addresses(house, nics);
  end_flows_before(nics);
}

void unguard_machine(House& house, const UnguardMachine& step) {
  const std::vector<GuestNic> nics = guests_from_json(step.guests);
  give_addresses(house, nics);
  {
    const host::Lock lock = lock_firewall(house);
    FirewallNote note = read_firewall_note(house);
    const std::vector<GuestNic> rest = guests_up(house, step.uuid);
    note.standing.erase(step.uuid.text);
    if (rest.empty()) {
      note.standing.clear();
      drop_bridge_table(house, note);
    }
    write_firewall_note(house, note);
    take_out(tables_of(note, nics), nics, rest, groups_of(house.registry().groups()));
  }
  end_flows_after(nics);
}

void guard_group(House& house, const GroupRow& group) {
  const host::Lock lock = lock_firewall(house);
  FirewallNote note = read_firewall_note(house);
  const std::string rules =
      render_group({note.bridge_table, note.table, BridgeTracking::no}, group, guests_up(house));
  if (rules.empty()) {
    note.standing.erase(group.cloud + "/" + group.name);
  } else {
    host::apply_rules(rules);
    note_standing(note, group);
  }
  write_firewall_note(house, note);
}

void change_guests(House& house, const Uuid& uuid, const std::vector<GuestNic>& before,
                   const std::vector<GuestNic>& after) {
  give_addresses(house, before, after);
  bool done = false;
  {
    const host::Lock lock = lock_firewall(house);
    FirewallNote note = read_firewall_note(house);
    // Until the addresses are where they belong, too, it is not done.
    note.standing.erase(uuid.text);
    write_firewall_note(house, note);
    done = put_in(house, note, uuid, after,
                  render_guests_removal(tables_of(note, before), before, guests_up(house, uuid),
                                        groups_of(house.registry().groups())));
  }
  const std::string guests = guests_to_json(after);
  if (!done) make_anew(house, Inet::renewed, uuid, guests);
  take_addresses(house, after);
  end_flows_between(before, after);
  note_tried(house, uuid, guests);
}

void forget_guests(House& house) {
  const host::Lock lock = lock_firewall(house);
  FirewallNote note = read_firewall_note(house);
  if (note.bridge_table.empty()) return;
  note.bridge_table = note.bridge_made = note.bridge_listing = "";
  note.standing.clear();
  write_firewall_note(house, note);
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
  const std::vector<GuardedRun> runs = guarded_runs(house);
  const std::vector<GuestNic> all = nics_of(runs);
  try {
    make_anew(house, Inet::renewed);
  } catch (const CommandFailed& error) {
    warn_or_throw(house, all, error);
    for (const GuardedRun& run : runs) note_tried(house, run.uuid, run.guests);
  }
  take_addresses(house, all);
}

}  // namespace nutshell
