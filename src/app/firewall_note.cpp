// After a restart of the host there is nothing to take back, and the note says so by itself. The
// tables carry our mark; the note only says where to look.
#include "app/firewall_note.hpp"

#include <fmt/format.h>

#include <chrono>

#include "host/files.hpp"
#include "host/observe.hpp"
#include "nutshell/error.hpp"
#include "nutshell/firewall.hpp"

namespace nutshell {
namespace {

using Settings = std::vector<host::Setting>;

constexpr auto lock_patience = std::chrono::seconds(60);
constexpr const char* usual_table = "nutshell";

// No network's name begins like this, so neither is a network's note or lock. A folder of its own:
// what is half written there is nobody's who does not hold the lock.
std::string own_folder(const House& house) { return networks_folder(house) + "/_host"; }
std::string note_file(const House& house) { return own_folder(house) + "/_note"; }

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

}  // namespace

std::string networks_folder(const House& house) { return house.paths.state + "/networks"; }

host::Lock lock_firewall(const House& house) {
  host::make_directories(own_folder(house));
  host::Lock lock =
      host::Lock::exclusive(own_folder(house) + "/_lock", lock_patience, "the firewall");
  host::drop_temporaries(own_folder(house));
  return lock;
}

FirewallNote read_firewall_note(const House& house) {
  const auto text = host::read_file(note_file(house));
  if (!text) return {};
  const Json json = Json::parse(*text);
  if (json.text("boot_id") != house.boot_id ||
      json.text("network_namespace") != host::network_namespace())
    return {};
  FirewallNote note;
  note.table = json.text("table");
  note.bridge_table = json.text("bridge_table");
  note.bridge_made = json.text("bridge_made");
  note.ipv4 = settings_of(json.at("ipv4"));
  note.ipv6 = settings_of(json.at("ipv6"));
  if (const Json* held = json.find("addresses"))  // an earlier version wrote none
    for (const Json& one : held->as_array())
      note.addresses.push_back({one.text("address"), one.text("link")});
  return note;
}

void write_firewall_note(const House& house, const FirewallNote& note) {
  if (note.empty()) return host::drop_file(note_file(house));
  Json held = Json::array();
  for (const HeldAddress& one : note.addresses)
    held.push(Json::object({{"address", one.address}, {"link", one.link}}));
  const Json json = Json::object({{"boot_id", house.boot_id},
                                  {"network_namespace", host::network_namespace()},
                                  {"table", note.table},
                                  {"bridge_table", note.bridge_table},
                                  {"bridge_made", note.bridge_made},
                                  {"ipv4", json_of(note.ipv4)},
                                  {"ipv6", json_of(note.ipv6)},
                                  {"addresses", held}});
  host::write_file(note_file(house), json.dump(true) + "\n");
}

std::string own_mark(House& house) { return firewall_mark(house.registry().tag()); }

std::vector<std::string> table_names(House& house) {
  return {usual_table, fmt::format("{}-{}", usual_table, house.registry().tag())};
}

TablePlace find_table_place(House& house, const std::string& family) {
  std::optional<std::string> free;
  for (const std::string& name : table_names(house)) {
    const auto table = host::find_table(name, family);
    if (table && has_mark(table->comment, own_mark(house))) return {name, table};
    if (!table && !free) free = name;
  }
  if (free) return {*free, std::nullopt};
  throw Conflict(
      fmt::format("nftables has tables {} and {} that are not nutshell's; rename one of them",
                  table_names(house).front(), table_names(house).back()));
}

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
