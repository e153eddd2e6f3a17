// What forwarding was before us is noted before it is changed; what somebody has changed since is
// his.
#include "app/forwarding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/adoption.hpp"
#include "app/start.hpp"
#include "host/files.hpp"
#include "host/nft.hpp"
#include "host/observe.hpp"
#include "nutshell/error.hpp"
#include "nutshell/firewall.hpp"

namespace nutshell {
namespace {

using Settings = FirewallNote::Settings;

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
    if (!name.starts_with("nutshell")) continue;
    const auto table = host::find_table(name);
    if (table && !has_mark(table->comment, own_mark(house)) && has_word(table->comment, word))
      return true;
  }
  return false;
}

struct Family {
  Settings FirewallNote::*noted;
  bool Forwarding::*forwards;
  Settings (*find_settings)(const host::LinkNames&);
  const char *word, *name, *setting;
  bool FirewallNote::*needed;
};
constexpr Family families[] = {
    {&FirewallNote::ipv4, &Forwarding::ipv4, host::settings_to_forward_ipv4, "ipv4", "IPv4",
     "net/ipv4/ip_forward", &FirewallNote::needs_ipv4},
    {&FirewallNote::ipv6, &Forwarding::ipv6, host::settings_to_forward_ipv6, "ipv6", "IPv6",
     "net/ipv6/conf/all/forwarding", &FirewallNote::needs_ipv6},
};

/// What is noted of that family's forwarding, before anything is changed.
void note_family(House& house, FirewallNote& note, const Family& family) {
  Settings& settings = note.*family.noted;
  if (!settings.empty()) return;
  settings = family.find_settings(isolated_bridges(house));
  if (!settings.empty())
    house.reporter.note(fmt::format(
        "{} forwarding was off on this host; it is on while a network needs it", family.name));
  else if (another_forwards(house, family.word))
    settings = {{family.setting, "0", "1"}};
  if (!settings.empty()) write_firewall_note(house, note);
}

void stop_family(House& house, FirewallNote& note, const Family& family) {
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

}  // namespace

Forwarding note_forwarding(House& house, FirewallNote& note, const Forwarding& wanted) {
  Forwarding noted;
  for (const Family& family : families) {
    if (!(wanted.*family.forwards)) continue;
    note_family(house, note, family);
    noted.*family.forwards = !(note.*family.noted).empty();
  }
  return noted;
}

bool follow_forwarding(House& house, FirewallNote& note, const Forwarding& wanted) {
  bool changed = false;
  for (const Family& family : families) {
    note.*family.needed = wanted.*family.forwards;
    if (!(wanted.*family.forwards)) {
      stop_family(house, note, family);
      continue;
    }
    const Settings settings = family.find_settings(isolated_bridges(house));
    host::apply_settings(settings);
    changed = changed || !settings.empty();
  }
  return changed;
}

std::vector<std::string> forwarding_faults(const FirewallNote& note) {
  std::vector<std::string> faults;
  for (const Family& family : families)
    if (note.*family.needed &&
        host::read_file("/proc/sys/" + std::string(family.setting)).value_or("").starts_with("0"))
      faults.push_back(fmt::format("{} forwarding is off, which a network needs", family.name));
  return faults;
}

/// The host's bridges that were made isolated: their notes say so (state/bridges/NAME.json). One of
/// that name without our mark is somebody else's.
std::vector<std::string> isolated_bridges(House& house) {
  std::vector<std::string> names;
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

}  // namespace nutshell
