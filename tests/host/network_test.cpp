// Managed bridges in a network namespace of their own.
#include "host/network.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "host/scratch.hpp"
#include "netns/namespace.hpp"
#include "nl/address.hpp"
#include "nl/bridge.hpp"
#include "nl/neighbour.hpp"
#include "nl/tap.hpp"
#include "nutshell/error.hpp"

using namespace nutshell;
using namespace nutshell::host;

namespace {
BridgeWish wish() {
  return {"nutshell0", *parse_ipv4_net("10.75.0.1/24"), *parse_mac("52:54:00:11:22:33"),
          "nutshell:network:nutshell0"};
}
bool has_address(nl::Socket& socket, const nl::Link& link, const std::string& text) {
  const auto all = nl::list_addresses(socket, {.index = link.index});
  return std::any_of(all.begin(), all.end(), [&](const auto& each) { return each.text() == text; });
}
}  // namespace

TEST_CASE("a bridge is made with its MAC, mark and address, once, and removed") {
  netns::in_new_netns([] {
    nl::Socket socket;
    for (int i = 0; i < 2; ++i) {
      ensure_bridge(wish());
      const auto link = nl::find_link(socket, "nutshell0");
      REQUIRE(link);
      CHECK(link->kind == "bridge");
      CHECK(link->up);
      CHECK(link->alias == "nutshell:network:nutshell0");
      CHECK(nl::to_text(*link->mac) == "52:54:00:11:22:33");
      CHECK(has_address(socket, *link, "10.75.0.1/24"));
    }
    // A port does not change the bridge's MAC.
    nl::Tap tap = nl::open_tap("t0");
    nl::change_link(
        socket, "t0",
        {.up = true, .master = nl::LinkRef("nutshell0"), .mac = nl::Mac{2, 0, 0, 0, 0, 1}});
    CHECK(nl::to_text(*nl::find_link(socket, "nutshell0")->mac) == "52:54:00:11:22:33");
    const std::string sentence = scratch::sentence_of([] { drop_bridge(wish()); });
    CHECK(sentence.find("t0 is still a port") != std::string::npos);
    CHECK(nl::find_link(socket, "nutshell0"));
    tap = nl::open_tap("t1");
    drop_bridge(wish());
    CHECK_FALSE(nl::find_link(socket, "nutshell0"));
    CHECK_NOTHROW(drop_bridge(wish()));
  });
}

TEST_CASE("a stranger's link of that name is neither used nor removed") {
  netns::in_new_netns([] {
    nl::Socket socket;
    nl::make_bridge(socket, "nutshell0");
    CHECK_THROWS_AS(ensure_bridge(wish()), Conflict);
    CHECK_THROWS_AS(drop_bridge(wish()), Conflict);
    nl::set_alias(socket, "nutshell0", "nutshell:network:other");
    CHECK_THROWS_AS(ensure_bridge(wish()), Conflict);
    CHECK_THROWS_AS(drop_bridge(wish()), Conflict);
    CHECK(nl::find_link(socket, "nutshell0"));
    nl::remove_link(socket, "nutshell0");
    nl::make_veth(socket, {.name = "nutshell0", .peer = "peer"});
    nl::set_alias(socket, "nutshell0", "nutshell:network:nutshell0");  // marked, but no bridge
    CHECK_THROWS_AS(ensure_bridge(wish()), Conflict);
    CHECK_THROWS_AS(drop_bridge(wish()), Conflict);
    CHECK(nl::find_link(socket, "nutshell0"));
  });
}

TEST_CASE("one that was made and not yet marked is known by its recorded MAC, and completed") {
  netns::in_new_netns([] {
    nl::Socket socket;
    nl::make_bridge(socket, "nutshell0", {.mac = *nl::parse_mac("52:54:00:11:22:33")});
    ensure_bridge(wish());
    const auto link = nl::find_link(socket, "nutshell0");
    CHECK(link->alias == "nutshell:network:nutshell0");
    CHECK(has_address(socket, *link, "10.75.0.1/24"));
    drop_bridge(wish());
    nl::make_bridge(socket, "nutshell0", {.mac = *nl::parse_mac("52:54:00:11:22:33")});
    drop_bridge(wish());
    CHECK_FALSE(nl::find_link(socket, "nutshell0"));
  });
}

TEST_CASE("a MAC's neighbours are forgotten, others are not") {
  netns::in_new_netns([] {
    nl::Socket socket;
    ensure_bridge(wish());
    const auto add = [&](const char* ip, const char* mac, std::uint16_t state) {
      nl::Neighbour each;
      each.ip = *nl::Ip::parse(ip);
      each.mac = *nl::parse_mac(mac);
      each.state = state;
      nl::add_neighbour(socket, "nutshell0", each);
    };
    add("10.75.0.2", "52:54:00:00:00:01", nl::neighbour_state::stale);
    add("10.75.0.3", "52:54:00:00:00:01", nl::neighbour_state::reachable);
    add("10.75.0.4", "52:54:00:00:00:02", nl::neighbour_state::stale);
    add("10.75.0.5", "52:54:00:00:00:01", nl::neighbour_state::permanent);
    forget_neighbours(*parse_mac("52:54:00:00:00:01"));
    std::set<std::string> left;
    for (const auto& each : nl::list_neighbours(socket, {.family = nl::Family::v4}))
      if (each.mac && !(each.state & nl::neighbour_state::failed)) left.insert(each.ip.text());
    CHECK(left == std::set<std::string>{"10.75.0.4", "10.75.0.5"});
  });
}

TEST_CASE("an address that passes to another MAC is known by its new one to all who knew the old") {
  netns::in_new_netns([] {
    nl::Socket socket;
    ensure_bridge(wish());
    const auto there = netns::make();
    nl::make_veth(socket, {.name = "v1", .peer = "eth0", .peer_netns_fd = there.fd()});
    nl::change_link(socket, "v1", {.up = true, .master = nl::LinkRef("nutshell0")});
    const nl::Ip address = *nl::Ip::parse("10.75.0.7"), other = *nl::Ip::parse("10.75.0.8");
    const nl::Mac old = *nl::parse_mac("52:54:00:00:00:01");
    const nl::Mac next = *nl::parse_mac("52:54:00:00:00:02");
    const auto mac_of = [](nl::Socket& where, const nl::Ip& ip) -> std::string {
      for (const nl::Neighbour& each : nl::list_neighbours(where))
        if (each.ip == ip && each.mac) return nl::to_text(*each.mac);
      return "";
    };
    const auto remember = [&](nl::Socket& where, const char* link) {
      for (const nl::Ip& ip : {address, other})
        nl::add_neighbour(where, link, {.ip = ip, .mac = old, .state = nl::neighbour_state::stale});
    };
    netns::in_netns(there, [&] {
      nl::Socket inside;
      nl::set_up(inside, "eth0");
      nl::add_address(inside, "eth0", {.ip = *nl::Ip::parse("10.75.0.9"), .prefix = 24});
    });
    // A link whose carrier comes forgets its neighbours, and a bridge's port is shut until it has
    // come: the kernel tells both up to a second later (net/core/link_watch.c).
    const auto is_up = [](nl::Socket& where, const char* link) {
      return nl::find_link(where, link)->operstate == nl::OperState::up;
    };
    REQUIRE(scratch::soon([&] {
      return is_up(socket, "nutshell0") &&
             nl::list_ports(socket, "nutshell0").at(0).state == nl::PortState::forwarding;
    }));
    netns::in_netns(there, [&] {
      nl::Socket inside;
      REQUIRE(scratch::soon([&] { return is_up(inside, "eth0"); }));
      remember(inside, "eth0");
    });
    remember(socket, "nutshell0");
    pass_on_address("nutshell0", *parse_ipv4("10.75.0.7"), *parse_mac("52:54:00:00:00:02"));
    CHECK(mac_of(socket, address) == "");
    CHECK(mac_of(socket, other) == nl::to_text(old));
    netns::in_netns(there, [&] {
      nl::Socket inside;
      CHECK(scratch::soon([&] { return mac_of(inside, address) == nl::to_text(next); }));
      CHECK(mac_of(inside, other) == nl::to_text(old));
    });
    CHECK_NOTHROW(
        pass_on_address("gone", *parse_ipv4("10.75.0.7"), *parse_mac("52:54:00:00:00:02")));
  });
}
