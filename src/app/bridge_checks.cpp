// A network restart takes every port off a bridge that it makes anew; the kernel forgets, the
// registry does not.
#include "app/bridge_checks.hpp"

#include <fmt/format.h>

#include "app/adoption.hpp"
#include "app/firewall.hpp"
#include "app/forwarding.hpp"
#include "app/machine_state.hpp"
#include "app/start.hpp"
#include "host/adoption.hpp"
#include "host/observe.hpp"
#include "nutshell/facts.hpp"

namespace nutshell {

std::vector<Placed> placed_taps(House& house) {
  std::vector<Placed> placed;
  for (const MachineRow& row : house.registry().machines()) {
    if (!row.run || row.run->boot_id != house.boot_id || !is_alive(house, row.uuid)) continue;
    for (std::size_t i = 0; i < row.spec.nics.size() && i < row.run->taps.size(); ++i) {
      const NicSpec& nic = row.spec.nics[i];
      if (row.run->taps[i].empty()) continue;
      if (nic.kind == NicKind::bridge)
        placed.push_back({to_string(row.name), row.run->taps[i], nic.bridge, port_wish(nic)});
      else if (nic.kind == NicKind::network)
        if (const auto network = house.registry().network(nic.network))
          placed.push_back(
              {to_string(row.name), row.run->taps[i], network->bridge, port_wish(nic)});
    }
  }
  return placed;
}

std::vector<Placed> displaced_taps(House& house) {
  const std::vector<Placed> placed = placed_taps(house);
  std::vector<Placed> displaced;
  if (placed.empty()) return displaced;
  const Facts facts = observe_parts(house, host::part::links);
  for (const Placed& each : placed) {
    const LinkFact *tap = facts.link(each.tap), *bridge = facts.link(each.bridge);
    if (tap && (!bridge || tap->master != bridge->index)) displaced.push_back(each);
  }
  return displaced;
}

std::vector<Mistagged> mistagged_taps(House& house) {
  std::vector<Mistagged> mistagged;
  std::vector<Placed> placed = placed_taps(house);
  std::erase_if(placed, [](const Placed& each) { return !each.wish.has_vlans(); });
  if (placed.empty()) return mistagged;
  const Facts facts = observe_parts(house, host::part::links);
  for (Placed& each : placed) {
    const LinkFact *tap = facts.link(each.tap), *bridge = facts.link(each.bridge);
    if (!tap || !bridge || tap->master != bridge->index) continue;
    if (std::string now = host::different_vlans(each.tap, each.wish); !now.empty())
      mistagged.push_back({std::move(each), std::move(now)});
  }
  return mistagged;
}

bool lacks_isolation(House& house) {
  return house.root && !isolated_bridges(house).empty() && our_tables(house).empty();
}

namespace {

void find_vlan_troubles(House& house, std::vector<BridgeTrouble>& troubles) {
  for (const Mistagged& each : mistagged_taps(house))
    troubles.push_back({each.port.bridge,
                        fmt::format("{} of the machine {} has the VLANs {}, not {}; run `nutshell "
                                    "bridge repair {}`",
                                    each.port.tap, each.port.machine, each.now,
                                    host::vlan_words(each.port.wish), each.port.bridge),
                        true});
  std::vector<Placed> placed = placed_taps(house);
  std::erase_if(placed, [](const Placed& each) { return !each.wish.has_vlans(); });
  if (placed.empty()) return;
  const Facts facts = observe_parts(house, host::part::links);
  for (const Placed& each : placed)
    if (const LinkFact* bridge = facts.link(each.bridge); bridge && !bridge->vlan_filtering)
      troubles.push_back(
          {each.bridge,
           fmt::format("{} of the machine {} has VLANs, and this bridge does not keep them apart; "
                       "`ip link set {} type bridge vlan_filtering 1` lets it",
                       each.tap, each.machine, each.bridge),
           true});
}

/// Of a confirmed adoption whose uplink is no port of its bridge: what cures it.
std::string words_of_trouble(const Facts& facts, const UplinkView& view) {
  const LinkFact *uplink = facts.link(view.uplink), *bridge = facts.link(view.bridge);
  if (!uplink)
    return fmt::format(
        "its uplink {} is not there; bring it back and run `nutshell bridge repair "
        "{}`, or take the bridge away with `nutshell bridge release {}`",
        view.uplink, view.bridge, view.bridge);
  if (!bridge)
    return fmt::format("it is not there; `nutshell bridge release {}` gives {} its addresses back",
                       view.bridge, view.uplink);
  if (uplink->master != 0)
    return fmt::format(
        "its uplink {} is a port of something else; take it off there with `ip link "
        "set {} nomaster`, then run `nutshell bridge repair {}`",
        view.uplink, view.uplink, view.bridge);
  return fmt::format("its uplink {} is no port of it; run `nutshell bridge repair {}`", view.uplink,
                     view.bridge);
}

/// Of a tap that is no port of its bridge: what is some other bridge's is taken off there first.
std::string words_of_displaced(const Facts& facts, const Placed& each) {
  const LinkFact* tap = facts.link(each.tap);
  for (const LinkFact& link : facts.links)
    if (tap && tap->master != 0 && link.index == tap->master)
      return fmt::format(
          "{0} of the machine {1} is a port of {2}; take it off there with `ip link set {0} "
          "nomaster`, then run `nutshell bridge repair {3}`",
          each.tap, each.machine, link.name, each.bridge);
  return fmt::format("{} of the machine {} is no port of it; run `nutshell bridge repair {}`",
                     each.tap, each.machine, each.bridge);
}

}  // namespace

std::vector<BridgeTrouble> bridge_troubles(House& house) {
  std::vector<BridgeTrouble> troubles;
  find_vlan_troubles(house, troubles);
  if (const std::vector<Placed> displaced = displaced_taps(house); !displaced.empty()) {
    const Facts facts = observe_parts(house, host::part::links);
    for (const Placed& each : displaced)
      troubles.push_back({each.bridge, words_of_displaced(facts, each), true});
  }
  if (lacks_isolation(house))
    for (const std::string& bridge : isolated_bridges(house))
      troubles.push_back({bridge,
                          fmt::format("it is isolated, and its rules are gone from nftables; "
                                      "`nutshell bridge repair {}` makes them again",
                                      bridge),
                          true});
  std::vector<std::string> unreadable;
  const std::vector<Adoption> adoptions = host::read_adoptions(adoptions_folder(house), unreadable);
  if (adoptions.empty()) return troubles;
  const Facts facts = observe_parts(house, host::part::links);
  for (const Adoption& noted : adoptions) {
    if (is_elsewhere(house, noted)) continue;
    const Adoption each = host::with_present_name(noted);
    const UplinkView& view = each.before;
    const LinkFact *uplink = facts.link(view.uplink), *bridge = facts.link(view.bridge);
    if (each.state == AdoptionState::restored)
      troubles.push_back({view.bridge, words_of_restored(each), !each.left.empty()});
    else if (each.state == AdoptionState::confirmed &&
             (!uplink || !bridge || uplink->master != bridge->index))
      troubles.push_back({view.bridge, words_of_trouble(facts, view), true});
    else if (each.state == AdoptionState::waiting)
      troubles.push_back({view.bridge, fmt::format("the adoption of {} waits for `nutshell bridge "
                                                   "confirm {}`",
                                                   view.uplink, view.bridge)});
  }
  return troubles;
}

}  // namespace nutshell
