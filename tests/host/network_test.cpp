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
