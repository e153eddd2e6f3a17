// The host is made to agree with the networks that are up: one table, made anew as a whole with
// what the machines have in it, and forwarding.
#include "app/firewall.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/firewall_note.hpp"
#include "app/forwarding.hpp"
#include "app/guard.hpp"
#include "app/network_up.hpp"
#include "app/public_address.hpp"
#include "host/nft.hpp"
#include "host/tool.hpp"
#include "nutshell/error.hpp"
#include "nutshell/firewall.hpp"

namespace nutshell {
namespace {

using Note = FirewallNote;

constexpr int most_tries = 5;  // each fails only because somebody made a table at that moment

/// One try; throws CommandFailed when the table is no longer what was seen. True when there was
/// something to do.
bool put_table(House& house, Note& note, const Firewall& wanted, const Uuid& leaving, bool first) {
  Firewall firewall = wanted;
  const TablePlace place = first && note.table.empty()
                               ? usual_place(house)
                               : find_table_place(house, "inet", note.table);
  firewall.table = place.name;
  if (note.table != place.name) {
    note.table = place.name;
    write_firewall_note(house, note);
  }
  if (place.ours && place.ours->comment == firewall_comment(firewall) &&
      place.ours->digest == note.listing)
    return false;
  firewall.guests = guests_up(house, leaving);
  firewall.groups = groups_of(house.registry().groups());
  host::apply_rules(
      render_firewall(firewall, place.ours ? std::optional(place.ours->handle) : std::nullopt));
  // The comment would stay with a table whose chains were flushed; its listing does not.
  const auto made = host::find_table(place.name, "inet");
  note.listing = made ? made->digest : "";
  return true;
}

bool drop_table(House& house, Note& note) {
  if (note.table.empty()) return false;
  drop_own_table(house, "inet", note.table);
  note.table.clear();
  note.listing.clear();
  write_firewall_note(house, note);
  return true;
}

bool follow_table(House& house, Note& note, const Firewall& firewall, const Uuid& leaving) {
  for (int i = 1;; ++i) {
    try {
      const bool wanted = !firewall.networks.empty() || !firewall.closed.empty();
      return wanted ? put_table(house, note, firewall, leaving, i == 1) : drop_table(house, note);
    } catch (const CommandFailed& error) {
      if (i == most_tries || !met_another(error)) throw;
    }
  }
}

bool leads_out(const NetworkRow& row) { return row.mode != NetworkMode::isolated; }
bool leads_out_by_ipv6(const NetworkRow& row) { return leads_out(row) && !row.ipv6.empty(); }

/// "the nftables table inet nutshell is gone"; empty where it is as it was made.
std::string table_fault(const std::string& family, const std::string& name,
                        const std::string& listing) {
  const auto table = host::find_table(name, family);
  if (!table) return fmt::format("the nftables table {} {} is gone", family, name);
  if (table->digest == listing) return "";
  return fmt::format("the nftables table {} {} is not as nutshell made it", family, name);
}

}  // namespace

bool follow_networks(House& house, const std::vector<NetworkRow>& up, const Uuid& leaving) {
  const host::Lock lock = lock_firewall(house);
  const Note before = read_firewall_note(house);
  Note note = before;
  Firewall firewall;
  firewall.mark = own_mark(house);
  for (const NetworkRow& row : up)
    firewall.networks.push_back({row.name, row.bridge, row.mode, row.address, row.ipv6});
  firewall.closed = isolated_bridges(house);
  const Forwarding wanted{std::any_of(up.begin(), up.end(), leads_out),
                          std::any_of(up.begin(), up.end(), leads_out_by_ipv6)};
  const Forwarding noted = note_forwarding(house, note, wanted);
  firewall.forwards_ipv4 = noted.ipv4;
  firewall.forwards_ipv6 = noted.ipv6;
  // From here it is known what will have to be put back.
  const bool renewed = follow_table(house, note, firewall, leaving);
  // From here the rules stand, so nothing is forwarded that they would refuse.
  const bool put_on = follow_forwarding(house, note, wanted);
  // One of an earlier boot goes, too.
  if (note.empty() || note != before) write_firewall_note(house, note);
  return renewed || put_on;
}

std::vector<std::string> firewall_faults(House& house) {
  const Note note = read_firewall_note(house);
  std::vector<std::string> faults = forwarding_faults(note);
  if (!house.root) return faults;
  for (std::string& fault : address_faults(house)) faults.push_back(std::move(fault));
  const auto look = [&](const char* family, const std::string& name, const std::string& listing) {
    if (name.empty()) return;
    if (std::string fault = table_fault(family, name, listing); !fault.empty())
      faults.push_back(std::move(fault));
  };
  look("inet", note.table, note.listing);
  look("bridge", note.bridge_table, note.bridge_listing);
  return faults;
}

bool has_firewall(House& house) {
  const Note note = read_firewall_note(house);
  return !note.table.empty() || !note.ipv4.empty() || !note.ipv6.empty();
}

void drop_firewall(House& house) {
  {
    // A start has its run in the registry before it asks for the tables, under this lock.
    const host::Lock lock = lock_firewall(house);
    if (!networks_up(house, Uuid{}).empty() || !isolated_bridges(house).empty()) return;
    const bool none = guests_up(house).empty();
    for (const OurTable& table : our_tables(house))
      if (none || table.family == "inet") drop_own_table(house, table.family, table.name);
  }
  follow_networks(house, networks_up(house, Uuid{}));
  if (guests_up(house).empty()) forget_guests(house);
}

std::vector<OurTable> our_tables(House& house) {
  std::vector<OurTable> found;
  if (!house.root || !host::find_program("nft")) return found;
  for (const char* family : {"inet", "bridge"})
    for (const std::string& name : table_names(house)) {
      const auto table = host::find_table(name, family);
      if (table && has_mark(table->comment, own_mark(house))) found.push_back({family, name});
    }
  return found;
}

}  // namespace nutshell
