// doctor's part of path: what of this host stands in the way of every machine on a bridge or in a
// network, looked at once for each of them.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "app/path_look.hpp"
#include "app/path_looker.hpp"
#include "host/observe_route.hpp"
#include "host/ruleset.hpp"
#include "nutshell/values.hpp"

namespace nutshell {

std::vector<WayTrouble> way_troubles(House& house) {
  std::map<std::string, NicSpec> places;
  for (const MachineRow& row : house.registry().machines())
    for (const NicSpec& nic : row.spec.nics)
      if (nic.kind == NicKind::bridge) {
        places[nic.bridge].kind = nic.kind;
        places[nic.bridge].bridge = nic.bridge;
      }
  for (const NetworkRow& network : house.registry().networks()) {
    NicSpec& nic = places[network.bridge];
    nic.kind = NicKind::network;
    nic.bridge = network.bridge;
    nic.network = network.name;
  }
  std::vector<WayTrouble> troubles;
  if (places.empty()) return troubles;
  Looker looker(house, std::nullopt);
  for (const auto& [bridge, nic] : places) {
    const HostPath path = looker.look_at_all(nic);
    if (std::none_of(path.devices.begin(), path.devices.end(), [](const PathDevice& device) {
          return device.role == PathRole::bridge && device.present;
        }))
      continue;  // a network that is not up
    for (const PathDevice& device : path.devices)
      for (const PathFilter& filter : device.filters)
        if (filter.certain && device.present)
          troubles.push_back({"filter " + bridge,
                              fmt::format("{} drops {}: {}{}", device.name, direction_of(filter),
                                          filter.owner, filter.where),
                              filter.cure, true});
    if (path.route && !path.route->forwards)
      troubles.push_back({"forwarding " + bridge,
                          fmt::format("{} is 0, and its machines reach nothing beyond this host",
                                      path.route->forwarding),
                          shell_line({"sysctl", "-w", path.route->forwarding + "=1"}), true});
  }
  if (const std::uint64_t drops = host::reverse_path_drops()) {
    WayTrouble trouble{"rp_filter", "", "", false};
    for (const std::string& link : host::strict_links()) {
      trouble.words += (trouble.words.empty() ? "" : ", ") + link;
      trouble.cure +=
          (trouble.cure.empty() ? "" : " && ") +
          shell_line({"sysctl", "-w", fmt::format("net.ipv4.conf.{}.rp_filter=2", link)});
    }
    trouble.words += fmt::format(
        " drops what it would answer by another link; {} packets so far "
        "on this host",
        drops);
    if (!trouble.cure.empty()) troubles.push_back(std::move(trouble));
  }
  if (!looker.trouble().empty() && house.root)
    troubles.push_back({"filters", looker.trouble(), "", false});
  return troubles;
}

}  // namespace nutshell
