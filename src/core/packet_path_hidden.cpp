// A path whose devices are all up may let nothing through all the same: a filter drops it, the host
// does not route it, nobody answers at its end. What stops everything is named before what stops a
// part.
#include <fmt/format.h>

#include <algorithm>

#include "nutshell/packet_path.hpp"

namespace nutshell {
namespace {

const PathDevice* find_role(const HostPath& path, PathRole role) {
  for (const PathDevice& device : path.devices)
    if (device.role == role) return &device;
  return nullptr;
}

/// `cure` in words, after a sentence.
std::string then_run(const std::string& cure) {
  return cure.empty() ? "" : fmt::format("; `{}` lets it through", cure);
}

std::optional<PathBreak> find_filter(const HostPath& path) {
  for (const PathDevice& device : path.devices)
    for (const PathFilter& filter : device.filters)
      if (filter.certain && !filter.ours)
        return PathBreak{device.name,
                         fmt::format("has a foreign filter that drops {}: {}{}{}{}",
                                     direction_of(filter), filter.owner, filter.where,
                                     filter.packets && *filter.packets
                                         ? fmt::format(" ({} packets so far)", *filter.packets)
                                         : "",
                                     then_run(filter.cure)),
                         filter.cure};
  return std::nullopt;
}

std::optional<PathBreak> find_own_filter(const HostPath& path) {
  for (const PathDevice& device : path.devices)
    for (const PathFilter& filter : device.filters)
      if (filter.ours && filter.certain && filter.rising)
        return PathBreak{device.name,
                         fmt::format("{} ({} packets so far, {} of them just now){}", filter.where,
                                     filter.packets.value_or(0), filter.rising,
                                     filter.cure.empty() ? "" : "; `" + filter.cure + "`"),
                         filter.cure};
  return std::nullopt;
}

std::optional<PathBreak> find_unrouted(const HostPath& path) {
  const PathDevice* bridge = find_role(path, PathRole::bridge);
  if (!path.route || !bridge) return std::nullopt;
  const PathRoute& route = *path.route;
  const std::string cure = shell_line({"sysctl", "-w", route.forwarding + "=1"});
  if (!route.forwards && !route.local) {
    const PathDevice* outer = find_role(path, PathRole::outer);
    const bool by_outer =
        outer && route.forwarding == fmt::format("net.ipv4.conf.{}.forwarding", outer->name);
    return PathBreak{
        (by_outer ? outer : bridge)->name,
        fmt::format("does not forward: {} is 0; `{}` turns it on", route.forwarding, cure), cure};
  }
  if (route.refused)
    return PathBreak{
        bridge->name,
        route.to.empty()
            ? fmt::format("leads nowhere: this host does not route what comes from {}; look at "
                          "`ip rule` and `ip route show table all`",
                          route.guest)
        : route.forbidden
            ? fmt::format("leads nowhere: a route or a rule of this host refuses what goes {}to "
                          "{}; look at `ip rule` and `ip route show table all`",
                          route.guest.empty() ? "" : "from " + route.guest + " ", route.to)
            : fmt::format("leads nowhere: this host has no route to {0}; `ip route add {0} via "
                          "GATEWAY` makes one",
                          route.to),
        ""};
  if (route.astray)
    return PathBreak{
        bridge->name,
        fmt::format("does not get what goes to {0}, the machine's address: this host's routes {1}; "
                    "look at `ip route get {0}`",
                    route.guest,
                    route.astray->empty() ? "refuse it" : "lead it to " + *route.astray),
        ""};
  if (!route.strict.empty() && (!route.strict_guess || route.strict_rising)) {
    const std::string loose =
        shell_line({"sysctl", "-w", fmt::format("net.ipv4.conf.{}.rp_filter=2", route.strict)});
    return PathBreak{
        route.strict,
        fmt::format("drops by its rp_filter what comes from {}, since the way back goes by another "
                    "link (this host has dropped {} packets for that so far); `{}` lets it through",
                    route.to.empty() ? "the outside" : route.to, route.strict_drops, loose),
        loose};
  }
  return std::nullopt;
}

std::optional<PathBreak> find_silent(const HostPath& path) {
  if (!path.dead) return std::nullopt;
  const DeadNeighbour& dead = *path.dead;
  if (dead.is_machine)
    return PathBreak{dead.device,
                     fmt::format("hears nothing from {}, the machine's address (neighbour failed): "
                                 "its guest is not up, or has another address",
                                 dead.address),
                     ""};
  return PathBreak{dead.device,
                   fmt::format("hears nothing from {} (neighbour failed): it is not up, or not on "
                               "that link",
                               dead.address),
                   ""};
}

// A bridge tells nobody that a frame was too large for one of its ports: it is gone.
std::optional<PathBreak> find_narrow(const HostPath& path) {
  const PathDevice* tap = find_role(path, PathRole::tap);
  const PathDevice* other =
      find_role(path, path.wants_uplink ? PathRole::uplink : PathRole::bridge);
  if (!tap || !other || tap->mtu == other->mtu ||
      (path.told_mtu && path.told_mtu == tap->mtu && tap->mtu < other->mtu))
    return std::nullopt;
  const PathDevice& least = tap->mtu < other->mtu ? *tap : *other;
  const PathDevice& most = tap->mtu < other->mtu ? *other : *tap;
  const std::string cure = fmt::format("ip link set {} mtu {}", shell_quote(least.name), most.mtu);
  return PathBreak{least.name,
                   fmt::format("has an MTU of {}, and {} one of {}: larger frames are dropped "
                               "without a word; `{}` makes them equal",
                               least.mtu, most.name, most.mtu, cure),
                   cure};
}

}  // namespace

std::string direction_of(const PathFilter& filter) {
  if (filter.from_host)
    return filter.in ? "what this host sends to the machine" : "what the machine asks of this host";
  if (filter.in && filter.out) return "what goes to the machine and what comes from it";
  return filter.in ? "what goes to the machine" : "what comes from the machine";
}

std::optional<PathBreak> find_hidden_break(const HostPath& path) {
  if (path.shut) return path.shut;
  if (auto found = find_filter(path)) return found;
  if (auto found = find_unrouted(path)) return found;
  if (auto found = find_silent(path)) return found;
  if (auto found = find_own_filter(path)) return found;
  return find_narrow(path);
}

}  // namespace nutshell
