// path: the devices of this host that a machine's packets cross, in order, the filters that sit on
// them, and the one that lets nothing through.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "app/cmd.hpp"
#include "app/interrupt.hpp"
#include "app/machine_state.hpp"
#include "app/path_look.hpp"
#include "app/settle.hpp"
#include "nutshell/packet_path.hpp"

namespace nutshell {
namespace {

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json counters_json(const PathCounters& counters) {
  return Json::object({{"bytes", counters.bytes},
                       {"packets", counters.packets},
                       {"dropped", counters.dropped},
                       {"errors", counters.errors}});
}

Json filter_json(const PathFilter& filter) {
  return Json::object({{"where", filter.owner + filter.where},
                       {"ours", filter.ours},
                       {"in", filter.in},
                       {"out", filter.out},
                       {"all", filter.certain},
                       {"packets", filter.packets ? Json(*filter.packets) : Json()},
                       {"cure", text_or_null(filter.cure)}});
}

Json device_json(const PathDevice& device) {
  Json filters = Json::array();
  for (const PathFilter& filter : device.filters) filters.push(filter_json(filter));
  return Json::object({{"name", device.name},
                       {"role", to_string(device.role)},
                       {"kind", text_or_null(device.kind)},
                       {"present", device.present},
                       {"up", device.up},
                       {"carrier", device.carrier},
                       {"master", text_or_null(device.master)},
                       {"port_state", text_or_null(device.port_state)},
                       {"mtu", device.mtu},
                       {"received", counters_json(device.received)},
                       {"sent", counters_json(device.sent)},
                       {"filters", filters}});
}

Json path_json(const HostPath& path) {
  Json devices = Json::array();
  for (const PathDevice& device : path.devices) devices.push(device_json(device));
  const auto broken = find_break(path);
  return Json::object({{"nic", path.nic},
                       {"devices", devices},
                       {"gateway", path.route ? text_or_null(path.route->gateway) : Json()},
                       {"broken", broken ? Json::object({{"device", broken->device},
                                                         {"why", broken->why},
                                                         {"cure", text_or_null(broken->cure)}})
                                         : Json()}});
}

Json outer_json(const PathLook& look) {
  if (!look.outer) return {};
  Json macs = Json::array();
  for (const std::string& mac : look.outer_macs) macs.push(mac);
  return Json::object({{"hypervisor", look.outer->hypervisor},
                       {"uuid", text_or_null(look.outer->uuid)},
                       {"macs", macs}});
}

Json look_json(const MachineRow& row, const PathLook& look) {
  Json paths = Json::array(), remarks = Json::array();
  for (const HostPath& path : look.paths) paths.push(path_json(path));
  for (const std::string& remark : look.remarks) remarks.push(remark);
  return Json::object({{"name", row.name.name},
                       {"cloud", row.name.cloud},
                       {"paths", paths},
                       {"remarks", remarks},
                       {"filters_seen", look.saw_filters},
                       {"outer", outer_json(look)}});
}

bool has_bridge(const HostPath& path) {
  return std::any_of(path.devices.begin(), path.devices.end(),
                     [](const PathDevice& device) { return device.role == PathRole::bridge; });
}

std::string state_words(const PathDevice& device, bool with_bridge) {
  if (!device.present) return "gone";
  std::string words = device.up ? "up" : "down";
  if (device.up && !device.carrier) words += ", no carrier";
  if (!device.port_state.empty() && device.up) words += ", " + device.port_state;
  const bool is_port = device.role == PathRole::tap || device.role == PathRole::uplink;
  if (with_bridge && is_port && device.master.empty()) words += ", no port of a bridge";
  return words;
}

std::string counter_words(const PathCounters& counters) {
  std::string words =
      fmt::format("{} in {}", format_size_roughly(counters.bytes), counters.packets);
  if (counters.dropped) words += fmt::format(", {} dropped", counters.dropped);
  if (counters.errors) words += fmt::format(", {} errors", counters.errors);
  return words;
}

std::string filter_words(const PathDevice& device, const PathFilter& filter) {
  const char* way = filter.in && filter.out ? "both ways" : filter.in ? "inwards" : "outwards";
  if (filter.ours)
    return fmt::format("  {} {} ({} packets so far)\n", device.name, filter.where,
                       filter.packets.value_or(0));
  return fmt::format("  {}, {}{}: {}{}{}\n", device.name, way,
                     filter.from_host ? ", to this host" : "", filter.owner, filter.where,
                     filter.certain ? "" : ": some packets, perhaps",
                     filter.packets ? fmt::format(" ({} so far)", *filter.packets) : "");
}

std::string text_of(const Reporter& reporter, const HostPath& path, const NicSpec& nic,
                    bool saw_filters) {
  std::string text =
      fmt::format("NIC {}, {}", path.nic, nic.mac ? to_string(*nic.mac) : "no MAC yet");
  if (path.devices.empty())
    return text + ": user-mode networking; QEMU itself makes its connections\n";
  text += ", from the outside inwards:\n";
  Table table;
  table.headings = {"DEVICE", "ROLE", "STATE", "MTU", "RECEIVED", "SENT"};
  std::string filters;
  const bool with_bridge = has_bridge(path);
  for (const PathDevice& device : path.devices) {
    table.rows.push_back({device.name, to_string(device.role), state_words(device, with_bridge),
                          device.present ? std::to_string(device.mtu) : "-",
                          device.present ? counter_words(device.received) : "-",
                          device.present ? counter_words(device.sent) : "-"});
    for (const PathFilter& filter : device.filters) filters += filter_words(device, filter);
  }
  text += table.text(reporter.colour());
  if (!filters.empty()) text += "what drops packets on it:\n" + filters;
  const auto broken = find_break(path);
  if (broken) return text + fmt::format("broken at {}: it {}\n", broken->device, broken->why);
  return text + (saw_filters ? "nothing of it is found broken\n"
                             : "nothing else of it is found broken, but its filters could not be "
                               "seen\n");
}

std::string outer_words(const PathLook& look) {
  if (!look.outer) return "";
  std::string words =
      fmt::format("this host is itself a virtual machine ({})", look.outer->hypervisor);
  if (look.outer_macs.empty()) return words + "\n";
  std::string macs;
  for (const std::string& mac : look.outer_macs) macs += (macs.empty() ? "" : ", ") + mac;
  words += fmt::format(
      "; the way goes on in the host that runs it, where `nutshell who MAC` tells whose NIC it is "
      "({})",
      macs);
  return words + "\n";
}

std::string look_text(const House& house, const MachineRow& row, const PathLook& look) {
  std::string text;
  for (const HostPath& path : look.paths)
    text += text_of(house.reporter, path, row.spec.nics[path.nic], look.saw_filters);
  if (text.empty()) return fmt::format("{} has no NIC\n", to_string(row.name));
  for (const std::string& remark : look.remarks) text += remark + "\n";
  return text + outer_words(look);
}

std::string rate_words(const PathCounters& before, const PathCounters& now) {
  std::string words = fmt::format("{} in {}", format_size_roughly(now.bytes - before.bytes),
                                  now.packets - before.packets);
  if (now.dropped > before.dropped)
    words += fmt::format(", {} dropped", now.dropped - before.dropped);
  if (now.errors > before.errors) words += fmt::format(", {} errors", now.errors - before.errors);
  return words;
}

const PathDevice* same_device(const PathLook& look, unsigned nic, const PathDevice& device) {
  for (const HostPath& path : look.paths)
    for (const PathDevice& each : path.devices)
      if (path.nic == nic && each.name == device.name && each.role == device.role) return &each;
  return nullptr;
}

std::string filters_moved(const PathDevice& before, const PathDevice& now) {
  std::string words;
  for (const PathFilter& filter : now.filters)
    for (const PathFilter& old : before.filters)
      if (old.where == filter.where && filter.packets.value_or(0) > old.packets.value_or(0))
        words +=
            fmt::format("  {} packets at {}: {}{}\n", *filter.packets - old.packets.value_or(0),
                        now.name, filter.owner, filter.where);
  return words;
}

/// What moved between two looks.
std::string moves_text(const Reporter& reporter, const PathLook& before, const PathLook& now) {
  Table table;
  table.headings = {"NIC", "DEVICE", "STATE", "RECEIVED", "SENT"};
  std::string filters, breaks;
  for (const HostPath& path : now.paths) {
    for (const PathDevice& device : path.devices) {
      const PathDevice* old = same_device(before, path.nic, device);
      const PathDevice& from = old ? *old : device;
      table.rows.push_back(
          {std::to_string(path.nic), device.name, state_words(device, has_bridge(path)),
           rate_words(from.received, device.received), rate_words(from.sent, device.sent)});
      filters += filters_moved(from, device);
    }
    if (const auto broken = find_break(path))
      breaks += fmt::format("broken at {}: it {}\n", broken->device, broken->why);
  }
  return table.text(reporter.colour()) + filters + breaks + "\n";
}

Exit watch(House& house, MachineRow row, const std::optional<Ipv4>& to) {
  PathLook before = look_at_paths(house, row, to);
  if (!house.reporter.json()) print(look_text(house, row, before) + "in each second:\n");
  while (!interrupted()) {
    if (house.reporter.json()) print(look_json(row, before).dump() + "\n");
    if (house.dry()) break;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (!interrupted() && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (interrupted()) break;
    const auto present = house.registry().machine(row.uuid);
    if (!present)
      throw NotFound(fmt::format("{} was removed while it was watched", to_string(row.name)));
    row = *present;  // it may have been stopped, or started again
    PathLook now = look_at_paths(house, row, to);
    if (!house.reporter.json()) print(moves_text(house.reporter, before, now));
    before = std::move(now);
  }
  return Exit::done;
}

}  // namespace

Exit run_path(const Parsed& args, House& house) {
  const MachineRow row = settled_machine(house, find_machine(house, args.word(0, "NAME")));
  std::optional<Ipv4> to;
  if (const auto text = args.value("to")) {
    to = parse_ipv4(*text);
    if (in6_addr ipv6{}; !to && inet_pton(AF_INET6, text->c_str(), &ipv6) == 1)
      throw UsageError(
          fmt::format("--to {} is an IPv6 address, and path follows IPv4 alone; give the other "
                      "end's IPv4 address",
                      printable(*text)));
    if (!to)
      throw UsageError(
          fmt::format("--to '{}' is no IPv4 address; give one as 192.0.2.1", printable(*text)));
    if (const unsigned first = to->value >> 24; first == 0 || first == 127 || first >= 224)
      throw UsageError(fmt::format("--to {} is the address of no other host; give the other end's",
                                   to_string(*to)));
  }
  if (args.has("watch")) return watch(house, row, to);
  PathLook look = look_at_paths(house, row, to);
  look_again(house, row, to, look);
  house.reporter.answer(look_json(row, look), look_text(house, row, look));
  return Exit::done;
}

}  // namespace nutshell
