// path: the devices of this host that a machine's packets cross, in order, and the one that lets
// nothing through.
#include <fmt/format.h>

#include "app/cmd.hpp"
#include "app/machine_state.hpp"
#include "app/settle.hpp"
#include "host/observe_path.hpp"
#include "nutshell/packet_path.hpp"

namespace nutshell {
namespace {

// An ordinary user's tap is made and named by the bridge helper; QEMU holds it.
std::string tap_of(const RunRecord& run, const MachineSpec& spec, std::size_t nic) {
  if (nic < run.taps.size() && !run.taps[nic].empty()) return run.taps[nic];
  std::size_t place = 0;
  for (std::size_t i = 0; i < nic; ++i) place += spec.nics[i].kind != NicKind::user;
  const auto taps = host::taps_of_process(run.pid);
  return place < taps.size() ? taps[place] : "";
}

HostPath path_of(const MachineRow& row, std::size_t nic, bool runs) {
  const NicSpec& spec = row.spec.nics[nic];
  HostPath path;
  path.nic = static_cast<unsigned>(nic);
  path.wants_uplink = spec.kind == NicKind::bridge;
  path.has_tap = runs;
  if (spec.kind == NicKind::user) return path;
  if (spec.kind == NicKind::macvtap) {
    const bool named = runs && row.run && nic < row.run->taps.size();
    path.devices = host::observe_macvtap_path(spec.uplink, named ? row.run->taps[nic] : "");
    return path;
  }
  path.devices =
      host::observe_path(spec.bridge, runs && row.run ? tap_of(*row.run, row.spec, nic) : "",
                         spec.kind == NicKind::bridge);
  return path;
}

Json counters_json(const PathCounters& counters) {
  return Json::object({{"bytes", counters.bytes},
                       {"packets", counters.packets},
                       {"dropped", counters.dropped},
                       {"errors", counters.errors}});
}

Json device_json(const PathDevice& device) {
  const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  return Json::object({{"name", device.name},
                       {"role", to_string(device.role)},
                       {"kind", or_null(device.kind)},
                       {"present", device.present},
                       {"up", device.up},
                       {"carrier", device.carrier},
                       {"master", or_null(device.master)},
                       {"port_state", or_null(device.port_state)},
                       {"mtu", device.mtu},
                       {"received", counters_json(device.received)},
                       {"sent", counters_json(device.sent)}});
}

std::string state_words(const PathDevice& device, bool with_bridge) {
  if (!device.present) return "gone";
  std::string words = device.up ? "up" : "down";
  if (device.up && !device.carrier) words += ", no carrier";
  if (!device.port_state.empty() && device.up) words += ", " + device.port_state;
  if (with_bridge && device.role != PathRole::bridge && device.master.empty())
    words += ", no port of a bridge";
  return words;
}

std::string counter_words(const PathCounters& counters) {
  std::string words =
      fmt::format("{} in {}", format_size_roughly(counters.bytes), counters.packets);
  if (counters.dropped) words += fmt::format(", {} dropped", counters.dropped);
  if (counters.errors) words += fmt::format(", {} errors", counters.errors);
  return words;
}

std::string text_of(const Reporter& reporter, const HostPath& path, const NicSpec& nic) {
  std::string text =
      fmt::format("NIC {}, {}", path.nic, nic.mac ? to_string(*nic.mac) : "no MAC yet");
  if (path.devices.empty())
    return text + ": user-mode networking; QEMU itself makes its connections\n";
  text += ", from the outside inwards:\n";
  Table table;
  table.headings = {"DEVICE", "ROLE", "STATE", "MTU", "RECEIVED", "SENT"};
  const bool with_bridge = nic.kind != NicKind::macvtap;
  for (const PathDevice& device : path.devices)
    table.rows.push_back({device.name, to_string(device.role), state_words(device, with_bridge),
                          device.present ? std::to_string(device.mtu) : "-",
                          device.present ? counter_words(device.received) : "-",
                          device.present ? counter_words(device.sent) : "-"});
  text += table.text(reporter.colour());
  const auto broken = find_break(path);
  return text + (broken ? fmt::format("broken at {}: it {}\n", broken->device, broken->why)
                        : "nothing of it is broken\n");
}

}  // namespace

Exit run_path(const Parsed& args, House& house) {
  const MachineRow row = settled_machine(house, find_machine(house, args.word(0, "NAME")));
  const bool runs = is_alive(house, row.uuid);
  Json paths = Json::array();
  std::string text;
  for (std::size_t i = 0; i < row.spec.nics.size(); ++i) {
    const HostPath path = path_of(row, i, runs);
    Json devices = Json::array();
    for (const PathDevice& device : path.devices) devices.push(device_json(device));
    const auto broken = find_break(path);
    paths.push(Json::object(
        {{"nic", path.nic},
         {"devices", devices},
         {"broken",
          broken ? Json::object({{"device", broken->device}, {"why", broken->why}}) : Json()}}));
    text += text_of(house.reporter, path, row.spec.nics[i]);
  }
  if (text.empty()) text = fmt::format("{} has no NIC\n", to_string(row.name));
  house.reporter.answer(
      Json::object({{"name", row.name.name}, {"cloud", row.name.cloud}, {"paths", paths}}), text);
  return Exit::done;
}

}  // namespace nutshell
