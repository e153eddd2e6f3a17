// After a restart of the host there is nothing to take back, and the note says so by itself: it has
// the boot and the network namespace in which it is true.
#include "app/firewall_note.hpp"

#include "app/network.hpp"
#include "host/files.hpp"
#include "host/runtime_file.hpp"

namespace nutshell {
namespace {

using Settings = FirewallNote::Settings;

// No network's name begins like this, so neither is a network's note or lock.
std::string note_file(const House& house) { return house.paths.state + "/networks/_host.note"; }

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

FirewallNote read_firewall_note(const House& house) {
  const auto text = host::read_file(note_file(house));
  if (!text) return {};
  const auto parsed = Json::try_parse(*text);
  if (!parsed) return {};  // cut short by a crash of the host, so it was of an earlier boot
  const Json& json = *parsed;
  if (json.text("boot_id") != house.boot_id ||
      json.text("network_namespace") != host::network_namespace())
    return {};
  FirewallNote note;
  note.table = json.text("table");
  note.listing = json.text("listing");
  note.ipv4 = settings_of(json.at("ipv4"));
  note.ipv6 = settings_of(json.at("ipv6"));
  note.needs_ipv4 = json.flag("needs_ipv4");
  note.needs_ipv6 = json.flag("needs_ipv6");
  return note;
}

void write_firewall_note(const House& house, const FirewallNote& note) {
  const host::Lock lock = lock_notes(house);
  if (note.empty()) return host::drop_file(note_file(house));
  host::write_runtime_file(note_file(house),
                           Json::object({{"boot_id", house.boot_id},
                                         {"network_namespace", host::network_namespace()},
                                         {"table", note.table},
                                         {"listing", note.listing},
                                         {"ipv4", json_of(note.ipv4)},
                                         {"ipv6", json_of(note.ipv6)},
                                         {"needs_ipv4", note.needs_ipv4},
                                         {"needs_ipv6", note.needs_ipv6}})
                                   .dump(true) +
                               "\n");
}

}  // namespace nutshell
