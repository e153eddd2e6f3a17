// Neighbours and forwarding tables against the real kernel, with `ip -j neigh` and `bridge -j fdb`
// as witnesses.
#include "nl/neighbour.hpp"

#include <unistd.h>

#include <algorithm>

#include "netns/namespace.hpp"
#include "nl/bridge.hpp"
#include "nl/fdb.hpp"
#include "nl/tap.hpp"
#include "witness.hpp"

using netns::in_new_netns;
using witness::refusal;

namespace {

const nl::Mac guest{0x52, 0x54, 0x00, 0x00, 0x00, 0x07};

nl::Neighbour neighbour(const char* ip) {
  nl::Neighbour neighbour;
  neighbour.ip = nl::Ip::parse(ip).value();
  neighbour.mac = guest;
  return neighbour;
}

}  // namespace

TEST_CASE("proxies stand beside the neighbours, and neither is taken for the other") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_bridge(socket, "br0", {.up = true});
    for (const char* ip : {"10.0.0.9", "fd00::9"}) {
      nl::Neighbour proxy;
      proxy.ip = nl::Ip::parse(ip).value();
      proxy.flags = 8;
      nl::add_neighbour(socket, "br0", neighbour(ip));
      nl::add_neighbour(socket, "br0", proxy);
    }
    CHECK(nl::list_neighbours(socket).size() == 2);
    const auto proxies = nl::list_neighbours(socket, {.proxies = true});
    REQUIRE(proxies.size() == 2);
    for (const auto& each : proxies) {
      CHECK_FALSE(each.mac);
      nl::remove_neighbour(socket, "br0", each.ip, 8);
    }
    CHECK(nl::list_neighbours(socket, {.proxies = true}).empty());
    CHECK(nl::list_neighbours(socket).size() == 2);
  });
}

TEST_CASE("neighbours of both families are added, listed, replaced and removed") {
  in_new_netns([] {
    nl::Socket socket;
    const int index = nl::make_bridge(socket, "br0", {.up = true});
    witness::output_of("ip addr add 10.0.0.1/24 dev br0");
    nl::add_neighbour(socket, "br0", neighbour("10.0.0.7"));
    auto learnt = neighbour("fd00::7");
    learnt.state = nl::neighbour_state::stale;
    nl::add_neighbour(socket, index, learnt);

    const auto find = [&](const char* ip) -> std::optional<nl::Neighbour> {
      for (const auto& one : nl::list_neighbours(socket)) {
        if (one.ip.text() == ip) return one;
      }
      return std::nullopt;
    };
    const auto other = witness::ip("neigh show 10.0.0.7")[0];
    CHECK(other["lladdr"] == nl::to_text(guest));
    CHECK(other["state"][0] == "PERMANENT");
    CHECK(other["dev"] == "br0");
    REQUIRE(find("10.0.0.7"));
    CHECK(find("10.0.0.7")->permanent());
    CHECK(find("10.0.0.7")->mac == guest);
    CHECK(find("10.0.0.7")->index == index);
    REQUIRE(find("fd00::7"));
    CHECK_FALSE(find("fd00::7")->permanent());
    CHECK(nl::list_neighbours(socket).size() == witness::ip("neigh").size());
    CHECK(nl::list_neighbours(socket, {.index = index, .family = nl::Family::v4}).size() == 1);
    CHECK(nl::list_neighbours(socket, {.index = 1}).empty());

    const auto said = refusal([&] { nl::add_neighbour(socket, "br0", neighbour("10.0.0.7")); });
    CHECK(said.code == EEXIST);
    CHECK(said.words == "link br0: cannot add neighbour 10.0.0.7: it exists already");
    auto other_mac = neighbour("10.0.0.7");
    other_mac.mac = nl::Mac{2, 0, 0, 0, 0, 9};
    nl::replace_neighbour(socket, "br0", other_mac);
    CHECK(find("10.0.0.7")->mac == other_mac.mac);
    nl::remove_neighbour(socket, "br0", other_mac.ip);
    const auto gone = find("10.0.0.7");
    CHECK((!gone || gone->state == nl::neighbour_state::failed));
    CHECK(refusal([&] {
            nl::remove_neighbour(socket, "br0", nl::Ip::parse("10.0.0.99").value());
          }).code == ENOENT);
    CHECK(refusal([&] { nl::add_neighbour(socket, "nosuch", neighbour("10.0.0.8")); }).code ==
          ENODEV);
    CHECK(refusal([&] { nl::add_neighbour(socket, "br0", nl::Neighbour{}); }).code == EINVAL);
  });
}

TEST_CASE(
    "a MAC that was seen behind a port is in the forwarding table, and so are the host's own") {
  in_new_netns([] {
    nl::Socket socket;
    const int br0 = nl::make_bridge(socket, "br0", {.forward_delay = 0, .up = true});
    const int br1 = nl::make_bridge(socket, "br1", {.up = true});
    const nl::Tap tap = nl::open_tap("tap0", {.vnet_hdr = false});
    nl::change_link(socket, "tap0", {.up = true, .master = "br0"});
    const auto link = nl::find_link(socket, "tap0");
    std::array<std::uint8_t, 60> frame{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52,
                                       0x54, 0,    0,    0,    7,    0x88, 0xb5};
    REQUIRE(::write(tap.fds()[0], frame.data(), frame.size()) > 0);

    const auto find = [&](const nl::Mac& mac, int bridge) -> std::optional<nl::FdbEntry> {
      for (const auto& entry : nl::list_fdb(socket, {.bridge = bridge})) {
        if (entry.mac == mac) return entry;
      }
      return std::nullopt;
    };
    const auto seen = find(guest, br0);
    REQUIRE(seen);
    CHECK(seen->port == link->index);
    CHECK(seen->master == br0);
    CHECK_FALSE(seen->local);
    CHECK_FALSE(seen->fixed);
    CHECK_FALSE(find(guest, br1));
    const auto own = find(link->mac.value(), br0);
    REQUIRE(own);
    CHECK(own->local);

    const nl::Mac fixed_mac{0x52, 0x54, 0x00, 0x00, 0x00, 0x09};
    nl::add_fdb(socket, "tap0", fixed_mac);
    REQUIRE(find(fixed_mac, br0));
    CHECK(find(fixed_mac, br0)->fixed);
    CHECK(refusal([&] { nl::add_fdb(socket, "tap0", fixed_mac); }).code == EEXIST);
    std::vector<nl::FdbEntry> entries;
    const auto expected =
        witness::quiet_moment([] { return witness::bridge("fdb"); },
                              [&] { entries = nl::list_fdb(socket, {.self_entries = true}); });
    CHECK(entries.size() == expected.size());
    for (const auto& other : expected) {
      CAPTURE(other.dump());
      CHECK(std::any_of(entries.begin(), entries.end(), [&](const nl::FdbEntry& entry) {
        return nl::to_text(entry.mac) == other["mac"] &&
               nl::find_link(socket, entry.port)->name == other["ifname"] &&
               entry.local == (other["state"] == "permanent") &&
               entry.fixed == (other["state"] == "static");
      }));
    }
    nl::remove_fdb(socket, "tap0", fixed_mac);
    CHECK_FALSE(find(fixed_mac, br0));
    const auto said = refusal([&] { nl::remove_fdb(socket, "tap0", fixed_mac); });
    CHECK(said.code == ENOENT);
    CHECK(said.words.rfind("link tap0: cannot remove forwarding entry 52:54:00:00:00:09: ", 0) ==
          0);
  });
}
