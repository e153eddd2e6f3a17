// Each hook that a packet crosses is asked, both ways, and its device is told.
#include "nutshell/path_filters.hpp"

#include <doctest/doctest.h>

using namespace nutshell;

namespace {

PathDevice device(PathRole role, const std::string& name) {
  PathDevice device;
  device.role = role;
  device.name = name;
  return device;
}

HostPath bridged() {
  HostPath path;
  path.wants_uplink = true;
  path.devices = {device(PathRole::uplink, "em1"), device(PathRole::bridge, "br0"),
                  device(PathRole::tap, "nt12ab-3")};
  return path;
}

HostPath routed() {
  HostPath path;
  path.devices = {device(PathRole::outer, "eth0"), device(PathRole::bridge, "nat0"),
                  device(PathRole::tap, "nt12ab-3")};
  path.route = PathRoute{};
  return path;
}

Ruleset policy(const std::string& family, const std::string& hook, std::string on = "") {
  FilterChain chain;
  chain.family = family;
  chain.table = "lab";
  chain.name = "c";
  chain.hook = hook;
  chain.drops_by_policy = true;
  if (!on.empty()) chain.devices = {std::move(on)};
  return {{chain}, {}};
}

/// "DEVICE in out" of each filter.
std::string found(HostPath path, const Ruleset& ruleset, const PathView& view) {
  add_foreign_filters(path, ruleset, view);
  std::string words;
  for (const PathDevice& each : path.devices)
    for (const PathFilter& filter : each.filters)
      words += (words.empty() ? "" : ", ") + each.name + (filter.in ? " in" : "") +
               (filter.out ? " out" : "") + (filter.from_host ? " host" : "");
  return words;
}

}  // namespace

TEST_CASE("frames between ports meet IP's filters only with br_netfilter") {
  PathView view;
  CHECK(found(bridged(), policy("ip", "forward"), view).empty());
  view.meets_ip = true;
  CHECK(found(bridged(), policy("ip", "forward"), view) == "br0 in out");
  CHECK(found(bridged(), policy("inet", "postrouting"), view) == "br0 in out");
  CHECK(found(bridged(), policy("ip", "input"), view).empty());
}

TEST_CASE("the bridge's own family and the devices' are met always") {
  const PathView view;
  CHECK(found(bridged(), policy("bridge", "forward"), view) == "br0 in out");
  CHECK(found(bridged(), policy("bridge", "prerouting"), view) == "em1 in, nt12ab-3 out");
  CHECK(found(bridged(), policy("netdev", "ingress", "em1"), view) == "em1 in");
  CHECK(found(bridged(), policy("netdev", "egress", "em1"), view) == "em1 out");
  CHECK(found(bridged(), policy("netdev", "ingress", "em2"), view).empty());
}

TEST_CASE("what is routed meets forward, and what is asked of the host input") {
  PathView view;
  CHECK(found(routed(), policy("ip", "forward"), view) == "nat0 in out");
  CHECK(found(routed(), policy("ip", "input"), view).empty());
  view.serves = true;
  CHECK(found(routed(), policy("ip", "input"), view) == "nat0 out host");
  HostPath isolated = routed();
  isolated.route.reset();
  CHECK(found(isolated, policy("ip", "forward"), view).empty());
}

TEST_CASE("a routed way ends after routing, at either link") {
  const PathView view;
  CHECK(found(routed(), policy("ip", "postrouting"), view) == "eth0 out, nat0 in");
}

TEST_CASE("IPv6 is told beside the way, which is that of IPv4") {
  PathView view;
  CHECK(found(routed(), policy("ip6", "forward"), view).empty());
  view.has_ipv6 = true;
  HostPath path = routed();
  add_foreign_filters(path, policy("ip6", "forward"), view);
  REQUIRE(path.devices[1].filters.size() == 1);
  CHECK(path.devices[1].filters[0].where == "IPv6: ip6 lab c, whose policy is drop");
  CHECK_FALSE(path.devices[1].filters[0].certain);
  view.meets_ip6 = true;
  CHECK(found(bridged(), policy("ip6", "forward"), view) == "br0 in out");
}

TEST_CASE("a macvtap link has the filters of its uplink") {
  HostPath path;
  path.devices = {device(PathRole::uplink, "em1"), device(PathRole::macvtap, "nt12ab-3")};
  CHECK(found(path, policy("netdev", "egress", "em1"), {}) == "em1 out");
  CHECK(found(path, policy("ip", "forward"), {}).empty());
}

TEST_CASE("answers alone come back to a network behind NAT, and connections to a routed one") {
  Ruleset ruleset = policy("ip", "forward");
  FilterRule rule;
  rule.conditions = {{About::oif, false, {"nat0"}}, {About::state, false, {"established"}}};
  rule.verdict = RuleVerdict::accept;
  ruleset.chains[0].rules = {rule};
  PathView view;
  CHECK(found(routed(), ruleset, view) == "nat0 out");
  view.invites = true;
  CHECK(found(routed(), ruleset, view) == "nat0 in out");
}

TEST_CASE("our own filters are told by what they have counted") {
  FilterChain chain;
  chain.family = "inet";
  chain.table = "nutshell";
  chain.name = "filter_default";
  FilterRule closed;
  closed.verdict = RuleVerdict::drop;
  closed.packets = 7;
  closed.comment = "nutshell:default: closed by ssh+web";
  chain.rules = {closed};
  const Ruleset ruleset{{chain},
                        {{"bridge", "nutshell", "forged", "nt12ab-3", 5},
                         {"bridge", "nutshell", "forged", "nt12ab-4", 9}}};
  HostPath path = bridged();
  PathView view;
  view.cloud = "default";
  view.groups = "ssh+web";
  add_own_filters(path, ruleset, view);
  REQUIRE(path.devices[2].filters.size() == 2);
  CHECK(path.devices[2].filters[0].packets == 5);
  CHECK(path.devices[2].filters[0].out);
  CHECK(path.devices[2].filters[1].packets == 7);
  CHECK(path.devices[2].filters[1].in);
  view.groups = "";
  path = bridged();
  add_own_filters(path, ruleset, view);
  CHECK(path.devices[2].filters.size() == 1);
}
