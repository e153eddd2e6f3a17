// All paths of a machine at one moment, and once more a second later where only what moves tells
// whether something is wrong now.
#include "app/path_look.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "app/interrupt.hpp"
#include "app/path_looker.hpp"
#include "app/start.hpp"
#include "host/observe.hpp"
#include "host/ruleset.hpp"

namespace nutshell {
namespace {

std::uint64_t counted_before(const HostPath& path, const PathFilter& filter) {
  for (const PathDevice& device : path.devices)
    for (const PathFilter& each : device.filters)
      if (each.ours && each.where == filter.where) return each.packets.value_or(0);
  return 0;
}

/// True where something has counted that matters only while it goes on.
bool has_counted(const HostPath& path) {
  for (const PathDevice& device : path.devices)
    for (const PathFilter& each : device.filters)
      if (each.ours && each.packets.value_or(0)) return true;
  return path.route && path.route->strict_guess;
}

/// A connection that is dropped is tried again only after a while (TCP: 1 second, then 2).
void wait_for_drops(const PathLook& look) {
  for (const HostPath& path : look.paths) {
    if (!path.route || !path.route->strict_guess) continue;
    for (int i = 0; i < 25 && host::reverse_path_drops() == path.route->strict_drops; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      check_interrupt();
    }
    return;
  }
}

}  // namespace

PathLook look_at_paths(House& house, const MachineRow& row, const std::optional<Ipv4>& to) {
  PathLook look;
  Looker looker(house, to);
  for (std::size_t i = 0; i < row.spec.nics.size(); ++i) look.paths.push_back(looker.look(row, i));
  look.remarks.assign(looker.remarks().begin(), looker.remarks().end());
  if (!looker.trouble().empty()) look.remarks.push_back(looker.trouble());
  look.saw_filters = looker.trouble().empty();
  look.outer = host::observe_outer_host();
  if (!look.outer) return look;
  const Facts facts = observe_parts(house, host::part::links);
  for (const HostPath& path : look.paths)
    for (const PathDevice& device : path.devices)
      if (device.role == PathRole::uplink || device.role == PathRole::outer)
        if (const LinkFact* link = facts.link(device.name);
            link && std::find(look.outer_macs.begin(), look.outer_macs.end(),
                              to_string(link->mac)) == look.outer_macs.end())
          look.outer_macs.push_back(to_string(link->mac));
  return look;
}

void look_again(House& house, const MachineRow& row, const std::optional<Ipv4>& to,
                PathLook& look) {
  if (std::none_of(look.paths.begin(), look.paths.end(), has_counted)) return;
  std::this_thread::sleep_for(std::chrono::seconds(1));
  check_interrupt();
  wait_for_drops(look);
  PathLook second = look_at_paths(house, row, to);
  for (std::size_t i = 0; i < second.paths.size() && i < look.paths.size(); ++i) {
    HostPath& now = second.paths[i];
    for (PathDevice& device : now.devices)
      for (PathFilter& filter : device.filters)
        if (filter.ours)
          filter.rising = filter.packets.value_or(0) - counted_before(look.paths[i], filter);
    if (now.route && look.paths[i].route && look.paths[i].route->strict == now.route->strict)
      now.route->strict_rising = now.route->strict_drops - look.paths[i].route->strict_drops;
  }
  look = std::move(second);
}

}  // namespace nutshell
