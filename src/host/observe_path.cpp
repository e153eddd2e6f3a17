// One dump of links tells all but the ports' states, which are the bridge's to tell.
#include "host/observe_path.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "host/files.hpp"
#include "nl/bridge.hpp"
#include "nl/error.hpp"
#include "nl/link.hpp"
#include "nutshell/error.hpp"
#include "nutshell/facts.hpp"

#include <fmt/format.h>

namespace nutshell::host {
namespace {

PathCounters to_counters(const nl::Counters& counters) {
  return {counters.bytes, counters.packets, counters.dropped, counters.errors};
}

class Devices {
 public:
  explicit Devices(nl::Socket& socket) : socket_(socket), links_(nl::list_links(socket)) {}

  [[nodiscard]] const nl::Link* find(const std::string& name) const {
    const auto found = std::find_if(links_.begin(), links_.end(),
                                    [&](const nl::Link& link) { return link.name == name; });
    return found == links_.end() ? nullptr : &*found;
  }

  [[nodiscard]] std::string name(int index) const {
    for (const nl::Link& link : links_)
      if (link.index == index) return link.name;
    return "";
  }

  [[nodiscard]] PathDevice describe(PathRole role, const std::string& name) const {
    PathDevice device;
    device.role = role;
    device.name = name;
    const nl::Link* link = find(name);
    device.present = link != nullptr;
    if (!link) return device;
    device.kind = link->kind;
    device.up = link->up;
    device.carrier = link->lower_up;
    device.master = link->master ? this->name(link->master) : "";
    device.mtu = link->mtu;
    device.received = to_counters(link->received);
    device.sent = to_counters(link->sent);
    if (link->master && link->port_kind == "bridge") look_at_port(*link, device);
    if (link->kind == "bridge") count_ports(*link, device);
    return device;
  }

  [[nodiscard]] std::vector<std::string> uplinks(const nl::Link& bridge) const {
    std::vector<std::string> names;
    for (const nl::Link& link : links_)
      if (link.master == bridge.index && link.kind != "tun" && !is_mark(link.alias))
        names.push_back(link.name);
    return names;
  }

 private:
  // The kernel counts on a bridge only what the host itself takes part in; what it forwards is
  // counted where it comes in and where it goes out.
  void count_ports(const nl::Link& bridge, PathDevice& device) const {
    device.received = device.sent = {};
    const auto add = [](PathCounters& sum, const nl::Counters& more) {
      sum.bytes += more.bytes;
      sum.packets += more.packets;
      sum.dropped += more.dropped;
      sum.errors += more.errors;
    };
    for (const nl::Link& port : links_) {
      if (port.master != bridge.index) continue;
      add(device.received, port.received);
      add(device.sent, port.sent);
    }
  }

  void look_at_port(const nl::Link& port, PathDevice& device) const {
    for (const nl::BridgePort& each : nl::list_ports(socket_, port.master)) {
      if (each.link.index != port.index) continue;
      device.port_state = nl::to_string(each.state);
      device.isolated = each.isolated;
    }
  }

  nl::Socket& socket_;
  std::vector<nl::Link> links_;
};

}  // namespace

std::vector<PathDevice> observe_path(const std::string& bridge, const std::string& tap,
                                     bool with_uplinks) {
  try {
    nl::Socket socket;
    const Devices devices(socket);
    std::vector<PathDevice> path;
    const nl::Link* link = devices.find(bridge);
    if (link && with_uplinks)
      for (const std::string& name : devices.uplinks(*link))
        path.push_back(devices.describe(PathRole::uplink, name));
    path.push_back(devices.describe(PathRole::bridge, bridge));
    if (!tap.empty()) path.push_back(devices.describe(PathRole::tap, tap));
    return path;
  } catch (const nl::Error& error) {
    throw SystemError(error.code(), error.subject() + ": cannot " + error.operation());
  }
}

std::vector<PathDevice> observe_macvtap_path(const std::string& uplink, const std::string& link) {
  try {
    nl::Socket socket;
    const Devices devices(socket);
    std::vector<PathDevice> path{devices.describe(PathRole::uplink, uplink)};
    if (!link.empty()) path.push_back(devices.describe(PathRole::macvtap, link));
    return path;
  } catch (const nl::Error& error) {
    throw SystemError(error.code(), error.subject() + ": cannot " + error.operation());
  }
}

std::vector<std::string> taps_of_process(int pid) {
  std::vector<int> descriptors;
  const std::string folder = fmt::format("/proc/{}/fdinfo", pid);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    int number = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), number).ec == std::errc())
      descriptors.push_back(number);
  }
  std::sort(descriptors.begin(), descriptors.end());
  std::vector<std::string> taps;
  for (const int descriptor : descriptors) {
    std::string text;
    try {
      text = read_file(fmt::format("{}/{}", folder, descriptor)).value_or("");
    } catch (const Error&) {
      continue;  // closed meanwhile
    }
    const std::size_t at = text.find("iff:\t");
    if (at == std::string::npos) continue;
    const std::size_t end = text.find('\n', at);
    taps.push_back(text.substr(at + 5, end - at - 5));
  }
  return taps;
}

}  // namespace nutshell::host
