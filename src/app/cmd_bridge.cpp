// bridge create and rm. A bridge that is not ours is used, and nothing else.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "app/adoption.hpp"
#include "app/bridge_checks.hpp"
#include "app/bridge_options.hpp"
#include "app/cmd.hpp"
#include "app/forwarding.hpp"
#include "app/network.hpp"
#include "app/start.hpp"
#include "host/adoption.hpp"
#include "host/bridge.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/native_network.hpp"
#include "host/observe.hpp"
#include "nutshell/facts.hpp"

namespace nutshell {
namespace {

constexpr auto lock_patience = std::chrono::seconds(10);

host::Lock lock_bridges(House& house) {
  const std::string folder = house.paths.state + "/bridges";
  host::make_directories(folder);
  return host::Lock::exclusive(folder + "/lock", lock_patience, "the bridges of this host");
}

std::string draw_mac() {
  // Unicast, locally administered, and neither in the range of machines nor in that of taps.
  const std::uint64_t low = draw_random() & 0xffffffffffULL;
  return to_string(Mac{std::uint64_t{0x02} << 40 | low});
}

/// Throws where a link of that name is in the way; gives the note of one of ours that was cut short
/// while it was made.
std::optional<BridgeNote> check_way(House& house, const std::string& name) {
  const auto note = read_bridge_note(house, name);
  const Facts facts = observe_parts(house, host::part::links);
  const LinkFact* link = facts.link(name);
  for (const NetworkRow& network : house.registry().networks())
    if (network.bridge == name)
      throw Conflict(fmt::format(
          "{} is the bridge of the managed network {}, which makes it; choose another name{}", name,
          network.name,
          link ? ""
               : fmt::format(" (`nutshell bridge repair {}` makes it again where machines "
                             "lost it)",
                             name)));
  if (!link) return std::nullopt;
  if (note && link->kind == "bridge" && link->alias.empty() && to_string(link->mac) == note->mac)
    return note;
  if (link->alias == mark_of_bridge(house, name))
    throw Conflict(fmt::format("the bridge {} is there already; `nutshell bridge rm {}` removes it",
                               name, name));
  throw Conflict(fmt::format(
      "there is a {} {} already, which is not nutshell's; use it as it is, or choose another name",
      link->kind.empty() ? "link" : link->kind, name));
}

void check_addresses(House& house, const std::vector<std::string>& addresses) {
  for (const std::string& address : addresses) {
    for (const NetworkRow& network : house.registry().networks())
      if (const auto net = parse_ipv4_net(address); net && net->overlaps(network.address))
        throw Conflict(fmt::format("--address {} overlaps the network {} ({}); choose another",
                                   address, network.name, to_string(network.address)));
    if (const auto holder = host::overlapping_network(address))
      throw Conflict(
          fmt::format("--address {} overlaps what is there: {}; choose another", address, *holder));
  }
}

Native native_of_new(const host::NewBridge& wish) {
  NativeBridge bridge;
  bridge.name = wish.name;
  bridge.mac = wish.mac;
  bridge.mtu = wish.mtu;
  bridge.stp = wish.stp;
  bridge.vlan_filtering = wish.vlan_filtering;
  bridge.isolated = wish.isolated;
  bridge.forward_delay = wish.forward_delay;
  bridge.hello = wish.hello;
  bridge.max_age = wish.max_age;
  for (const std::string& text : wish.addresses) {
    const std::size_t slash = text.find('/');
    LinkAddress address;
    address.link = wish.name;
    address.ip = text.substr(0, slash);
    std::from_chars(text.data() + slash + 1, text.data() + text.size(), address.prefix);
    address.valid = address.preferred = forever;
    bridge.addresses.push_back(address);
  }
  return native_of(bridge, need_service({}));
}

std::string words_of(const host::NewBridge& wish) {
  std::string text = fmt::format("make the bridge {} with the MAC {}", wish.name, wish.mac);
  for (const std::string& address : wish.addresses) text += ", address " + address;
  if (wish.mtu) text += fmt::format(", MTU {}", *wish.mtu);
  text += wish.stp ? ", STP on" : ", STP off";
  if (wish.vlan_filtering) text += ", VLAN filtering";
  if (wish.isolated) text += ", isolated";
  return text;
}

/// The setting of the link keeps IPv4 from being forwarded; somebody may turn it on again, and for
/// IPv6 there is none.
void close_isolated(House& house, const std::string& name) {
  try {
    follow_isolated_bridges(house);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    house.reporter.warn(fmt::format(
        "the bridge {} has no rules that keep it apart, only its setting: {}", name, error.what()));
  }
}

}  // namespace

Exit run_bridge_create(const Parsed& args, House& house) {
  host::NewBridge wish = parse_new_bridge(args);
  need_root(house, "bridge create");
  const bool persist = args.has("persist");
  check_way(house, wish.name);  // a refusal leaves no trace, not even a lock
  check_addresses(house, wish.addresses);
  wish.mac = draw_mac();
  if (house.dry()) {
    const Native native = persist ? native_of_new(wish) : Native{};
    house.reporter.answer(
        Json::object({{"plan", Json::array({Json::object(
                                   {{"step", "make_bridge"}, {"description", words_of(wish)}})})},
                      {"native", persist ? json_of(native) : Json()}}),
        words_of(wish) + "\n" + text_of(native));
    return Exit::done;
  }
  wish.mark = mark_of_bridge(house, wish.name);
  const Native native = persist ? native_of_new(wish) : Native{};
  host::check_native(native.files, wish.name);
  const host::Lock lock = lock_bridges(house);
  if (const auto half = check_way(house, wish.name))
    host::drop_host_bridge(wish.name, wish.mark, half->mac);
  write_bridge_note(house, wish.name, {wish.mac, wish.isolated});
  try {
    host::make_host_bridge(wish);
    if (wish.isolated) close_isolated(house, wish.name);
    host::write_native(native.files, wish.name);
  } catch (...) {
    host::drop_host_bridge(wish.name, wish.mark, wish.mac);
    drop_bridge_note(house, wish.name);
    throw;
  }
  if (persist) house.reporter.note(text_of(native));
  house.reporter.done(
      fmt::format("the bridge {} is there{}", wish.name,
                  !persist ? "; it is gone when this host restarts (--persist keeps it)"
                  : native.commands.empty()
                      ? ", and comes back when this host restarts"
                      : "; the commands above make it come back when this host restarts"));
  return Exit::done;
}

Exit run_bridge_rm(const Parsed& args, House& house) {
  const std::string& name = args.word(0, "BRIDGE");
  check_bridge_name(name);
  need_root(house, "bridge rm");
  const auto note = read_bridge_note(house, name);
  const std::vector<host::BridgeFact> bridges = host::list_bridges();
  const auto found = std::find_if(bridges.begin(), bridges.end(),
                                  [&](const host::BridgeFact& each) { return each.name == name; });
  const std::vector<std::string> native = host::find_native(name);
  if (found == bridges.end() && !note && native.empty())
    throw NotFound(fmt::format("there is no bridge {}; `nutshell bridge ls` lists them", name));
  const std::string mark = mark_of_bridge(house, name);
  if (found != bridges.end()) {
    if (!is_our_bridge(house, name, found->alias, found->mac))
      throw Conflict(fmt::format(
          "the bridge {} is not nutshell's (it carries no mark of this registry); it is left alone",
          name));
    const auto adoption = host::read_adoption(adoptions_folder(house), name);
    if (adoption && adoption->state != AdoptionState::restored)
      throw Conflict(
          fmt::format("the bridge {} has the addresses of {}; give them back first with `nutshell "
                      "bridge release {}`",
                      name, adoption->before.uplink, name));
    if (!found->ports.empty()) {
      std::string ports;
      for (const host::BridgePortFact& port : found->ports)
        ports += (ports.empty() ? "" : ", ") + port_words(port);
      throw Conflict(
          fmt::format("the bridge {} still has ports: {}; stop those machines, or take "
                      "the ports off it, first",
                      name, ports));
    }
  }
  std::vector<std::string> left;
  if (!house.dry()) {
    const host::Lock lock = lock_bridges(house);
    host::drop_host_bridge(name, mark, note ? note->mac : "");
    left = host::drop_native(name);
    drop_bridge_note(house, name);
    if (note && note->isolated) follow_isolated_bridges(house);
  }
  if (!left.empty()) {
    std::string words;
    for (const std::string& each : left) words += (words.empty() ? "" : "; ") + each;
    throw Error(Exit::left_behind,
                fmt::format("the bridge {} is removed, but it comes back when this host restarts: "
                            "{}",
                            name, words));
  }
  std::string what =
      fmt::format("the bridge {} {}removed", name, house.dry() ? "would be " : "is ");
  for (const std::string& path : native) what += ", and " + path;
  house.reporter.done(what);
  return Exit::done;
}

}  // namespace nutshell
