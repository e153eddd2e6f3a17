// A packet crosses more hooks than devices: coming in by a port, being forwarded, going out by
// another, and on a bridge with br_netfilter, those of IP as well. Each hook is asked for both
// directions, and what drops there is put onto the device where it happens.
#include "nutshell/path_filters.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nutshell {
namespace {

enum class Way { in, out };

struct Question {
  Crossing crossing;
  PathRole at = PathRole::bridge;
  Way way = Way::out;
  Passage::Kind kind = Passage::Kind::bridged;
};

const PathDevice* find_role(const HostPath& path, PathRole role) {
  for (const PathDevice& device : path.devices)
    if (device.role == role) return &device;
  return nullptr;
}

std::string name_of(const HostPath& path, PathRole role) {
  const PathDevice* device = find_role(path, role);
  return device ? device->name : "";
}

using Known = std::map<About, std::string>;

class Questions {
 public:
  Questions(const HostPath& path, const PathView& view)
      : view_(view),
        bridge_(name_of(path, PathRole::bridge)),
        tap_(name_of(path, PathRole::tap)),
        outer_(name_of(path, path.wants_uplink ? PathRole::uplink : PathRole::outer)) {
    // Of a machine that does not run, one of those that it may get.
    if (tap_.empty()) tap_ = view.ports;
  }

  /// Between a port that leads out and the tap.
  void ask_bridged() {
    for (const Way way : {Way::in, Way::out}) {
      const bool in = way == Way::in;
      const PathRole from = in ? PathRole::uplink : PathRole::tap;
      const PathRole to = in ? PathRole::tap : PathRole::uplink;
      const std::string &first = in ? outer_ : tap_, &last = in ? tap_ : outer_;
      const auto kind = Passage::Kind::ports;
      device_hook("ingress", first, from, way);
      ask({"bridge", "prerouting", {{About::iif, first}}, ""}, from, way, kind);
      ask({"bridge", "forward", {{About::iif, first}, {About::oif, last}}, ""}, PathRole::bridge,
          way, kind);
      ask({"bridge", "postrouting", {{About::oif, last}}, ""}, to, way, kind);
      device_hook("egress", last, to, way);
      if (view_.meets_ip) ask_ip(way, first, last);
      if (view_.meets_ip6)
        ask({"ip6", "forward", bridged(first, last), ""}, PathRole::bridge, way,
            Passage::Kind::bridged);
    }
  }

  /// Between the link by which the host routes and the bridge.
  void ask_routed() {
    const auto kind = Passage::Kind::routed;
    const std::string state = view_.invites ? "new" : "established";
    const Known outwards{{About::iif, bridge_}, {About::oif, outer_}},
        inwards{{About::iif, outer_}, {About::oif, bridge_}, {About::state, state}};
    device_hook("ingress", tap_, PathRole::tap, Way::out);
    ask({"bridge", "prerouting", {{About::iif, tap_}}, ""}, PathRole::tap, Way::out,
        Passage::Kind::ports);
    ask({"bridge", "input", {{About::iif, tap_}}, ""}, PathRole::tap, Way::out,
        Passage::Kind::ports);
    ask({"ip", "prerouting", {{About::iif, bridge_}}, ""}, PathRole::bridge, Way::out, kind);
    ask({"ip", "forward", outwards, ""}, PathRole::bridge, Way::out, kind);
    ask({"ip", "postrouting", outwards, ""}, PathRole::outer, Way::out, kind);
    device_hook("egress", outer_, PathRole::outer, Way::out);
    device_hook("ingress", outer_, PathRole::outer, Way::in);
    ask({"ip", "prerouting", {{About::iif, outer_}, {About::state, state}}, ""}, PathRole::outer,
        Way::in, kind);
    ask({"ip", "forward", inwards, ""}, PathRole::bridge, Way::in, kind);
    ask({"ip", "postrouting", inwards, ""}, PathRole::bridge, Way::in, kind);
    if (view_.has_ipv6) {
      ask({"ip6", "forward", outwards, ""}, PathRole::bridge, Way::out, kind);
      ask({"ip6", "forward", inwards, ""}, PathRole::bridge, Way::in, kind);
    }
    ask({"bridge", "output", {{About::oif, tap_}}, ""}, PathRole::tap, Way::in,
        Passage::Kind::ports);
    device_hook("egress", tap_, PathRole::tap, Way::in);
  }

  /// Straight between an uplink and a macvtap link on it.
  void ask_macvtap(const std::string& uplink) {
    device_hook("ingress", uplink, PathRole::uplink, Way::in);
    device_hook("egress", uplink, PathRole::uplink, Way::out);
  }

  /// What the machine asks of the host itself.
  void ask_host(bool local) {
    const auto kind = Passage::Kind::host;
    if (view_.serves)
      ask({"ip",
           "input",
           {{About::iif, bridge_},
            {About::source, "0.0.0.0"},
            {About::destination, "255.255.255.255"},
            {About::destination_type, "broadcast"},
            {About::protocol, "udp"},
            {About::port, "67"}},
           ""},
          PathRole::bridge, Way::out, kind);
    if (local)
      ask({"ip", "input", {{About::iif, bridge_}, {About::destination_type, "local"}}, ""},
          PathRole::bridge, Way::out, kind);
  }

  std::vector<Question> all;

 private:
  [[nodiscard]] Known bridged(const std::string& first, const std::string& last) const {
    return {{About::iif, bridge_},   {About::oif, bridge_},   {About::bridged, "yes"},
            {About::port_in, first}, {About::port_out, last}, {About::destination_type, "unicast"}};
  }

  void ask_ip(Way way, const std::string& first, const std::string& last) {
    const auto kind = Passage::Kind::bridged;
    ask({"ip", "prerouting", {{About::iif, bridge_}, {About::port_in, first}}, ""},
        PathRole::bridge, way, kind);
    ask({"ip", "forward", bridged(first, last), ""}, PathRole::bridge, way, kind);
    ask({"ip", "postrouting", bridged(first, last), ""}, PathRole::bridge, way, kind);
  }

  void device_hook(const char* hook, const std::string& device, PathRole at, Way way) {
    ask({"netdev", hook, {}, device}, at, way, Passage::Kind::device);
  }

  void ask(Crossing crossing, PathRole at, Way way, Passage::Kind kind) {
    const auto know = [&](About about, const std::optional<std::string>& value) {
      if (value && !value->empty()) crossing.known.emplace(about, *value);
    };
    const auto text = [](const auto& value) {
      return value ? std::optional(to_string(*value)) : std::nullopt;
    };
    const bool in = way == Way::in, ip6 = crossing.family == "ip6";
    if (!ip6) {
      const auto guest = view_.guest ? text(view_.guest) : text(view_.guests);
      know(About::source, in ? text(view_.to) : guest);
      know(About::destination, in ? guest : text(view_.to));
    }
    know(in ? About::destination_mac : About::source_mac, text(view_.mac));
    know(About::state, "new");
    know(About::family, ip6 ? "ipv6" : "ipv4");
    // A name that is not known leaves open what a rule says about it.
    std::erase_if(crossing.known, [](const auto& each) { return each.second.empty(); });
    all.push_back({std::move(crossing), at, way, kind});
  }

  const PathView& view_;
  std::string bridge_, tap_, outer_;
};

void put(PathDevice& device, PathFilter filter) {
  for (PathFilter& each : device.filters) {
    if (each.where != filter.where || each.from_host != filter.from_host) continue;
    each.in = each.in || filter.in;
    each.out = each.out || filter.out;
    if (filter.certain && !each.certain) each.cure = filter.cure;
    each.certain = each.certain || filter.certain;
    return;
  }
  device.filters.push_back(std::move(filter));
}

PathDevice* device_at(HostPath& path, PathRole role) {
  PathDevice* bridge = nullptr;
  for (PathDevice& device : path.devices) {
    if (device.role == role) return &device;
    if (device.role == PathRole::bridge) bridge = &device;
  }
  return bridge;
}

void answer(HostPath& path, const Ruleset& ruleset, const PathView& view,
            const Question& question) {
  PathDevice* device = device_at(path, question.at);
  if (!device) return;
  const Passage passage{question.kind, name_of(path, PathRole::bridge), view.ports,
                        question.way == Way::in};
  for (const FilterHit& hit : find_drops(ruleset, question.crossing)) {
    PathFilter filter;
    filter.where = describe(hit);
    filter.owner = possessive(owner_of(ruleset, *hit.base));
    filter.in = question.way == Way::in;
    filter.out = question.way == Way::out;
    // The way is that of IPv4; what IPv6 meets is told beside it.
    const bool ip6 = question.crossing.family == "ip6";
    if (ip6 && (!hit.certain || hit.base->family == "inet")) continue;
    if (ip6) filter.where = "IPv6: " + filter.where;
    filter.certain = hit.certain && !ip6;
    filter.from_host = question.kind == Passage::Kind::host;
    filter.packets = count_of(hit);
    filter.cure = cure_for(ruleset, hit, passage, view.iptables);
    put(*device, std::move(filter));
  }
}

/// `breaks`: what it counts now is somebody's way that ends here.
PathFilter own_filter(std::string where, bool in, std::uint64_t packets, bool breaks = true) {
  PathFilter filter;
  filter.where = std::move(where);
  filter.in = in;
  filter.out = !in;
  filter.ours = true;
  filter.certain = breaks;
  filter.packets = packets;
  return filter;
}

}  // namespace

void add_foreign_filters(HostPath& path, const Ruleset& ruleset, const PathView& view) {
  Questions questions(path, view);
  if (!find_role(path, PathRole::bridge)) {
    if (const PathDevice* uplink = find_role(path, PathRole::uplink))
      questions.ask_macvtap(uplink->name);
    for (const Question& question : questions.all) answer(path, ruleset, view, question);
    return;
  }
  // A machine that gets no address reaches nothing else.
  questions.ask_host(path.route && path.route->local);
  if (path.wants_uplink)
    questions.ask_bridged();
  else if (path.route && !path.route->local)
    questions.ask_routed();
  for (const Question& question : questions.all) answer(path, ruleset, view, question);
}

void add_own_filters(HostPath& path, const Ruleset& ruleset, const PathView& view) {
  PathDevice* tap = device_at(path, PathRole::tap);
  if (!tap || tap->role != PathRole::tap) return;
  for (const CountedElement& each : ruleset.counted)
    if (each.set == "forged" && each.value == tap->name && each.packets)
      put(*tap, own_filter("drops by its anti-spoofing what the guest sends from a MAC or an "
                           "address that is not its own",
                           false, each.packets));
  const std::string closed = fmt::format("nutshell:{}: closed by ", view.cloud);
  const std::string apart = fmt::format("nutshell:{}: another cloud", view.cloud);
  std::uint64_t by_groups = 0, by_cloud = 0;
  for (const FilterChain& chain : ruleset.chains)
    for (const FilterRule& rule : chain.rules) {
      if (!rule.packets || rule.verdict != RuleVerdict::drop) continue;
      if (!view.groups.empty() && rule.comment == closed + view.groups.substr(0, 60))
        by_groups += *rule.packets;
      if (rule.comment == apart) by_cloud += *rule.packets;
    }
  if (by_groups) {
    const std::string first = view.groups.substr(0, view.groups.find('+'));
    put(*tap,
        own_filter(
            fmt::format("is closed by {}: no rule lets in what came, `nutshell group "
                        "authorize {}{} --protocol PROTOCOL --port PORT` makes one",
                        first == view.groups ? "the group " + first : "the groups " + view.groups,
                        first, view.cloud == "default" ? "" : " --cloud " + view.cloud),
            true, by_groups));
  }
  if (by_cloud)
    put(*tap, own_filter(fmt::format("keeps the cloud {} apart from other clouds", view.cloud),
                         false, by_cloud, false));
}

}  // namespace nutshell
