// The planner against a small model of the kernel: an adoption may be cut short after any of its
// messages, and the way back leads from there to what was before.
#include "nutshell/adoption.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "nutshell/error.hpp"

using namespace nutshell;

namespace {

const std::string mark = "nutshell:bridge:br0:00ab";

LinkAddress v4(const std::string& link, const std::string& ip) {
  return {.link = link,
          .ip = ip,
          .prefix = 24,
          .peer = "",
          .broadcast = "",
          .label = link,
          .valid = forever,
          .preferred = forever};
}
LinkAddress v6(const std::string& link, const std::string& ip, unsigned scope = 0) {
  return {.link = link,
          .ip = ip,
          .prefix = 64,
          .peer = "",
          .broadcast = "",
          .label = "",
          .scope = scope,
          .valid = forever,
          .preferred = forever};
}
LinkRoute route(const std::string& destination, const std::string& link,
                const std::string& gateway = "") {
  LinkRoute one;
  one.family = destination.find(':') == std::string::npos ? 4 : 6;
  one.destination = destination;
  one.hops = {{link, gateway, 1, 0}};
  return one;
}
LinkRule rule(std::uint32_t priority, const std::string& input) {
  return {4, priority, input, "", Json::object({{"table", 100}})};
}

UplinkView host() {
  UplinkView view;
  view.uplink = "em1";
  view.bridge = "br0";
  view.uplink_there = true;
  view.mac = "02:00:00:00:00:01";
  view.mtu = 1500;
  LinkAddress labelled = v4("em1", "10.0.0.3");
  labelled.label = "em1:x";
  LinkAddress leased = v4("em1", "10.0.1.2");
  leased.valid = 600;
  leased.preferred = 300;
  view.addresses = {v4("em1", "10.0.0.2"),
                    labelled,
                    leased,
                    v6("em1", "2001:db8::3"),
                    v6("em1", "2001:db8::2"),
                    v6("em1", "fe80::1", 253)};
  LinkRoute shared = route("10.0.0.0/24", "em2");
  LinkRoute several = route("192.0.2.0/24", "em1", "10.0.0.1");
  several.hops.push_back({"em2", "10.0.0.9", 3, 0});
  LinkRoute expiring = route("2001:db8:7::/64", "em1", "2001:db8::1");
  expiring.expires = 900;
  LinkRoute other_table = route("default", "em1", "10.0.0.1");
  other_table.table = 100;
  view.routes = {route("10.0.0.0/24", "em1"),
                 shared,
                 route("default", "em1", "10.0.0.1"),
                 several,
                 other_table,
                 expiring};
  view.rules = {rule(1000, "em1"), rule(1000, "em2"), rule(1001, "em1")};
  view.neighbours = {{"em1", "10.0.0.77", "02:00:00:00:00:77"}};
  LinkNeighbour learnt{"em1", "10.0.0.1", "02:00:00:00:00:99"};
  learnt.permanent = false;
  view.neighbours.push_back(learnt);
  return view;
}

template <class T>
void take(std::vector<T>& all, const T& one) {
  const auto found = std::find(all.begin(), all.end(), one);
  REQUIRE(found != all.end());
  all.erase(found);
}

/// What the kernel makes of one message.
void apply(UplinkView& view, const NetworkOp& op) {
  if (const auto* make = std::get_if<MakeBridgeLink>(&op)) {
    REQUIRE_FALSE(view.bridge_there);
    view.bridge_there = view.bridge_ours = true;
    view.bridge_mac = make->mac;
  } else if (const auto* marking = std::get_if<MarkBridge>(&op)) {
    view.bridge_mark = marking->mark;
  } else if (const auto* mac = std::get_if<SetBridgeMac>(&op)) {
    view.bridge_mac = mac->mac;
  } else if (const auto* stp = std::get_if<SetBridgeStp>(&op)) {
    REQUIRE(view.bridge_there);
    view.bridge_stp = stp->on;
  } else if (const auto* up = std::get_if<SetUp>(&op)) {
    view.bridge_up = up->up;
  } else if (const auto* master = std::get_if<SetMaster>(&op)) {
    REQUIRE((master->bridge.empty() || view.bridge_there));
    view.master = master->bridge;
  } else if (const auto* address = std::get_if<ChangeAddress>(&op)) {
    if (address->verb == Verb::remove) return take(view.addresses, address->address);
    const auto place =
        std::find_if(view.addresses.begin(), view.addresses.end(), [&](const LinkAddress& each) {
          return address->address.is_v6() && each.is_v6() && each.link == address->address.link &&
                 each.scope >= address->address.scope;
        });
    view.addresses.insert(address->address.is_v6() ? place : view.addresses.end(),
                          address->address);
  } else if (const auto* change = std::get_if<ChangeRoute>(&op)) {
    if (change->verb == Verb::remove) return take(view.routes, change->route);
    REQUIRE(std::find(view.routes.begin(), view.routes.end(), change->route) == view.routes.end());
    view.routes.push_back(change->route);
  } else if (const auto* ruling = std::get_if<ChangeRule>(&op)) {
    if (ruling->verb == Verb::remove) return take(view.rules, ruling->rule);
    view.rules.push_back(ruling->rule);
  } else if (const auto* neighbour = std::get_if<ChangeNeighbour>(&op)) {
    if (neighbour->verb == Verb::remove) return take(view.neighbours, neighbour->neighbour);
    view.neighbours.push_back(neighbour->neighbour);
  } else if (std::holds_alternative<DropBridgeLink>(op)) {
    REQUIRE(view.addresses.end() ==
            std::find_if(view.addresses.begin(), view.addresses.end(), [](const LinkAddress& each) {
              return each.link == "br0" && !each.is_link_local();
            }));
    std::erase_if(view.addresses, [](const LinkAddress& each) { return each.link == "br0"; });
    std::erase_if(view.neighbours, [](const LinkNeighbour& each) { return each.link == "br0"; });
    view.bridge_there = view.bridge_ours = view.bridge_up = false;
    view.bridge_mac = view.bridge_mark = "";
  }
}

/// Plans and applies until there is nothing left.
void settle(UplinkView& view, const UplinkView& want) {
  for (int pass = 0; pass < 6; ++pass) {
    const auto ops = plan_network(view, want);
    if (ops.empty()) return;
    for (const NetworkOp& op : ops) apply(view, op);
  }
  FAIL("it does not come to an end");
}

/// The order counts within a link and family of addresses, a destination of routes, a priority of
/// rules; a stable sort leaves it and forgets the rest.
UplinkView ordered(UplinkView view) {
  std::stable_sort(view.addresses.begin(), view.addresses.end(),
                   [](const LinkAddress& a, const LinkAddress& b) {
                     return std::pair(a.link, a.is_v6()) < std::pair(b.link, b.is_v6());
                   });
  std::stable_sort(view.routes.begin(), view.routes.end(),
                   [](const LinkRoute& a, const LinkRoute& b) {
                     return std::pair(a.destination, a.table) < std::pair(b.destination, b.table);
                   });
  std::stable_sort(view.rules.begin(), view.rules.end(),
                   [](const LinkRule& a, const LinkRule& b) { return a.priority < b.priority; });
  std::stable_sort(view.neighbours.begin(), view.neighbours.end(),
                   [](const LinkNeighbour& a, const LinkNeighbour& b) { return a.ip < b.ip; });
  return view;
}

/// The texts, so that a failure shows which part differs.
bool same(const UplinkView& a, const UplinkView& b) {
  const Json first = to_json(ordered(a)), second = to_json(ordered(b));
  for (const auto& [name, value] : first.as_object())
    if (value != second.at(name))
      MESSAGE(name << ":\n" << value.dump() << "\n" << second.at(name).dump());
  return first == second;
}

bool has_link(const UplinkView& view, const std::string& link) {
  return std::any_of(
             view.addresses.begin(), view.addresses.end(),
             [&](const LinkAddress& each) { return each.link == link && !each.is_link_local(); }) ||
         std::any_of(view.routes.begin(), view.routes.end(),
                     [&](const LinkRoute& each) { return each.uses(link); }) ||
         std::any_of(view.rules.begin(), view.rules.end(),
                     [&](const LinkRule& each) { return each.names(link); });
}

}  // namespace

TEST_CASE("an adoption moves all that names the uplink") {
  UplinkView view = host();
  const UplinkView want = adopted(view, mark);
  settle(view, want);
  CHECK(view.master == "br0");
  CHECK(view.bridge_mac == view.mac);
  CHECK(view.bridge_mark == mark);
  CHECK_FALSE(has_link(view, "em1"));
  CHECK(view.addresses.size() == host().addresses.size() + 1);  // the link-local one is on both
  const auto labelled = std::find_if(view.addresses.begin(), view.addresses.end(),
                                     [](const LinkAddress& a) { return a.ip == "10.0.0.3"; });
  CHECK(labelled->label == "br0:x");
}

TEST_CASE("new before old: the bridge has the default route before the uplink loses it") {
  const UplinkView view = host();
  std::size_t added = 0, removed = 0, enslaved = 0, at = 0;
  for (const NetworkOp& op : plan_network(view, adopted(view, mark))) {
    ++at;
    if (std::holds_alternative<SetMaster>(op)) enslaved = at;
    const auto* change = std::get_if<ChangeRoute>(&op);
    if (!change || change->route.destination != "default" || change->route.table != 254) continue;
    (change->verb == Verb::add ? added : removed) = at;
  }
  CHECK(added > 0);
  CHECK(added < enslaved);
  CHECK(enslaved < removed);
}

TEST_CASE("from wherever an adoption was cut short, the way back leads to what was before") {
  const auto ops = plan_network(host(), adopted(host(), mark));
  REQUIRE(ops.size() > 20);
  for (std::size_t cut = 0; cut <= ops.size(); ++cut) {
    CAPTURE(cut);
    UplinkView view = host();
    for (std::size_t i = 0; i < cut; ++i) apply(view, ops[i]);
    // The way back may be cut short as well.
    const auto back = plan_network(view, host());
    for (std::size_t i = 0; i < back.size() / 2; ++i) apply(view, back[i]);
    settle(view, host());
    CHECK(same(view, host()));
  }
}

TEST_CASE("a release gives back the old form, keeps what is new and what is gone") {
  UplinkView view = host();
  settle(view, adopted(view, mark));
  SUBCASE("as it was") {
    settle(view, released(view, host()));
    CHECK(same(view, host()));
  }
  SUBCASE("an address and a route that came later go with it, one that was removed does not") {
    view.addresses.push_back(v4("br0", "10.0.0.44"));
    view.routes.push_back(route("198.51.100.0/24", "br0", "10.0.0.1"));
    std::erase_if(view.addresses, [](const LinkAddress& a) { return a.ip == "10.0.0.2"; });
    settle(view, released(view, host()));
    const auto find = [&](const std::string& ip) {
      return std::find_if(view.addresses.begin(), view.addresses.end(),
                          [&](const LinkAddress& a) { return a.ip == ip; });
    };
    CHECK(find("10.0.0.44")->link == "em1");
    CHECK(find("10.0.0.2") == view.addresses.end());
    CHECK_FALSE(view.bridge_there);
    CHECK_FALSE(has_link(view, "br0"));
  }
  SUBCASE("a bridge with another port stays") {
    view.other_ports = {"nt00ab-0"};
    settle(view, released(view, host()));
    CHECK(view.bridge_there);
    CHECK(view.master.empty());
    CHECK_FALSE(has_link(view, "br0"));
  }
}

TEST_CASE("a bridge that was there keeps its own address, and gets its MAC back") {
  UplinkView before = host();
  before.bridge_there = before.bridge_ours = before.bridge_up = true;
  before.bridge_mac = "02:00:00:00:00:aa";
  before.bridge_mark = mark;
  before.addresses.push_back(v4("br0", "10.7.0.1"));
  before.routes.push_back(route("10.7.0.0/24", "br0"));
  UplinkView view = before;
  settle(view, adopted(view, mark));
  CHECK(view.bridge_mac == before.mac);
  settle(view, before);
  std::erase_if(view.neighbours, [](const LinkNeighbour& n) { return !n.permanent; });
  std::erase_if(before.neighbours, [](const LinkNeighbour& n) { return !n.permanent; });
  CHECK(same(view, before));
}

TEST_CASE("the spanning tree goes on when the uplink forwards, and off again with what was") {
  UplinkView view = host(), want = adopted(host(), mark);
  want.bridge_stp = true;
  const auto ops = plan_network(view, want);
  const auto at = [&](const NetworkOp& one) { return std::find(ops.begin(), ops.end(), one); };
  REQUIRE(at(SetBridgeStp{"br0", true}) != ops.end());
  CHECK(at(SetMaster{"em1", "br0"}) < at(SetBridgeStp{"br0", true}));
  settle(view, want);
  CHECK(view.bridge_stp);
  UplinkView before = host();
  before.bridge_there = before.bridge_ours = true;
  before.bridge_mac = "02:00:00:00:00:09";
  before.bridge_mark = mark;
  settle(view, released(view, before));
  CHECK_FALSE(view.bridge_stp);
}

TEST_CASE("a default route that the kernel learnt stays learnt, whatever the kernel made of it") {
  UplinkView before = host();
  LinkRoute learnt = route("default", "em1", "fe80::1");
  learnt.family = 6;
  learnt.protocol = 9;
  learnt.priority = 1024;
  learnt.expires = 300;
  learnt.metrics = "0800060040000000";
  learnt.learnt = true;
  before.routes.push_back(learnt);
  UplinkView view = before;
  settle(view, adopted(before, mark));
  const auto found = std::find_if(view.routes.begin(), view.routes.end(),
                                  [](const LinkRoute& each) { return each.learnt; });
  REQUIRE(found != view.routes.end());
  LinkRoute& moved = *found;
  CHECK(moved.uses("br0"));
  moved.protocol = 3;  // as the ioctl leaves it
  moved.metrics = "";
  moved.expires = 200;
  CHECK(plan_network(view, adopted(before, mark)).empty());
  const UplinkView back = released(view, before);
  CHECK(std::count_if(back.routes.begin(), back.routes.end(),
                      [](const LinkRoute& each) { return each.learnt; }) == 1);
  LinkRoute static_one = moved;
  static_one.learnt = false;
  CHECK_FALSE(static_one.is_alike(moved));
}

TEST_CASE("a bridge that is not ours is never removed") {
  UplinkView view = host();
  settle(view, adopted(view, mark));
  view.bridge_ours = false;
  settle(view, host());
  CHECK(view.bridge_there);
  CHECK(view.master.empty());
}

TEST_CASE("of an uplink that is gone nothing is asked any more") {
  UplinkView view = host();
  settle(view, adopted(view, mark));
  view.uplink_there = false;
  std::erase_if(view.addresses, [](const LinkAddress& each) { return each.link == "em1"; });
  settle(view, host());
  CHECK_FALSE(view.bridge_there);
  CHECK_FALSE(has_link(view, "br0"));
}

TEST_CASE("an uplink that was renamed gets all that it had under its old name") {
  const UplinkView before = host(), after = renamed(before, "lan0");
  CHECK(after.uplink == "lan0");
  for (const LinkAddress& each : after.addresses) CHECK(each.link != "em1");
  for (const LinkRoute& each : after.routes) CHECK_FALSE(each.uses("em1"));
  for (const LinkRule& each : after.rules) CHECK_FALSE(each.names("em1"));
  CHECK(renamed(after, "em1") == before);
}

TEST_CASE("an uplink that was set down is set up before anything that needs it") {
  const UplinkView want = host();
  UplinkView have = want;
  have.uplink_up = false;
  have.routes.clear();
  const auto ops = plan_network(have, want);
  REQUIRE(ops.size() > 1);
  CHECK(ops.front() == NetworkOp(SetUp{"em1", true}));
}

TEST_CASE("lifetimes run on") {
  const UplinkView soon = later(host(), 400), late = later(host(), 1000);
  CHECK(soon.addresses[2].valid == 200);
  CHECK(soon.addresses[2].preferred == 0);
  CHECK(soon.addresses[0].valid == forever);
  CHECK(soon.routes.back().expires == 500);
  CHECK(late.addresses.size() == host().addresses.size() - 1);
  CHECK(late.routes.size() == host().routes.size() - 1);
  // That they differ from look to look is no difference.
  CHECK(plan_network(soon, host()).empty());
}

TEST_CASE("a note comes back from its text as it was") {
  Adoption adoption;
  adoption.id = "one";
  adoption.state = AdoptionState::waiting;
  adoption.boot_id = "boot";
  adoption.network = 4026531840;
  adoption.taken = 1;
  adoption.deadline = 60001;
  adoption.reason = "none";
  adoption.persist = true;
  adoption.left = {"cannot do it"};
  adoption.native = {{"/etc/network/interfaces.d/nutshell-br0", "auto br0"}};
  adoption.asked = {"arp 10.0.0.1"};
  adoption.before = adopted(host(), mark);
  adoption.mark = mark;
  const Json json = to_json(adoption);
  const Adoption again = adoption_from_json(Json::parse(json.dump(true)));
  CHECK(to_json(again) == json);
  CHECK(again.before == adoption.before);
  for (const AdoptionState state : {AdoptionState::begun, AdoptionState::waiting,
                                    AdoptionState::confirmed, AdoptionState::restored}) {
    adoption.state = state;
    CHECK(adoption_from_json(to_json(adoption)).state == state);
  }
}

TEST_CASE("a note that is not understood is refused") {
  CHECK_THROWS_AS(adoption_from_json(Json::object()), Failed);
  CHECK_THROWS_AS(adoption_from_json(Json::object({{"version", 2}})), Failed);
  Json json = to_json(Adoption{});
  CHECK_NOTHROW(adoption_from_json(json));
  json.set("state", "asleep");
  CHECK_THROWS_WITH_AS(adoption_from_json(json), doctest::Contains("unknown state asleep"), Failed);
  json = to_json(Adoption{});
  json.set("before", Json());
  CHECK_THROWS_AS(adoption_from_json(json), Failed);
}

TEST_CASE("each message has its words") {
  for (const NetworkOp& op : plan_network(host(), adopted(host(), mark))) {
    CHECK(describe(op).size() > 8);
    CHECK(describe(op).find("  ") == std::string::npos);
  }
  CHECK(describe(NetworkOp{SetMaster{"em1", ""}}) == "take em1 off its bridge");
  CHECK(describe(host().routes[2]) == "route default via 10.0.0.1 dev em1");
}
