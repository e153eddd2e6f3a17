// The host is made to agree with the networks that are up: one table, made anew as a whole with
// what the machines have in it, and forwarding, whose state before us is noted before it is
// changed.
#include "app/firewall.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/firewall_note.hpp"
#include "app/guard.hpp"
#include "app/start.hpp"
#include "host/files.hpp"
#include "host/nft.hpp"
#include "host/observe.hpp"
#include "host/sysctl.hpp"
#include "host/tool.hpp"
#include "nutshell/error.hpp"
#include "nutshell/firewall.hpp"

namespace nutshell {
namespace {

using Settings = std::vector<host::Setting>;
using Note = FirewallNote;

constexpr int most_tries = 5;  // each fails only because somebody made a table at that moment
constexpr const char* usual_table = "nutshell";

/// One try; throws CommandFailed when the table is no longer what was seen.
void put_table(House& house, Note& note, const Firewall& wanted, const Uuid& leaving) {
  Firewall firewall = wanted;
  const TablePlace place = find_table_place(house, "inet");
  firewall.table = place.name;
  if (note.table != place.name) {
    note.table = place.name;
    write_firewall_note(house, note);
  }
  if (place.ours && place.ours->comment == firewall_comment(firewall)) return;
  firewall.guests = guests_up(house, leaving);
  firewall.groups = groups_of(house.registry().groups());
  host::apply_rules(
      render_firewall(firewall, place.ours ? std::optional(place.ours->handle) : std::nullopt));
}

void drop_table(House& house, Note& note) {
  if (note.table.empty()) return;
  drop_own_table(house, "inet", note.table);
  note.table.clear();
  write_firewall_note(house, note);
}

void follow_table(House& house, Note& note, const Firewall& firewall, const Uuid& leaving) {
  for (int i = 1;; ++i) {
    try {
      return firewall.networks.empty() ? drop_table(house, note)
                                       : put_table(house, note, firewall, leaving);
    } catch (const CommandFailed& error) {
      if (i == most_tries || !met_another(error)) throw;
    }
  }
}

/// Another registry's network is up here and lives on forwarding that was off before nutshell came,
/// as its table says: then it will put it off. Two that leave at once have no tables any more when
/// they ask, and both do.
bool another_forwards(House& house, const char* word) {
  const std::string start = network_mark(""), ending = ":" + house.registry().tag();
  const Facts facts = observe_parts(house, host::part::links);
  if (std::none_of(facts.links.begin(), facts.links.end(), [&](const LinkFact& link) {
        return link.alias.starts_with(start) && !link.alias.ends_with(ending);
      }))
    return false;
  for (const std::string& name : host::list_tables()) {
    if (!name.starts_with(usual_table)) continue;
    const auto table = host::find_table(name);
    if (table && !has_mark(table->comment, own_mark(house)) && has_word(table->comment, word))
      return true;
  }
  return false;
}

struct Family {
  Settings Note::*noted;
  bool Firewall::*forwards;
  Settings (*find_settings)(const host::LinkNames&);
  const char *word, *name, *setting;
};
constexpr Family families[] = {
    {&Note::ipv4, &Firewall::forwards_ipv4, host::settings_to_forward_ipv4, "ipv4", "IPv4",
     "net/ipv4/ip_forward"},
    {&Note::ipv6, &Firewall::forwards_ipv6, host::settings_to_forward_ipv6, "ipv6", "IPv6",
     "net/ipv6/conf/all/forwarding"},
};

/// The host's bridges that were made isolated: their notes say so (state/bridges/NAME.json).
host::LinkNames links_that_never_forward(const House& house) {
  host::LinkNames names;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(house.paths.state + "/bridges", error)) {
    const auto text = host::read_file(entry.path().string());
    const auto note = text ? Json::try_parse(*text) : std::nullopt;
    if (note && note->flag("isolated")) names.push_back(entry.path().stem().string());
  }
  return names;
}

/// What is noted of that family's forwarding, before anything is changed.
void note_forwarding(House& house, Note& note, const Family& family) {
  Settings& settings = note.*family.noted;
  if (!settings.empty()) return;
  settings = family.find_settings(links_that_never_forward(house));
  if (!settings.empty())
    house.reporter.note(fmt::format(
        "{} forwarding was off on this host; it is on while a network needs it", family.name));
  else if (another_forwards(house, family.word))
    settings = {{family.setting, "0", "1"}};
  if (!settings.empty()) write_firewall_note(house, note);
}

void stop_forwarding(House& house, Note& note, const Family& family) {
  Settings& settings = note.*family.noted;
  if (settings.empty()) return;
  if (!another_forwards(house, family.word)) host::restore_settings(settings);
  settings.clear();
  write_firewall_note(house, note);
}

bool leads_out(const NetworkRow& row) { return row.mode != NetworkMode::isolated; }
bool leads_out_by_ipv6(const NetworkRow& row) { return leads_out(row) && !row.ipv6.empty(); }

}  // namespace

void follow_networks(House& house, const std::vector<NetworkRow>& up, const Uuid& leaving) {
  const host::Lock lock = lock_firewall(house);
  Note note = read_firewall_note(house);
  Firewall firewall;
  firewall.mark = own_mark(house);
  for (const NetworkRow& row : up)
    firewall.networks.push_back({row.name, row.bridge, row.mode, row.address, row.ipv6});
  const bool wanted[] = {std::any_of(up.begin(), up.end(), leads_out),
                         std::any_of(up.begin(), up.end(), leads_out_by_ipv6)};
  for (std::size_t i = 0; i < std::size(families); ++i) {
    const Family& family = families[i];
    if (wanted[i]) note_forwarding(house, note, family);
    firewall.*family.forwards = wanted[i] && !(note.*family.noted).empty();
  }
  // From here it is known what will have to be put back.
  follow_table(house, note, firewall, leaving);
  // From here the rules stand, so nothing is forwarded that they would refuse.
  for (std::size_t i = 0; i < std::size(families); ++i) {
    if (wanted[i])
      host::apply_settings(families[i].find_settings(links_that_never_forward(house)));
    else
      stop_forwarding(house, note, families[i]);
  }
  if (note.empty()) write_firewall_note(house, note);  // one of an earlier boot goes, too
}

bool has_firewall(House& house) {
  const Note note = read_firewall_note(house);
  return !note.table.empty() || !note.ipv4.empty() || !note.ipv6.empty();
}

void drop_firewall(House& house) {
  const bool none = guests_up(house).empty();
  for (const OurTable& table : our_tables(house))
    if (none || table.family == "inet") drop_own_table(house, table.family, table.name);
  follow_networks(house, {});
  if (none) forget_guests(house);
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
