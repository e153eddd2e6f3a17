// Routes of every table against the real kernel, with `ip -j route` as the witness.
#include "nl/route.hpp"

#include <algorithm>

#include "netns/namespace.hpp"
#include "nl/address.hpp"
#include "nl/bridge.hpp"
#include "witness.hpp"

using netns::in_new_netns;
using witness::refusal;

namespace {

/// br0 with 10.0.0.1/24 and fd00::1/64, up and with a port that has carrier. Its index. Nothing of
/// it changes by itself any more: no link-local addresses, and every link has settled.
int make_network(nl::Socket& socket) {
  const int index = nl::make_bridge(socket, "br0", {.forward_delay = 0});
  nl::make_veth(socket, {.name = "a", .peer = "b"});
  for (const char* link : {"br0", "a", "b"})
    nl::change_link(socket, link, {.ipv6_link_local = false});
  nl::change_link(socket, "a", {.up = true, .master = "br0"});
  for (const char* link : {"br0", "b"}) nl::set_up(socket, link);
  for (const char* link : {"br0", "a", "b"}) witness::wait_running(socket, link);
  witness::output_of("ip addr add 10.0.0.1/24 dev br0 && ip -6 addr add fd00::1/64 dev br0 nodad");
  return index;
}

nl::Route route(const char* destination, const char* gateway = nullptr, int index = 0) {
  nl::Route route;
  route.destination = nl::Prefix::parse(destination).value();
  route.family = route.destination.ip.family;
  if (gateway || index) {
    nl::NextHop hop;
    hop.index = index;
    if (gateway) hop.gateway = nl::Ip::parse(gateway).value();
    route.hops.push_back(hop);
  }
  return route;
}

std::optional<nl::Route> find(nl::Socket& socket, const std::string& destination,
                              std::uint32_t table = 0) {
  for (const auto& one : nl::list_routes(socket, {.table = table})) {
    if (one.destination.text() == destination) return one;
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("routes of every table are listed, as many as ip lists") {
  in_new_netns([] {
    nl::Socket socket;
    const int index = make_network(socket);
    auto custom = route("172.20.0.0/16", "10.0.0.9", index);
    custom.table = 4711;
    custom.priority = 50;
    nl::add_route(socket, custom);
    nl::add_route(socket, route("0.0.0.0/0", "10.0.0.254"));
    nl::add_route(socket, route("::/0", "fd00::fe", index));
    std::vector<nl::Route> v4, v6, all;
    const auto expected = witness::quiet_moment(
        [] {
          return std::pair(witness::ip("-4 route show table all"),
                           witness::ip("-6 route show table all"));
        },
        [&] {
          v4 = nl::list_routes(socket, {.family = nl::Family::v4});
          v6 = nl::list_routes(socket, {.family = nl::Family::v6});
          all = nl::list_routes(socket);
        });
    CHECK(v4.size() == expected.first.size());
    CHECK(v6.size() == expected.second.size());
    CHECK(all.size() == v4.size() + v6.size());
    CHECK(nl::list_routes(socket, {.family = nl::Family::v4, .table = nl::table_main}).size() ==
          witness::ip("-4 route show table main").size());
    const auto local =
        nl::list_routes(socket, {.family = nl::Family::v4, .table = nl::table_local});
    CHECK(local.size() == witness::ip("-4 route show table local").size());
    CHECK(std::any_of(local.begin(), local.end(),
                      [](const nl::Route& one) { return one.type == nl::RouteType::local; }));

    const auto other = witness::ip("route show table 4711")[0];
    CHECK(other["dst"] == "172.20.0.0/16");
    CHECK(other["gateway"] == "10.0.0.9");
    CHECK(other["dev"] == "br0");
    CHECK(other["metric"] == 50);
    const auto found = find(socket, "172.20.0.0/16");
    REQUIRE(found);
    CHECK(found->table == 4711);
    CHECK(found->priority == 50);
    CHECK(found->protocol == 4);
    CHECK(found->type == nl::RouteType::unicast);
    REQUIRE(found->hops.size() == 1);
    CHECK(found->hops[0].index == index);
    CHECK(found->hops[0].gateway.text() == "10.0.0.9");
    CHECK(found->text() == "172.20.0.0/16 table 4711");
    CHECK(find(socket, "default", nl::table_main)->hops[0].index == index);
    CHECK(find(socket, "10.0.0.0/24", nl::table_main)->preferred_source.text() == "10.0.0.1");
    CHECK(find(socket, "10.0.0.0/24", nl::table_main)->scope == 253);
  });
}

TEST_CASE("add is exclusive, replace is not, remove needs one that is there") {
  in_new_netns([] {
    nl::Socket socket;
    const int index = make_network(socket);
    nl::add_route(socket, route("172.20.0.0/16", "10.0.0.9"));
    auto said = refusal([&] { nl::add_route(socket, route("172.20.0.0/16", "10.0.0.8")); });
    CHECK(said.code == EEXIST);
    CHECK(said.words.rfind("route 172.20.0.0/16: cannot add: it exists already", 0) == 0);
    nl::replace_route(socket, route("172.20.0.0/16", "10.0.0.8"));
    CHECK(find(socket, "172.20.0.0/16")->hops[0].gateway.text() == "10.0.0.8");
    CHECK(witness::ip("route show 172.20.0.0/16").size() == 1);
    CHECK(refusal([&] { nl::remove_route(socket, route("172.20.0.0/16", "10.0.0.7")); }).code ==
          ESRCH);
    nl::remove_route(socket, route("172.20.0.0/16"));
    CHECK_FALSE(find(socket, "172.20.0.0/16"));
    nl::add_route(socket, route("fd01::/48", "fd00::9"));
    CHECK(witness::ip("-6 route show fd01::/48")[0]["gateway"] == "fd00::9");
    CHECK(find(socket, "fd01::/48")->priority == 1024);
    nl::remove_route(socket, route("fd01::/48"));
    CHECK_FALSE(find(socket, "fd01::/48"));
    said = refusal([&] { nl::add_route(socket, route("172.21.0.0/16", "192.0.2.1")); });
    CHECK(said.code == ENETUNREACH);
    nl::add_route(socket, route("172.22.0.0/16", nullptr, index));
    CHECK(find(socket, "172.22.0.0/16")->scope == 253);
    auto hole = route("172.23.0.0/16");
    hole.type = nl::RouteType::blackhole;
    nl::add_route(socket, hole);
    CHECK(find(socket, "172.23.0.0/16")->type == nl::RouteType::blackhole);
    nl::remove_route(socket, hole);
    auto heavy = route("172.24.0.0/16", "10.0.0.9");
    heavy.hops[0].weight = 257;
    CHECK(refusal([&] { nl::add_route(socket, heavy); }).code == EINVAL);
  });
}

TEST_CASE("append puts a route behind those of its place, of either family, and keeps its weight") {
  in_new_netns([] {
    nl::Socket socket;
    const int index = make_network(socket);
    nl::add_route(socket, route("172.20.0.0/16", "10.0.0.9"));
    nl::append_route(socket, route("172.20.0.0/16", "10.0.0.8"));
    const auto both = witness::ip("route show 172.20.0.0/16");
    REQUIRE(both.size() == 2);
    CHECK(both[0]["gateway"] == "10.0.0.9");
    CHECK(both[1]["gateway"] == "10.0.0.8");
    CHECK(refusal([&] { nl::append_route(socket, route("172.20.0.0/16", "10.0.0.8")); }).code ==
          EEXIST);
    nl::add_route(socket, route("fd01::/48", "fd00::9", index));
    auto heavy = route("fd01::/48", "fd00::8", index);
    heavy.hops[0].weight = 5;
    nl::append_route(socket, heavy);
    const auto ways = find(socket, "fd01::/48");
    REQUIRE(ways->hops.size() == 2);
    CHECK(ways->hops[0].gateway.text() == "fd00::9");
    CHECK(ways->hops[1].weight == 5);
    nl::remove_route(socket, route("fd01::/48", "fd00::9", index));
    CHECK(find(socket, "fd01::/48")->hops[0].gateway.text() == "fd00::8");
  });
}

TEST_CASE("what was listed can be put back as it was") {
  in_new_netns([] {
    nl::Socket socket;
    make_network(socket);
    for (const char* line :
         {"default via 10.0.0.254 proto dhcp src 10.0.0.1 metric 100 mtu 1400",
          "172.16.0.0/12 table 100 nexthop via 10.0.0.2 dev br0 weight 3 nexthop via 10.0.0.3 dev "
          "br0",
          "192.0.2.0/24 via 203.0.113.1 dev br0 onlink", "198.51.100.0/24 dev br0 scope link",
          "203.0.113.0/25 via inet6 fd00::99 dev br0", "unreachable 10.66.0.0/16 metric 9",
          "10.67.0.0/16 via 10.0.0.5 table 300 proto static advmss 1000 window 2000"}) {
      CAPTURE(line);
      witness::output_of(std::string("ip route add ") + line);
    }
    for (const char* line :
         {"default via fd00::fe dev br0 metric 512 pref high", "blackhole fd77::/32",
          "fd10::/32 via fd00::2 table 100 mtu 1300", "fd12::/32 from fd00::/64 via fd00::2",
          "fd11::/32 nexthop via fd00::2 dev br0 weight 5 nexthop via fd00::3 dev br0"}) {
      CAPTURE(line);
      witness::output_of(std::string("ip -6 route add ") + line);
    }
    const auto dump = [] {
      auto json = nlohmann::json::array();
      for (const char* family : {"-4", "-6"}) {
        for (const auto& one : witness::ip(std::string("-d ") + family + " route show table all")) {
          if (one.value("table", "main") != "local")
            json.push_back(one);  // the kernel's own, in its own time
        }
      }
      std::sort(json.begin(), json.end(),
                [](const auto& a, const auto& b) { return a.dump() < b.dump(); });
      return json;
    };
    const auto before = dump();
    std::vector<nl::Route> ours;
    for (const auto& one : nl::list_routes(socket)) {
      if (one.protocol != 2 && one.table != nl::table_local)
        ours.push_back(one);  // 2: the kernel's own
    }
    CHECK(ours.size() == 12);
    for (const auto& one : ours) nl::remove_route(socket, one);
    CHECK(dump().size() == before.size() - 12);
    for (const auto& one : ours) nl::add_route(socket, one);
    CHECK(dump() == before);
  });
}
