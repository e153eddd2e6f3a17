// After a restart of the host there is nothing to take back, and the note says so by itself: it has
// the boot and the network namespace in which it is true. The tables carry our mark; the note only
// says where to look.
#include "app/firewall_note.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "app/network.hpp"
#include "host/files.hpp"
#include "host/runtime_file.hpp"
#include "nutshell/error.hpp"
#include "nutshell/firewall.hpp"

namespace nutshell {
namespace {

using Settings = FirewallNote::Settings;

constexpr auto lock_patience = std::chrono::seconds(60);
constexpr const char* usual_table = "nutshell";

// No network's name begins like this, so neither is a network's note or lock.
std::string note_file(const House& house) { return house.paths.state + "/networks/_host.note"; }
std::string lock_file(const House& house) { return house.paths.state + "/networks/_host.lock"; }

Json json_of(const Settings& settings) {
  Json list = Json::array();
  for (const host::Setting& each : settings)
    list.push(Json::object({{"path", each.path}, {"before", each.before}, {"after", each.after}}));
  return list;
}

Settings settings_of(const Json& list) {
  Settings settings;
  for (const Json& each : list.as_array())
    settings.push_back({each.text("path"), each.text("before"), each.text("after")});
  return settings;
}

std::string namespace_here() { return std::to_string(host::network_namespace()); }

/// An earlier version did not write everything.
std::string text_of(const Json& json, const char* key) {
  return json.find(key) ? json.text(key) : "";
}

}  // namespace

host::Lock lock_firewall(const House& house) {
  host::make_directories(house.paths.state + "/networks");
  return host::Lock::exclusive(lock_file(house), lock_patience, "the firewall");
}

FirewallNote read_firewall_note(const House& house) {
  const auto text = host::read_file(note_file(house));
  if (!text) return {};
  const auto parsed = Json::try_parse(*text);
  if (!parsed) return {};  // cut short by a crash of the host, so it was of an earlier boot
  const Json& json = *parsed;
  if (json.text("boot_id") != house.boot_id || json.text("network_namespace") != namespace_here())
    return {};
  FirewallNote note;
  note.table = json.text("table");
  note.listing = json.text("listing");
  note.bridge_table = text_of(json, "bridge_table");
  note.bridge_made = text_of(json, "bridge_made");
  note.bridge_listing = text_of(json, "bridge_listing");
  note.ipv4 = settings_of(json.at("ipv4"));
  note.ipv6 = settings_of(json.at("ipv6"));
  note.needs_ipv4 = json.flag("needs_ipv4");
  note.needs_ipv6 = json.flag("needs_ipv6");
  if (const Json* held = json.find("addresses"))
    for (const Json& one : held->as_array())
      note.addresses.push_back({one.text("address"), one.text("link")});
  if (const Json* standing = json.find("standing"))
    for (const Json& one : standing->as_array()) note.standing[one.text("of")] = one.text("digest");
  return note;
}

void write_firewall_note(const House& house, const FirewallNote& note) {
  const host::Lock lock = lock_notes(house);
  if (note.empty()) return host::drop_file(note_file(house));
  Json held = Json::array();
  for (const HeldAddress& one : note.addresses)
    held.push(Json::object({{"address", one.address}, {"link", one.link}}));
  Json standing = Json::array();
  for (const auto& [of, digest] : note.standing)
    standing.push(Json::object({{"of", of}, {"digest", digest}}));
  host::write_runtime_file(note_file(house), Json::object({{"boot_id", house.boot_id},
                                                           {"network_namespace", namespace_here()},
                                                           {"table", note.table},
                                                           {"listing", note.listing},
                                                           {"bridge_table", note.bridge_table},
                                                           {"bridge_made", note.bridge_made},
                                                           {"bridge_listing", note.bridge_listing},
                                                           {"ipv4", json_of(note.ipv4)},
                                                           {"ipv6", json_of(note.ipv6)},
                                                           {"needs_ipv4", note.needs_ipv4},
                                                           {"needs_ipv6", note.needs_ipv6},
                                                           {"addresses", held},
                                                           {"standing", standing}})
                                                     .dump(true) +
                                                 "\n");
}

std::string own_mark(House& house) { return firewall_mark(house.registry().tag()); }

std::vector<std::string> table_names(House& house) {
  return {usual_table, fmt::format("{}-{}", usual_table, house.registry().tag())};
}

TablePlace find_table_place(House& house, const std::string& family, const std::string& noted) {
  const auto find_ours = [&](const std::string& name) {
    auto table = host::find_table(name, family);
    return table && has_mark(table->comment, own_mark(house)) ? table : std::nullopt;
  };
  if (!noted.empty())
    if (const auto table = find_ours(noted)) return {noted, table};
  const std::vector<std::string> there = host::list_tables(family);
  std::optional<std::string> free;
  for (const std::string& name : table_names(house)) {
    if (std::find(there.begin(), there.end(), name) == there.end()) {
      if (!free) free = name;
    } else if (const auto table = find_ours(name)) {
      return {name, table};
    }
  }
  if (free) return {*free, std::nullopt};
  throw Conflict(fmt::format(
      "nftables has tables {1} {0} and {1} {2} that are not nutshell's; rename one of them",
      table_names(house).front(), family, table_names(house).back()));
}

TablePlace usual_place(House& house) { return {table_names(house).front(), std::nullopt}; }

void drop_own_table(House& house, const std::string& family, const std::string& name) {
  const auto table = host::find_table(name, family);
  if (table && has_mark(table->comment, own_mark(house)))
    host::apply_rules(render_removal(table->handle, family));
}

bool met_another(const Error& error) {
  const std::string what = error.what();
  return what.find("File exists") != std::string::npos ||
         what.find("No such file") != std::string::npos;
}

}  // namespace nutshell
