// Addresses against the real kernel, with `ip -j addr` as the witness.
#include "nl/address.hpp"

#include "netns/namespace.hpp"
#include "nl/bridge.hpp"
#include "witness.hpp"

using netns::in_new_netns;
using witness::refusal;

namespace {

nl::Address address(const char* text, std::uint8_t prefix) {
  nl::Address address;
  address.ip = nl::Ip::parse(text).value();
  address.prefix = prefix;
  return address;
}

/// What ip says of the address `text`, on any link.
nlohmann::json witnessed(const std::string& text) {
  for (const auto& link : witness::ip("addr")) {
    for (const auto& entry : link["addr_info"]) {
      if (entry.value("local", "") == text) return entry;
    }
  }
  return nullptr;
}

}  // namespace

TEST_CASE("addresses of both families are added, listed as ip lists them, and removed") {
  in_new_netns([] {
    nl::Socket socket;
    const int index = nl::make_bridge(socket, "br0", {.up = true});
    auto v4 = address("10.1.2.3", 24);
    v4.broadcast = nl::Ip::parse("10.1.2.255").value();
    v4.label = "br0:nut";
    v4.valid_lifetime = 3600;
    v4.preferred_lifetime = 1800;
    nl::add_address(socket, "br0", v4);
    auto v6 = address("fd00::5", 64);
    v6.flags = nl::address_flag::no_dad | nl::address_flag::no_prefix_route;
    nl::add_address(socket, index, v6);

    const auto other = witnessed("10.1.2.3");
    CHECK(other["prefixlen"] == 24);
    CHECK(other["broadcast"] == "10.1.2.255");
    CHECK(other["label"] == "br0:nut");
    CHECK(other["scope"] == "global");
    CHECK(other["valid_life_time"].get<int>() > 3500);
    CHECK(other["preferred_life_time"].get<int>() <= 1800);
    CHECK(witnessed("fd00::5")["nodad"] == true);
    CHECK(witnessed("fd00::5")["noprefixroute"] == true);
    CHECK(witnessed("fd00::5").value("tentative", false) == false);

    std::size_t expected = 0;
    for (const auto& link : witness::ip("addr")) expected += link["addr_info"].size();
    const auto all = nl::list_addresses(socket);
    CHECK(all.size() == expected);
    for (const auto& one : all) {
      CAPTURE(one.text());
      const auto same = witnessed(one.ip.text());
      CHECK(same["prefixlen"] == one.prefix);
      CHECK(same["scope"] == (one.scope == 0 ? "global" : one.scope == 253 ? "link" : "host"));
      CHECK(same.value("label", "") == one.label);
      CHECK((one.valid_lifetime == nl::forever) == (same["valid_life_time"] == nl::forever));
    }
    const auto mine = nl::list_addresses(socket, {.index = index, .family = nl::Family::v4});
    REQUIRE(mine.size() == 1);
    CHECK(mine[0].text() == "10.1.2.3/24");
    CHECK(mine[0].index == index);
    CHECK(mine[0].broadcast == v4.broadcast);
    CHECK(mine[0].peer.empty());

    nl::remove_address(socket, "br0", v4);
    nl::remove_address(socket, "br0", v6);
    CHECK(witnessed("10.1.2.3").is_null());
    CHECK(witnessed("fd00::5").is_null());
  });
}

TEST_CASE("what was listed can be put back as it was") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_bridge(socket, "br0", {.up = true});
    nl::change_link(socket, "br0", {.ipv6_link_local = false});
    witness::output_of("ip addr add 192.0.2.1 peer 192.0.2.9/32 dev br0");
    witness::output_of("ip addr add 198.51.100.7/24 brd + dev br0 scope link metric 77");
    witness::output_of("ip addr add 198.51.100.8/24 brd + dev br0 scope link");
    witness::output_of("ip addr add fd00::7/64 dev br0 nodad preferred_lft 0");
    witness::output_of("ip addr add fd00::8 peer fd00::9/128 dev br0 nodad");
    const auto dump = [] {
      auto json = witness::ip("addr show dev br0")[0]["addr_info"];
      std::sort(json.begin(), json.end(),
                [](const auto& a, const auto& b) { return a["local"] < b["local"]; });
      return json;
    };
    const auto before = dump();
    const auto listed = nl::list_addresses(socket, {.index = nl::link_index(socket, "br0")});
    for (auto one = listed.rbegin(); one != listed.rend(); ++one) {
      if (one->scope != 253 || one->ip.family == nl::Family::v4)
        nl::remove_address(socket, "br0", *one);
    }
    CHECK(dump() != before);
    for (const auto& one : listed) {
      if (one.scope != 253 || one.ip.family == nl::Family::v4) nl::add_address(socket, "br0", one);
    }
    CHECK(dump() == before);
  });
}

TEST_CASE("an address that is there is refused, or replaced on demand") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_bridge(socket, "br0", {.up = true});
    auto one = address("10.1.2.3", 24);
    nl::add_address(socket, "br0", one);
    const auto said = refusal([&] { nl::add_address(socket, "br0", one); });
    CHECK(said.code == EEXIST);
    CHECK(said.words.rfind("link br0: cannot add address 10.1.2.3/24: it exists already", 0) == 0);
    one.valid_lifetime = 500;
    one.preferred_lifetime = 400;
    nl::replace_address(socket, "br0", one);
    CHECK(witnessed("10.1.2.3")["valid_life_time"].get<int>() <= 500);
  });
}

TEST_CASE("a wrong address is refused by name") {
  in_new_netns([] {
    nl::Socket socket;
    const int index = nl::make_bridge(socket, "br0");
    auto said = refusal([&] { nl::remove_address(socket, index, address("10.9.9.9", 24)); });
    CHECK(said.code == EADDRNOTAVAIL);
    CHECK(said.words.rfind("link br0: cannot remove address 10.9.9.9/24: ", 0) == 0);
    CHECK(refusal([&] { nl::add_address(socket, "nosuch", address("10.9.9.9", 24)); }).code ==
          ENODEV);
    CHECK(refusal([&] { nl::add_address(socket, "br0", address("10.9.9.9", 33)); }).code == EINVAL);
    CHECK(refusal([&] { nl::add_address(socket, "br0", nl::Address{}); }).code == EINVAL);
    CHECK(nl::list_addresses(socket, {.index = index}).empty());
  });
}
