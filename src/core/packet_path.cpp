// One device that is taken down changes what its neighbours show: a bridge that is down disables
// its ports, a veth whose peer is down has no carrier. So causes are looked for on the whole path
// before consequences are.
#include "nutshell/packet_path.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nutshell {
namespace {

const PathDevice* bridge_of(const HostPath& path) {
  for (const PathDevice& device : path.devices)
    if (device.role == PathRole::bridge) return &device;
  return nullptr;
}

std::string why_absent(const PathDevice& device) {
  switch (device.role) {
    case PathRole::bridge: return "does not exist; make it again, and restart the machine";
    case PathRole::tap: return "does not exist; `nutshell restart` gives the machine a new one";
    case PathRole::outer:
    case PathRole::uplink: return "does not exist";
    case PathRole::macvtap: return "does not exist; `nutshell restart` gives the machine a new one";
  }
  return "";
}

std::string why_no_carrier(const PathDevice& device) {
  switch (device.role) {
    case PathRole::outer:
    case PathRole::uplink:
      return "has no carrier; look at its cable, or at the device at its other end";
    case PathRole::bridge: return "has no carrier; none of its ports has one";
    case PathRole::tap: return "has no carrier; no QEMU holds it";
    case PathRole::macvtap: return "has no carrier; its uplink has none";
  }
  return "";
}

std::optional<PathBreak> find_absent(const HostPath& path) {
  for (const PathDevice& device : path.devices)
    if (!device.present) return PathBreak{device.name, why_absent(device), ""};
  return std::nullopt;
}

std::optional<PathBreak> find_down(const HostPath& path) {
  for (const PathDevice& device : path.devices) {
    if (device.up) continue;
    const std::string cure = fmt::format("ip link set {} up", shell_quote(device.name));
    return PathBreak{device.name, fmt::format("is down; `{}` sets it up", cure), cure};
  }
  return std::nullopt;
}

std::optional<PathBreak> find_unplugged(const HostPath& path, const PathDevice& bridge) {
  for (const PathDevice& device : path.devices) {
    if ((device.role != PathRole::tap && device.role != PathRole::uplink) ||
        device.master == bridge.name)
      continue;
    const std::string cure =
        fmt::format("ip link set {} master {}", shell_quote(device.name), shell_quote(bridge.name));
    return PathBreak{device.name,
                     fmt::format("is {}; `{}` plugs it in",
                                 device.master.empty() ? "no port of " + bridge.name
                                                       : fmt::format("a port of {}, not of {}",
                                                                     device.master, bridge.name),
                                 cure),
                     cure};
  }
  return std::nullopt;
}

std::optional<PathBreak> find_dead(const HostPath& path) {
  for (const PathDevice& device : path.devices)
    if (!device.carrier && device.role != PathRole::bridge)
      return PathBreak{device.name, why_no_carrier(device), ""};
  for (const PathDevice& device : path.devices)
    if (!device.carrier) return PathBreak{device.name, why_no_carrier(device), ""};
  return std::nullopt;
}

std::optional<PathBreak> find_blocked(const HostPath& path) {
  for (const PathDevice& device : path.devices) {
    // Link and bridge are up: then it is the guard against BPDUs (bridge(8)), and it stays.
    if (device.role == PathRole::tap && device.port_state == "disabled")
      return PathBreak{
          device.name,
          "is shut by its bridge, because the machine spoke STP there, which one that "
          "is held to its addresses may not; a new start of the machine opens it, too",
          fmt::format("ip link set {0} down && ip link set {0} up", shell_quote(device.name))};
    if (!device.port_state.empty() && device.port_state != "forwarding")
      return PathBreak{
          device.name,
          fmt::format("is {}, by the spanning tree of its bridge; wait, or look at `bridge "
                      "link show dev {}`",
                      device.port_state, shell_quote(device.name)),
          ""};
  }
  return std::nullopt;
}

// Ports that are isolated reach only those that are not.
std::optional<PathBreak> find_isolated(const HostPath& path) {
  const auto is_of = [](PathRole role) {
    return [role](const PathDevice& device) { return device.role == role && device.isolated; };
  };
  const auto& all = path.devices;
  const auto tap = std::find_if(all.begin(), all.end(), is_of(PathRole::tap));
  const auto uplink = std::find_if(all.begin(), all.end(), is_of(PathRole::uplink));
  if (!path.wants_uplink || tap == all.end() || uplink == all.end()) return std::nullopt;
  const std::string cure =
      fmt::format("bridge link set dev {} isolated off", shell_quote(uplink->name));
  return PathBreak{uplink->name,
                   fmt::format("is an isolated port, as {} is, and isolated ports do not reach "
                               "each other; `{}` lets it through",
                               tap->name, cure),
                   cure};
}

bool has_uplink(const HostPath& path) {
  for (const PathDevice& device : path.devices)
    if (device.role == PathRole::uplink) return true;
  return false;
}

bool lets_through(const PathDevice& uplink, const PathDevice& bridge) {
  return uplink.up && uplink.carrier && uplink.master == bridge.name &&
         uplink.port_state == "forwarding" && !uplink.isolated;
}

// Of several uplinks one is enough: while one lets packets through, the others break nothing.
HostPath with_what_matters(const HostPath& path, const PathDevice& bridge) {
  const auto is_whole = [&](const PathDevice& device) {
    return device.role == PathRole::uplink && lets_through(device, bridge);
  };
  HostPath kept = path;
  if (std::any_of(path.devices.begin(), path.devices.end(), is_whole))
    std::erase_if(kept.devices, [&](const PathDevice& device) {
      return device.role == PathRole::uplink && !is_whole(device);
    });
  return kept;
}

// A macvtap link is on its uplink for as long as both are there: there is nothing to plug in.
std::optional<PathBreak> find_break_of_macvtap(const HostPath& path) {
  if (auto found = find_absent(path)) return found;
  if (auto found = find_down(path)) return found;
  if (!path.has_tap)
    return PathBreak{"macvtap",
                     "is not there: the machine does not run; `nutshell start` starts it", ""};
  if (auto found = find_dead(path)) return found;
  return find_hidden_break(path);
}

}  // namespace

std::string to_string(PathRole role) {
  switch (role) {
    case PathRole::outer: return "outer";
    case PathRole::uplink: return "uplink";
    case PathRole::bridge: return "bridge";
    case PathRole::tap: return "tap";
    case PathRole::macvtap: return "macvtap";
  }
  return "";
}

std::optional<PathBreak> find_break(const HostPath& whole) {
  const PathDevice* bridge = bridge_of(whole);
  if (!bridge && !whole.devices.empty()) return find_break_of_macvtap(whole);
  if (!bridge) return std::nullopt;  // QEMU itself makes the connections
  const HostPath path = with_what_matters(whole, *bridge);
  if (auto found = find_absent(path)) return found;
  if (auto found = find_down(path)) return found;
  if (path.has_tap)
    if (auto found = find_unplugged(path, *bridge)) return found;
  if (!path.has_tap)
    return PathBreak{"tap", "is not there: the machine does not run; `nutshell start` starts it",
                     ""};
  if (path.wants_uplink && !has_uplink(path))
    return PathBreak{
        bridge->name,
        fmt::format("has no uplink: no port of it leads out of this host; `ip link set "
                    "DEVICE master {}` plugs one in",
                    shell_quote(bridge->name)),
        ""};
  if (auto found = find_dead(path)) return found;
  if (auto found = find_blocked(path)) return found;
  if (auto found = find_isolated(path)) return found;
  return find_hidden_break(path);
}

}  // namespace nutshell
