// bridge ls and bridge repair: what there is, and what should be.
#include <fmt/format.h>

#include <algorithm>

#include "app/adoption.hpp"
#include "app/bridge_checks.hpp"
#include "app/cmd.hpp"
#include "app/forwarding.hpp"
#include "app/network.hpp"
#include "app/start.hpp"
#include "host/adoption.hpp"
#include "host/bridge.hpp"
#include "host/observe.hpp"
#include "nutshell/facts.hpp"

namespace nutshell {

// The machine whose tap it is, by its mark; empty for a stranger's port.
std::string machine_of_port(const std::string& alias) {
  constexpr std::size_t start = std::string_view("nutshell:").size();
  if (!is_mark(alias)) return "";
  const std::string name = alias.substr(start, alias.rfind(':') - start);
  return name.starts_with("default/") ? name.substr(8) : name;
}

std::string port_words(const host::BridgePortFact& port) {
  const std::string machine = machine_of_port(port.alias);
  return machine.empty() ? port.name : fmt::format("{} ({})", machine, port.name);
}

Exit run_bridge_ls(const Parsed&, House& house) {
  if (!house.dry() && lacks_isolation(house)) {  // what the host made anew when it started
    try {
      follow_isolated_bridges(house);
    } catch (const Error& error) {
      house.reporter.warn(fmt::format("isolated bridges have no rules: {}", error.what()));
    }
  }
  std::vector<std::string> trouble;
  const std::vector<Adoption> adoptions = host::read_adoptions(adoptions_folder(house), trouble);
  for (const std::string& each : trouble) house.reporter.warn(each);
  Json list = Json::array();
  Table table{{"BRIDGE", "OURS", "ADDRESSES", "PORTS", "STP", "ADOPTION"}, {}};
  for (const host::BridgeFact& bridge : host::list_bridges()) {
    const auto adoption =
        std::find_if(adoptions.begin(), adoptions.end(), [&](const Adoption& each) {
          return each.before.bridge == bridge.name && each.state != AdoptionState::restored;
        });
    const auto note = read_bridge_note(house, bridge.name);
    const bool ours = is_our_bridge(house, bridge.name, bridge.alias, bridge.mac);
    const bool network = is_mark(bridge.alias);
    Json ports = Json::array(), addresses = Json::array(), adopted_from;
    std::string ports_text, addresses_text, adoption_text = "-";
    for (const host::BridgePortFact& port : bridge.ports) {
      const std::string machine = machine_of_port(port.alias);
      ports.push(Json::object({{"name", port.name},
                               {"state", port.state},
                               {"machine", machine.empty() ? Json() : Json(machine)}}));
      ports_text += (ports_text.empty() ? "" : ", ") + port_words(port);
    }
    for (const std::string& address : bridge.addresses) {
      addresses.push(address);
      if (!address.starts_with("fe80:"))
        addresses_text += (addresses_text.empty() ? "" : ", ") + address;
    }
    if (adoption != adoptions.end()) {
      const std::uint64_t now = host::boot_milliseconds();
      const bool waits = adoption->state != AdoptionState::confirmed;
      const std::uint64_t left = adoption->deadline > now ? (adoption->deadline - now) / 1000 : 0;
      adopted_from = Json::object({{"uplink", adoption->before.uplink},
                                   {"state", to_string(adoption->state)},
                                   {"seconds_left", waits ? Json(left) : Json()},
                                   {"persist", adoption->persist}});
      adoption_text = waits ? fmt::format("{}, {} s to confirm", adoption->before.uplink, left)
                            : adoption->before.uplink;
    }
    list.push(Json::object({{"name", bridge.name},
                            {"ours", ours},
                            {"network", network ? Json(bridge.alias) : Json()},
                            {"mac", bridge.mac},
                            {"mtu", bridge.mtu},
                            {"up", bridge.up},
                            {"isolated", note && note->isolated},
                            {"stp", bridge.stp},
                            {"forward_delay", bridge.forward_delay},
                            {"hello", bridge.hello},
                            {"max_age", bridge.max_age},
                            {"vlan_filtering", bridge.vlan_filtering},
                            {"addresses", addresses},
                            {"ports", ports},
                            {"adoption", adopted_from}}));
    table.rows.push_back({bridge.name,
                          ours      ? "yes"
                          : network ? "network"
                                    : "no",
                          addresses_text.empty() ? "-" : addresses_text,
                          ports_text.empty() ? "-" : ports_text, bridge.stp ? "on" : "off",
                          adoption_text});
  }
  Json put_back = Json::array();
  for (const Adoption& each : adoptions) {
    if (each.state != AdoptionState::restored) continue;
    Json left = Json::array();
    for (const std::string& one : each.left) left.push(one);
    put_back.push(Json::object({{"bridge", each.before.bridge},
                                {"uplink", each.before.uplink},
                                {"reason", each.reason},
                                {"left", left}}));
    if (!house.reporter.json()) house.reporter.note(words_of_restored(each));
  }
  if (table.rows.empty() && !house.reporter.json())
    house.reporter.note("there is no bridge");
  else
    house.reporter.answer(Json::object({{"bridges", list}, {"put_back", put_back}}), table);
  return Exit::done;
}

namespace {

// Of those that are ports of it; one that was put on it a moment ago has them already.
std::vector<std::string> repair_vlans(House& house, const std::string& bridge) {
  std::vector<std::string> ports;
  for (const Mistagged& each : mistagged_taps(house)) {
    if (each.port.bridge != bridge) continue;
    if (!house.dry()) host::put_on_bridge(each.port.tap, bridge, each.port.wish);
    ports.push_back(each.port.tap);
    if (!house.reporter.json())
      house.reporter.note(fmt::format("{} ({}) {} the VLANs {}", each.port.machine, each.port.tap,
                                      house.dry() ? "would have" : "has",
                                      host::vlan_words(each.port.wish)));
  }
  return ports;
}

/// Throws where a port is on a bridge (or in a bond) that is not ours: somebody put it there.
void check_free(House& house, const Facts& facts, const std::string& port) {
  const LinkFact* link = facts.link(port);
  if (!link || link->master == 0) return;
  const std::string ending = ":" + house.registry().tag();
  for (const LinkFact& master : facts.links)
    if (master.index == link->master && !(is_mark(master.alias) && master.alias.ends_with(ending)))
      throw Conflict(
          fmt::format("{0} is a port of {1} now, which is not nutshell's; take it off there first, "
                      "with `ip link set {0} nomaster`",
                      port, master.name));
}

}  // namespace

Exit run_bridge_repair(const Parsed& args, House& house) {
  const std::string& name = args.word(0, "BRIDGE");
  check_bridge_name(name);
  need_root(house, "bridge repair");
  Facts facts = observe_parts(house, host::part::links);
  if (!facts.link(name) && make_network_again(house, name)) {
    house.reporter.note(fmt::format("the bridge {} {} made again, with its rules, DHCP and DNS",
                                    name, house.dry() ? "would be" : "is"));
    if (house.dry()) return Exit::done;
    facts = observe_parts(house, host::part::links);
  }
  const LinkFact* bridge = facts.link(name);
  if (!bridge || bridge->kind != "bridge")
    throw NotFound(fmt::format("{}; `nutshell bridge create {}` makes it",
                               bridge ? name + " is no bridge" : "there is no bridge " + name,
                               name));
  std::vector<std::string> ports;
  std::vector<host::PortWish> wishes;
  std::string words;
  for (const Placed& each : displaced_taps(house))
    if (each.bridge == name) {
      ports.push_back(each.tap);
      wishes.push_back(each.wish);
      words += fmt::format("{}{} ({})", words.empty() ? "" : ", ", each.machine, each.tap);
    }
  auto adoption = host::read_adoption(adoptions_folder(house), name);
  std::string missing;
  if (adoption && adoption->state == AdoptionState::confirmed) {
    adoption = host::with_present_name(*adoption);
    const LinkFact* uplink = facts.link(adoption->before.uplink);
    if (!uplink) missing = adoption->before.uplink;
    if (uplink && uplink->master != bridge->index) {
      ports.push_back(uplink->name);
      wishes.emplace_back();
      words += fmt::format("{}the uplink {}", words.empty() ? "" : ", ", uplink->name);
    }
  }
  for (const std::string& port : ports) check_free(house, facts, port);
  if (lacks_isolation(house) && !house.dry()) follow_isolated_bridges(house);
  if (!house.dry())
    for (std::size_t i = 0; i < ports.size(); ++i) host::put_on_bridge(ports[i], name, wishes[i]);
  const std::vector<std::string> retagged = repair_vlans(house, name);
  Json list = Json::array();
  for (const std::string& port : ports) list.push(port);
  Json vlan_list = Json::array();
  for (const std::string& port : retagged) vlan_list.push(port);
  if (house.reporter.json())
    house.reporter.answer(
        Json::object({{"bridge", name}, {"repaired", list}, {"vlans", vlan_list}}), "");
  else if (!ports.empty() || (retagged.empty() && missing.empty()))
    house.reporter.note(
        ports.empty()
            ? fmt::format("{} has every port that it should have", name)
            : fmt::format("{} on {} again: {}", house.dry() ? "would be put" : "put", name, words));
  if (!missing.empty())
    throw Error(Exit::left_behind,
                fmt::format("{0}: its uplink {1} is not there; bring it back and repair again, or "
                            "take the bridge away with `nutshell bridge release {0}`",
                            name, missing));
  return Exit::done;
}

}  // namespace nutshell
