// A note beside the registry says what a network is, so that `recover` gives it the range that its
// machines have in their specs. It stays as long as any machine needs it, those included that the
// registry has lost.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/cloud_recover.hpp"
#include "app/lost.hpp"
#include "app/network.hpp"
#include "host/files.hpp"
#include "host/unique_name.hpp"

namespace nutshell {
namespace {

namespace fs = std::filesystem;

constexpr auto lock_patience = std::chrono::seconds(60);
constexpr std::string_view ending = ".json";

std::string folder(const House& house) { return house.paths.state + "/networks"; }
std::string notes_file(const House& house, const std::string& network) {
  return folder(house) + "/" + network + std::string(ending);
}

std::string line_of(const NetworkRow& row) {
  return Json::object({{"name", row.name},
                       {"bridge", row.bridge},
                       {"address", to_string(row.address)},
                       {"mac", to_string(row.bridge_mac)},
                       {"mode", to_string(row.mode)},
                       {"mtu", row.mtu},
                       {"ipv6", row.ipv6},
                       {"dns", row.dns},
                       {"by_hand", row.by_hand}})
             .dump(true) +
         "\n";
}

NetworkRow row_of(const std::string& name, const std::string& text) {
  const Json json = Json::parse(text);
  NetworkRow row;
  row.name = name;
  row.bridge = json.text("bridge");
  const auto address = parse_ipv4_net(json.text("address"));
  const auto mac = parse_mac(json.text("mac"));
  if (!is_interface_name(row.bridge) || !address || !mac)
    throw Failed("it has no bridge, address or MAC");
  row.address = *address;
  row.bridge_mac = *mac;
  if (!json.find("mode")) return row;  // a note of the first version
  if (!from_word(json.text("mode"), row.mode)) throw Failed("its mode is none");
  row.mtu = static_cast<unsigned>(json.at("mtu").as_integer());
  row.ipv6 = json.text("ipv6");
  row.dns = json.flag("dns");
  row.by_hand = json.flag("by_hand");
  return row;
}

/// Networks that have a note and are not in the registry, sorted.
std::vector<std::string> notes_without_row(House& house) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder(house), error)) {
    const std::string file = entry.path().filename().string();
    if (!file.ends_with(ending)) continue;
    const std::string name = file.substr(0, file.size() - ending.size());
    if (!house.registry().network(name)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

host::Lock lock_notes(const House& house) {
  host::make_directories(folder(house));
  host::Lock lock = host::Lock::exclusive(folder(house) + "/_notes.lock", lock_patience,
                                          "the notes of the networks");
  host::drop_temporaries(folder(house));
  return lock;
}

bool needed_by_lost_machines(House& house, const std::string& network) {
  if (!host::file_exists(notes_file(house, network))) return false;
  for (const MachineSpec& spec : lost_machines(house))
    for (const NicSpec& nic : spec.nics)
      if (nic.kind == NicKind::network && nic.network == network) return true;
  return false;
}

void note_network(House& house, const NetworkRow& row) {
  const std::string file = notes_file(house, row.name), text = line_of(row);
  if (host::read_file(file) == text) return;
  const host::Lock lock = lock_notes(house);
  host::write_file(file, text);
}

void note_networks(House& house, const Uuid& uuid) {
  const auto machine = house.registry().machine(uuid);
  if (!machine) return;
  for (const NicSpec& nic : machine->spec.nics)
    if (nic.kind == NicKind::network)
      if (const auto row = house.registry().network(nic.network)) note_network(house, *row);
}

void drop_note(House& house, const std::string& network) {
  if (needed_by_lost_machines(house, network)) return;
  const host::Lock lock = lock_notes(house);
  host::drop_file(notes_file(house, network));
}

void restore_network(House& house, Transaction& transaction, const std::string& name) {
  if (house.registry().network(name)) return;
  const auto row = noted_network(house, name);
  if (!row)
    throw NotFound(fmt::format(
        "the network {} has no note at {}, so its range is not known; move the machine's folder "
        "away and launch it anew",
        name, notes_file(house, name)));
  const std::string subnet = to_string(Ipv4Net{row->address.first(), row->address.prefix});
  for (const auto& [cloud, value] : lost_cloud_ranges(house))
    if (value == subnet && name.starts_with(cloud + "-"))
      throw Conflict(fmt::format(
          "the network {} lies in the subnet {} of the cloud {}, which has to come back first",
          name, subnet, cloud));
  restore_row(transaction, *row);
}

std::optional<NetworkRow> noted_network(const House& house, const std::string& name) {
  const std::string file = notes_file(house, name);
  try {
    const auto text = host::read_file(file);
    return text ? std::optional(row_of(name, *text)) : std::nullopt;
  } catch (const Error& error) {
    throw Failed(fmt::format(
        "the note {} does not say what the network {} is ({}); move it away, or write it anew",
        file, name, error.what()));
  }
}

std::vector<std::string> lost_networks(House& house, std::vector<std::string>& unreadable) {
  std::vector<std::string> names;
  for (const std::string& name : notes_without_row(house)) {
    try {
      if (const auto row = noted_network(house, name); row && row->by_hand) names.push_back(name);
    } catch (const Error& error) {
      unreadable.push_back(error.what());
    }
  }
  return names;
}

void add_lost_networks(House& house, Facts& facts) {
  for (const std::string& name : notes_without_row(house)) {
    try {
      const auto row = noted_network(house, name);
      if (!row) continue;
      facts.macs.push_back(
          {row->bridge_mac,
           fmt::format("the network {}, which the registry has lost (`nutshell recover`)", name)});
      facts.addresses.push_back({0, row->address});
    } catch (const Error&) {
      // `recover` names it.
    }
  }
}

}  // namespace nutshell
