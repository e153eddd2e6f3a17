// What was changed on the host beside links is noted before it is changed, with the boot and the
// network namespace in which that is true: after a restart of the host there is nothing to take
// back, and the note says so by itself. The table carries our mark; the note only says where to
// look, and what forwarding was before us.
#include "app/firewall.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "app/adoption.hpp"
#include "app/firewall_note.hpp"
#include "app/network.hpp"
#include "app/start.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/nft.hpp"
#include "host/observe.hpp"
#include "host/sysctl.hpp"
#include "host/tool.hpp"
#include "nutshell/error.hpp"
#include "nutshell/firewall.hpp"

namespace nutshell {
namespace {

using Settings = FirewallNote::Settings;
using Note = FirewallNote;

constexpr auto lock_patience = std::chrono::seconds(60);
constexpr int most_tries = 5;  // each fails only because somebody made a table at that moment
constexpr const char* usual_table = "nutshell";

std::string folder(const House& house) { return house.paths.state + "/networks"; }

std::string own_mark(House& house) { return firewall_mark(house.registry().tag()); }

/// The names that a table of ours may have: the second one where a stranger has the first.
std::vector<std::string> names(House& house) {
  return {usual_table, fmt::format("{}-{}", usual_table, house.registry().tag())};
}

struct Place {
  std::string name;
  std::optional<host::NftTable> ours;  ///< what is there, to be replaced
};

/// Where our table is, or is to be. One that is there counts, whatever the note says; but where the
/// note is right, one call of nft tells.
Place find_place(House& house, const Note& note) {
  const auto find_ours = [&](const std::string& name) {
    auto table = host::find_table(name);
    return table && has_mark(table->comment, own_mark(house)) ? table : std::nullopt;
  };
  if (!note.table.empty())
    if (const auto table = find_ours(note.table)) return {note.table, table};
  const std::vector<std::string> there = host::list_tables();
  std::optional<std::string> free;
  for (const std::string& name : names(house)) {
    if (std::find(there.begin(), there.end(), name) == there.end()) {
      if (!free) free = name;
    } else if (const auto table = find_ours(name)) {
      return {name, table};
    }
  }
  if (free) return {*free, std::nullopt};
  throw Conflict(
      fmt::format("nftables has tables {} and {} that are not nutshell's; rename one of them",
                  names(house).front(), names(house).back()));
}

/// One try; throws CommandFailed when the table is no longer what was seen. True when there was
/// something to do.
bool put_table(House& house, Note& note, const Firewall& wanted) {
  Firewall firewall = wanted;
  const Place place = find_place(house, note);
  firewall.table = place.name;
  if (note.table != place.name) {
    note.table = place.name;
    write_firewall_note(house, note);
  }
  if (place.ours && place.ours->comment == firewall_comment(firewall) &&
      place.ours->digest == note.listing)
    return false;
  host::apply_rules(
      render_firewall(firewall, place.ours ? std::optional(place.ours->handle) : std::nullopt));
  // The comment would stay with a table whose chains were flushed; its listing does not.
  const auto made = host::find_table(place.name);
  note.listing = made ? made->digest : "";
  return true;
}

bool drop_table(House& house, Note& note) {
  if (note.table.empty()) return false;
  const auto table = host::find_table(note.table);
  if (table && has_mark(table->comment, own_mark(house)))
    host::apply_rules(render_removal(table->handle));
  note.table.clear();
  note.listing.clear();
  write_firewall_note(house, note);
  return true;
}

bool follow_table(House& house, Note& note, const Firewall& firewall) {
  for (int i = 1;; ++i) {
    try {
      const bool wanted = !firewall.networks.empty() || !firewall.closed.empty();
      return wanted ? put_table(house, note, firewall) : drop_table(house, note);
    } catch (const CommandFailed& error) {
      const std::string what = error.what();
      const bool met_another = what.find("File exists") != std::string::npos ||
                               what.find("No such file") != std::string::npos;
      if (i == most_tries || !met_another) throw;
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
  bool Note::*needed;
};
constexpr Family families[] = {
    {&Note::ipv4, &Firewall::forwards_ipv4, host::settings_to_forward_ipv4, "ipv4", "IPv4",
     "net/ipv4/ip_forward", &Note::needs_ipv4},
    {&Note::ipv6, &Firewall::forwards_ipv6, host::settings_to_forward_ipv6, "ipv6", "IPv6",
     "net/ipv6/conf/all/forwarding", &Note::needs_ipv6},
};

/// The host's bridges that were made isolated: their notes say so (state/bridges/NAME.json). One of
/// that name without our mark is somebody else's.
host::LinkNames links_that_never_forward(House& house) {
  host::LinkNames names;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(house.paths.state + "/bridges", error)) {
    const auto text = host::read_file(entry.path().string());
    const auto note = text ? Json::try_parse(*text) : std::nullopt;
    const std::string name = entry.path().stem().string();
    if (note && note->find("isolated") && note->flag("isolated") && is_plain_name(name))
      names.push_back(name);
  }
  if (names.empty()) return names;
  const Facts facts = observe_parts(house, host::part::links);
  std::erase_if(names, [&](const std::string& name) {
    const LinkFact* link = facts.link(name);
    return !link || !is_our_bridge(house, name, link->alias, to_string(link->mac));
  });
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
  if (!another_forwards(house, family.word)) {
    settings = host::still_as_we_set(std::move(settings));
    write_firewall_note(house, note);
    host::restore_settings(settings);
  }
  settings.clear();
  write_firewall_note(house, note);
}

bool leads_out(const NetworkRow& row) { return row.mode != NetworkMode::isolated; }
bool leads_out_by_ipv6(const NetworkRow& row) { return leads_out(row) && !row.ipv6.empty(); }

}  // namespace

bool follow_networks(House& house, const std::vector<NetworkRow>& up) {
  host::make_directories(folder(house));
  const host::Lock lock = host::Lock::exclusive(folder(house) + "/_host.lock", lock_patience,
                                                "the firewall of the networks");
  const Note before = read_firewall_note(house);
  Note note = before;
  Firewall firewall;
  firewall.mark = own_mark(house);
  for (const NetworkRow& row : up)
    firewall.networks.push_back({row.name, row.bridge, row.mode, row.address, row.ipv6});
  firewall.closed = links_that_never_forward(house);
  const bool wanted[] = {std::any_of(up.begin(), up.end(), leads_out),
                         std::any_of(up.begin(), up.end(), leads_out_by_ipv6)};
  for (std::size_t i = 0; i < std::size(families); ++i) {
    const Family& family = families[i];
    if (wanted[i]) note_forwarding(house, note, family);
    firewall.*family.forwards = wanted[i] && !(note.*family.noted).empty();
  }
  // From here it is known what will have to be put back.
  bool changed = follow_table(house, note, firewall);
  // From here the rules stand, so nothing is forwarded that they would refuse.
  for (std::size_t i = 0; i < std::size(families); ++i) {
    note.*families[i].needed = wanted[i];
    if (wanted[i]) {
      const Settings settings = families[i].find_settings(links_that_never_forward(house));
      host::apply_settings(settings);
      changed = changed || !settings.empty();
    } else {
      stop_forwarding(house, note, families[i]);
    }
  }
  // One of an earlier boot goes, too.
  if (note.empty() || note != before) write_firewall_note(house, note);
  return changed;
}

std::vector<std::string> firewall_faults(House& house) {
  const Note note = read_firewall_note(house);
  std::vector<std::string> faults;
  if (!note.table.empty() && house.root) {
    const auto table = host::find_table(note.table);
    if (!table)
      faults.push_back(fmt::format("the nftables table inet {} is gone", note.table));
    else if (table->digest != note.listing)
      faults.push_back(
          fmt::format("the nftables table inet {} is not as nutshell made it", note.table));
  }
  for (const Family& family : families)
    if (note.*family.needed &&
        host::read_file("/proc/sys/" + std::string(family.setting)).value_or("").starts_with("0"))
      faults.push_back(fmt::format("{} forwarding is off, which a network needs", family.name));
  return faults;
}

std::vector<std::string> isolated_bridges(House& house) { return links_that_never_forward(house); }

bool has_firewall(House& house) { return !read_firewall_note(house).empty(); }

void drop_firewall(House& house) {
  for (const std::string& name : our_tables(house))
    if (const auto table = host::find_table(name);
        table && has_mark(table->comment, own_mark(house)))
      host::apply_rules(render_removal(table->handle));
  follow_networks(house, {});
}

std::vector<std::string> our_tables(House& house) {
  std::vector<std::string> found;
  if (!house.root || !host::find_program("nft")) return found;
  for (const std::string& name : names(house)) {
    const auto table = host::find_table(name);
    if (table && has_mark(table->comment, own_mark(house))) found.push_back(name);
  }
  return found;
}

}  // namespace nutshell
