// Links against the real kernel, each case in a namespace of its own, with `ip -j` as the witness.
#include "nl/link.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "netns/namespace.hpp"
#include "nl/bridge.hpp"
#include "nl/tap.hpp"
#include "witness.hpp"

using netns::in_new_netns;
using witness::refusal;

namespace {

const nl::Mac some_mac{0xfe, 0x54, 0x00, 0x01, 0x02, 0x03};

std::string numbered(std::string name, int number) { return name.append(std::to_string(number)); }

}  // namespace

TEST_CASE("list_links shows what ip shows") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_veth(socket, {.name = "left", .peer = "right"});
    nl::make_bridge(socket, "br0", {.mac = some_mac, .mtu = 1400, .up = true});
    nl::change_link(socket, "left",
                    {.up = true, .master = "br0", .alias = "an alias, with \"quotes\""});
    nl::set_up(socket, "right");
    for (const char* link : {"left", "right", "br0"}) witness::wait_running(socket, link);
    const auto links = nl::list_links(socket);
    const auto expected = witness::ip("-d -s link");
    REQUIRE(links.size() == expected.size());
    for (std::size_t i = 0; i < links.size(); ++i) {
      const auto& link = links[i];
      const auto& other = expected[i];
      CAPTURE(link.name);
      CHECK(link.name == other["ifname"]);
      CHECK(link.index == other["ifindex"]);
      CHECK(link.mtu == other["mtu"]);
      CHECK(link.alias == other.value("ifalias", ""));
      CHECK(nl::to_text(link.mac.value()) == other["address"]);
      const auto info = other.value("linkinfo", nlohmann::json::object());
      CHECK(link.kind == info.value("info_kind", ""));
      CHECK(link.port_kind == info.value("info_slave_kind", ""));
      const auto flags = other["flags"].get<std::vector<std::string>>();
      const auto has = [&](const char* flag) {
        return std::count(flags.begin(), flags.end(), flag) == 1;
      };
      CHECK(link.up == has("UP"));
      CHECK(link.lower_up == has("LOWER_UP"));
      CHECK(link.loopback == has("LOOPBACK"));
      CHECK((link.master ? nl::find_link(socket, link.master)->name : "") ==
            other.value("master", ""));
      const std::string states[] = {"UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN",
                                    "TESTING", "DORMANT",    "UP"};
      CHECK(states[static_cast<int>(link.operstate)] == other["operstate"]);
    }
    const auto left = nl::find_link(socket, "left"), right = nl::find_link(socket, "right");
    CHECK(left->peer == right->index);
    CHECK(right->peer == left->index);
  });
}

TEST_CASE("filters of list_links") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_bridge(socket, "br0");
    nl::make_bridge(socket, "br1");
    nl::make_veth(socket, {.name = "a", .peer = "b"});
    nl::set_master(socket, {.port = "a", .master = "br1"});
    const auto bridges = nl::list_links(socket, {.kind = "bridge", .counters = false});
    REQUIRE(bridges.size() == 2);
    CHECK(bridges[0].name == "br0");
    const auto ports = nl::list_links(socket, {.master = nl::link_index(socket, "br1")});
    REQUIRE(ports.size() == 1);
    CHECK(ports[0].name == "a");
    CHECK(nl::list_links(socket, {.kind = "nosuchkind"}).empty());
  });
}

TEST_CASE("each change of a link, and back") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_veth(socket, {.name = "a", .peer = "b"});
    const auto now = [&] { return witness::ip("-d link show a")[0]; };
    nl::set_mtu(socket, "a", 1234);
    CHECK(now()["mtu"] == 1234);
    nl::set_mac(socket, "a", some_mac);
    CHECK(now()["address"] == nl::to_text(some_mac));
    nl::set_alias(socket, "a", "nutshell:default/web1:0");
    CHECK(now()["ifalias"] == "nutshell:default/web1:0");
    nl::set_alias(socket, "a", "");
    CHECK_FALSE(now().contains("ifalias"));
    nl::set_up(socket, "a");
    nl::set_up(socket, "b");
    witness::wait_running(socket, "a");
    CHECK(now()["operstate"] == "UP");
    CHECK(nl::find_link(socket, "a")->running);
    nl::set_down(socket, "a");
    CHECK(now()["operstate"] == "DOWN");
    nl::make_bridge(socket, "br0");
    nl::set_master(socket, {.port = "a", .master = "br0"});
    CHECK(now()["master"] == "br0");
    nl::clear_master(socket, "a");
    CHECK_FALSE(now().contains("master"));
    const int index = nl::link_index(socket, "a");
    nl::rename_link(socket, "a", "c");
    CHECK(nl::find_link(socket, index)->name == "c");
    CHECK_FALSE(nl::find_link(socket, "a"));
    nl::change_link(socket, "c", {.promiscuous = true});
    CHECK(nl::find_link(socket, "c")->promiscuous);
    nl::remove_link(socket, "c");
    CHECK_FALSE(nl::find_link(socket, index));
    CHECK_FALSE(nl::find_link(socket, "b"));
  });
}

TEST_CASE("everything of a new port in one message") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_bridge(socket, "br0", {.up = true});
    const nl::Tap tap = nl::open_tap("tap0");
    nl::change_link(socket, "tap0",
                    {.up = true,
                     .mtu = 1400,
                     .master = "br0",
                     .alias = "nutshell:default/web1:0",
                     .mac = some_mac});
    const auto other = witness::ip("-d link show tap0")[0];
    CHECK(other["mtu"] == 1400);
    CHECK(other["master"] == "br0");
    CHECK(other["ifalias"] == "nutshell:default/web1:0");
    CHECK(other["address"] == nl::to_text(some_mac));
    CHECK(nl::find_link(socket, "tap0")->up);
  });
}

TEST_CASE("a link without IPv6 link-local address") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_veth(socket, {.name = "a", .peer = "b"});
    nl::change_link(socket, "a", {.ipv6_link_local = false});
    nl::set_up(socket, "a");
    nl::set_up(socket, "b");
    CHECK(witness::ip("-d link show a")[0]["inet6_addr_gen_mode"] == "none");
    CHECK(witness::ip("-6 addr show dev a").empty());
    CHECK_FALSE(witness::ip("-6 addr show dev b").empty());
  });
}

TEST_CASE("what is wrong with a link is said, with its name") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_veth(socket, {.name = "a", .peer = "b"});
    auto said = refusal([&] { nl::set_up(socket, "nosuch"); });
    CHECK(said.code == ENODEV);
    CHECK(said.words == "link nosuch: cannot set up: no such device");
    said = refusal([&] { nl::set_master(socket, {.port = "a", .master = "br0"}); });
    CHECK(said.code == ENODEV);
    CHECK(said.words == "link a: cannot set master br0: no such device (kernel: there is no br0)");
    said = refusal(
        [&] { nl::set_master(socket, {.port = nl::link_index(socket, "a"), .master = "b"}); });
    CHECK(said.code != 0);
    CHECK(said.words.rfind("link a: cannot set master b: ", 0) == 0);
    said = refusal([&] { nl::rename_link(socket, "a", "sixteen-bytes-xy"); });
    CHECK(said.code == ENAMETOOLONG);
    CHECK(refusal([&] { nl::rename_link(socket, "a", "b"); }).code == EEXIST);
    CHECK(refusal([&] { nl::make_veth(socket, {.name = "x", .peer = "a"}); }).code == EEXIST);
    CHECK_FALSE(nl::find_link(socket, "x"));
    CHECK(refusal([&] { nl::make_veth(socket, {.name = "x", .peer = "sixteen-bytes-xy"}); }).code ==
          ENAMETOOLONG);
    CHECK(refusal([&] { nl::set_alias(socket, "a", std::string(256, 'x')); }).code == EINVAL);
    nl::set_alias(socket, "a", std::string(255, 'x'));
    CHECK(nl::find_link(socket, "a")->alias.size() == 255);
    CHECK(refusal([&] { nl::set_mtu(socket, "a", 1); }).code == EINVAL);
    CHECK(refusal([&] {
            nl::set_mac(socket, "a", nl::Mac{1, 0, 0, 0, 0, 1});
          }).code == EADDRNOTAVAIL);
    CHECK(refusal([&] { nl::remove_link(socket, ""); }).code == ENODEV);
    CHECK(refusal([&] { nl::remove_link(socket, 0); }).code == ENODEV);
    CHECK(refusal([&] { nl::remove_link(socket, 4711); }).words ==
          "link 4711: cannot remove: no such device");
    CHECK(refusal([&] { nl::change_link(socket, "", {.up = true}); }).code == ENODEV);
    CHECK_FALSE(nl::find_link(socket, "sixteen-bytes-xy"));
    CHECK_FALSE(nl::find_link(socket, ""));
    CHECK(nl::list_links(socket).size() == 3);
  });
}

TEST_CASE("a kind of link that the kernel lacks is said") {
  in_new_netns([] {
    nl::Socket socket;
    const auto said = refusal([&] { nl::make_dummy(socket, "d0"); });
    if (said.code == 0) {
      CHECK(nl::find_link(socket, "d0")->kind == "dummy");
    } else {
      MESSAGE("this kernel has no dummy links");
      CHECK(said.code == EOPNOTSUPP);
      CHECK(said.words.rfind("link d0: cannot create dummy: this kernel does not support it", 0) ==
            0);
    }
  });
}

TEST_CASE("links can be moved to another namespace, and a socket stays in its own") {
  in_new_netns([] {
    nl::Socket socket;
    const netns::Handle other = netns::make();
    nl::make_veth(socket, {.name = "a", .peer = "b", .peer_netns_fd = other.fd()});
    CHECK_FALSE(nl::find_link(socket, "b"));
    nl::make_veth(socket, {.name = "c", .peer = "d"});
    nl::change_link(socket, "d", {.netns_fd = other.fd()});
    CHECK_FALSE(nl::find_link(socket, "d"));
    netns::in_netns(other, [&] {
      nl::Socket there;
      CHECK(nl::find_link(there, "b"));
      CHECK(nl::find_link(there, "d"));
      CHECK_FALSE(nl::find_link(there, "a"));
      CHECK(nl::find_link(socket, "a"));
      nl::Socket moved = std::move(there);
      CHECK(nl::find_link(moved, "b"));
    });
  });
}

TEST_CASE("the socket is closed on exec") {
  nl::Socket socket;
  CHECK((::fcntl(socket.fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("two hundred links come out of one dump, complete, while others come and go") {
  in_new_netns([] {
    nl::Socket socket;
    for (int i = 0; i < 100; ++i) {
      nl::make_veth(socket, {.name = numbered("l", i), .peer = numbered("r", i)});
    }
    const netns::Handle here = netns::current();
    std::atomic<bool> done = false;
    std::jthread restless([&] {
      netns::in_netns(here, [&] {
        nl::Socket mine;
        for (int i = 0; i < 40; ++i) {
          nl::make_bridge(mine, "restless");
          nl::remove_bridge(mine, "restless");
        }
      });
      done = true;
    });
    int rounds = 0;
    do {
      const auto links = nl::list_links(socket);
      CHECK(links.size() -
                std::count_if(links.begin(), links.end(),
                              [](const nl::Link& link) { return link.name == "restless"; }) ==
            201);
      ++rounds;
    } while (!done);
    CHECK(rounds > 0);
  });
}

TEST_CASE("a list of a few links takes well under a millisecond") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_veth(socket, {.name = "a", .peer = "b"});
    nl::make_bridge(socket, "br0");
    nl::list_links(socket);
    auto best = std::chrono::steady_clock::duration::max();
    for (int i = 0; i < 50; ++i) {
      const auto start = std::chrono::steady_clock::now();
      CHECK(nl::list_links(socket).size() == 4);
      best = std::min(best, std::chrono::steady_clock::now() - start);
    }
    MESSAGE("fastest: " << std::chrono::duration_cast<std::chrono::microseconds>(best).count()
                        << " us");
    CHECK(best < std::chrono::milliseconds(1));
  });
}
