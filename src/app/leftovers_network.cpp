// What networks leave behind when nobody runs on them: bridges, DHCP servers, rules, forwarding.
#include "app/leftovers_network.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/firewall.hpp"
#include "app/forwarding.hpp"
#include "app/guard.hpp"
#include "app/network_up.hpp"
#include "app/start.hpp"
#include "host/dhcp.hpp"
#include "host/files.hpp"
#include "host/observe.hpp"

namespace nutshell {
namespace {

using Kind = Leftover::Kind;

bool in_use(House& house, const std::string& network) {
  const auto machines = house.registry().machines();
  return std::any_of(machines.begin(), machines.end(),
                     [&](const MachineRow& row) { return runs_on(row, network); });
}

void find_firewall(House& house, std::vector<Leftover>& found) {
  if (!networks_up(house, Uuid{}).empty() || !isolated_bridges(house).empty()) return;
  const bool guarded = !guests_up(house).empty();
  for (const OurTable& table : our_tables(house)) {
    if (table.family == "bridge" && guarded) continue;
    found.push_back({Kind::firewall,
                     fmt::format("the nftables table {} {}", table.family, table.name),
                     fmt::format("its mark is nutshell:{}, and no machine runs that it is for",
                                 house.registry().tag()),
                     table.name});
  }
  if (found.empty() && has_firewall(house))
    found.push_back({Kind::firewall, "the host's forwarding",
                     "it is on because of a network, and no machine runs on any", ""});
}

}  // namespace

// A bridge of ours carries the tag of this registry in its mark, so another registry's is never
// taken for ours.
void find_network_leftovers(House& house, std::vector<Leftover>& found) {
  const std::string ending = ":" + house.registry().tag();
  const std::string start_of_folder = house.paths.network_dir("");
  std::vector<std::string> folders = host::served_folders(house.paths.run);
  for (const std::string& name : host::names_in(house.paths.run))
    folders.push_back(house.paths.run + "/" + name);
  std::sort(folders.begin(), folders.end());
  folders.erase(std::unique(folders.begin(), folders.end()), folders.end());
  for (const std::string& folder : folders) {
    if (!folder.starts_with(start_of_folder)) continue;
    const std::string network = folder.substr(start_of_folder.size());
    if (in_use(house, network)) continue;
    found.push_back(
        {Kind::dhcp, "the DHCP server of " + network, "no machine runs on that network", folder});
  }
  if (!house.root) return;
  find_firewall(house, found);
  const Facts facts = observe_parts(house, host::part::links);
  for (const LinkFact& link : facts.links) {
    const std::string start = network_mark("");
    if (link.kind != "bridge" || !link.alias.starts_with(start) || !link.alias.ends_with(ending))
      continue;
    const std::string network =
        link.alias.substr(start.size(), link.alias.size() - start.size() - ending.size());
    if (in_use(house, network)) continue;
    const auto port =
        std::find_if(facts.links.begin(), facts.links.end(),
                     [&](const LinkFact& other) { return other.master == link.index; });
    found.push_back({Kind::bridge, "the bridge " + link.name,
                     fmt::format("its mark is {}, and no machine runs on {}", link.alias, network),
                     link.name});
    if (port != facts.links.end())
      found.back().held =
          fmt::format("{0} is a port of it; `ip link set {0} nomaster` takes it off", port->name);
  }
}

}  // namespace nutshell
