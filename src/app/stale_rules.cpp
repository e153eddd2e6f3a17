// What a host's firewall says of an uplink that was adopted since: only doctor asks, and only where
// there is an adoption.
#include <fmt/format.h>

#include <algorithm>

#include "app/adoption.hpp"
#include "app/firewall.hpp"
#include "app/path_look.hpp"
#include "host/adoption.hpp"
#include "host/ruleset.hpp"

namespace nutshell {
namespace {

void drop_ours(House& house, Ruleset& ruleset) {
  const std::vector<OurTable> tables = our_tables(house);
  std::erase_if(ruleset.chains, [&](const FilterChain& chain) {
    return std::any_of(tables.begin(), tables.end(), [&](const OurTable& table) {
      return table.family == chain.family && table.name == chain.table;
    });
  });
}

}  // namespace

std::vector<WayTrouble> stale_rule_troubles(House& house) {
  std::vector<WayTrouble> troubles;
  std::vector<std::string> unreadable;
  std::vector<Adoption> adoptions = host::read_adoptions(adoptions_folder(house), unreadable);
  std::erase_if(adoptions, [&](const Adoption& each) {
    return each.state != AdoptionState::confirmed || is_elsewhere(house, each);
  });
  if (adoptions.empty() || !house.root) return troubles;
  host::SeenRules seen = host::observe_ruleset();
  drop_ours(house, seen.ruleset);
  for (const Adoption& each : adoptions) {
    const std::string &port = each.before.uplink, &bridge = each.before.bridge;
    for (const StaleRules& stale : find_stale(seen.ruleset, port, bridge))
      troubles.push_back(
          {"filter " + bridge,
           fmt::format(
               "{0} rule{1} of {2} {3} ({4}{5}) {6} about {7}, whose packets come in by {8} "
               "since it was adopted: {9} no packet any more",
               stale.count, stale.count == 1 ? "" : "s", stale.chain->family, stale.chain->table,
               stale.chain->name, stale.count == 1 ? "" : ", ...", stale.count == 1 ? "is" : "are",
               port, bridge, stale.count == 1 ? "it matches" : "they match"),
           cure_for_stale(seen.ruleset, stale, port, bridge, seen.iptables), false});
  }
  return troubles;
}

}  // namespace nutshell
