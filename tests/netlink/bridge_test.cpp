// Bridges against the real kernel, with `ip -d -j` and `bridge -j` as witnesses.
#include "nl/bridge.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include "netns/namespace.hpp"
#include "nl/tap.hpp"
#include "witness.hpp"

using netns::in_new_netns;
using witness::refusal;

namespace {
const nl::Mac bridge_mac{0x52, 0x54, 0x00, 0xaa, 0x00, 0x01};
const nl::Mac lower_mac{0x02, 0x00, 0x00, 0x00, 0x00, 0x01};
}  // namespace

TEST_CASE("a bridge is made as asked, MAC and all") {
  in_new_netns([] {
    nl::Socket socket;
    const int index = nl::make_bridge(socket, "br0",
                                      {.mac = bridge_mac,
                                       .mtu = 1400,
                                       .stp = false,
                                       .forward_delay = 0,
                                       .hello_time = 300,
                                       .max_age = 1500,
                                       .alias = "nutshell:net/default",
                                       .up = true});
    const auto other = witness::ip("-d link show br0")[0];
    CHECK(other["ifindex"] == index);
    CHECK(other["address"] == nl::to_text(bridge_mac));
    CHECK(other["mtu"] == 1400);
    CHECK(other["ifalias"] == "nutshell:net/default");
    const auto data = other["linkinfo"]["info_data"];
    CHECK(data["forward_delay"] == 0);
    CHECK(data["hello_time"] == 300);
    CHECK(data["max_age"] == 1500);
    CHECK(data["stp_state"] == 0);
    const auto settings = nl::bridge_settings(socket, "br0");
    CHECK_FALSE(settings.stp);
    CHECK(settings.forward_delay == 0);
    CHECK(settings.hello_time == 300);
    CHECK(settings.max_age == 1500);
    CHECK(settings.ageing_time == data["ageing_time"]);
    CHECK(settings.priority == data["priority"]);
    CHECK(nl::find_link(socket, index)->up);
    nl::remove_bridge(socket, "br0");
    CHECK_FALSE(nl::find_link(socket, index));
  });
}

TEST_CASE("an MTU that was asked for holds against a port with less") {
  in_new_netns([] {
    nl::Socket socket;
    const auto mtu = [&](const char* name) { return nl::find_link(socket, name)->mtu; };
    nl::make_veth(socket, {.name = "small", .peer = "other"});
    nl::set_mtu(socket, "small", 900);
    for (const std::uint32_t wanted : {1400U, 1500U, 9000U, 68U}) {  // 1500 is what it has anyway
      nl::make_bridge(socket, "br0", {.mac = bridge_mac, .mtu = wanted, .alias = "ours"});
      CHECK(mtu("br0") == wanted);
      nl::set_master(socket, {.port = "small", .master = "br0"});
      CHECK(mtu("br0") == wanted);
      nl::remove_bridge(socket, "br0");
    }
    nl::make_bridge(socket, "br0");
    nl::set_master(socket, {.port = "small", .master = "br0"});
    CHECK(mtu("br0") == 900);
    nl::hold_mtu(socket, "br0", 900);
    nl::set_mtu(socket, "small", 800);
    CHECK(mtu("br0") == 900);
  });
}

TEST_CASE("settings of a bridge that is there are changed, the rest stays") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_bridge(socket, "br0", {.mac = bridge_mac, .hello_time = 300});
    nl::change_bridge(socket, "br0",
                      {.stp = true,
                       .forward_delay = 400,
                       .max_age = 1200,
                       .ageing_time = 6000,
                       .priority = 4096});
    const auto data = witness::ip("-d link show br0")[0]["linkinfo"]["info_data"];
    CHECK(data["stp_state"] == 1);
    CHECK(data["forward_delay"] == 400);
    CHECK(data["hello_time"] == 300);
    CHECK(data["max_age"] == 1200);
    CHECK(data["ageing_time"] == 6000);
    CHECK(data["priority"] == 4096);
    const auto settings = nl::bridge_settings(socket, "br0");
    CHECK(settings.stp);
    CHECK(settings.forward_delay == 400);
    CHECK(settings.priority == 4096);
    CHECK(settings.id == "1000.525400aa0001");
    nl::change_bridge(socket, "br0", {.stp = false});
    CHECK_FALSE(nl::bridge_settings(socket, "br0").stp);
    const auto said = refusal([&] { nl::change_bridge(socket, "br0", {.max_age = 1}); });
    CHECK(said.code == ERANGE);
    CHECK(said.words.rfind("link br0: cannot change bridge: ", 0) == 0);
  });
}

TEST_CASE("with a MAC of its own a bridge keeps it when a port with a lower one joins") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_bridge(socket, "fixed", {.mac = bridge_mac, .up = true});
    nl::make_bridge(socket, "loose", {.up = true});
    const nl::Tap one = nl::open_tap("tap0"), two = nl::open_tap("tap1");
    nl::change_link(socket, "tap0", {.up = true, .master = "fixed", .mac = lower_mac});
    nl::change_link(socket, "tap1", {.up = true, .master = "loose", .mac = lower_mac});
    CHECK(nl::find_link(socket, "fixed")->mac == bridge_mac);
    CHECK(nl::find_link(socket, "loose")->mac == lower_mac);  // the trap that the MAC avoids
  });
}

TEST_CASE("ports are listed with their state") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_bridge(socket, "br0", {.forward_delay = 0, .up = true});
    nl::make_bridge(socket, "br1", {.up = true});
    nl::make_veth(socket, {.name = "a", .peer = "b"});
    nl::make_veth(socket, {.name = "c", .peer = "d"});
    nl::change_link(socket, "a", {.up = true, .master = "br0"});
    nl::change_link(socket, "b", {.up = true});
    nl::change_link(socket, "c", {.master = "br0"});
    nl::change_link(socket, "d", {.master = "br1"});
    witness::output_of("bridge link set dev c isolated on hairpin on learning off");
    for (const char* link : {"a", "br0"}) witness::wait_running(socket, link);
    const auto ports = nl::list_ports(socket, "br0");
    REQUIRE(ports.size() == 2);
    const auto a = ports[0].link.name == "a" ? ports[0] : ports[1],
               c = ports[0].link.name == "a" ? ports[1] : ports[0];
    CHECK(a.state == nl::PortState::forwarding);
    CHECK_FALSE(a.isolated);
    CHECK_FALSE(a.hairpin);
    CHECK(a.learning);
    CHECK(c.link.name == "c");
    CHECK(c.state == nl::PortState::disabled);
    CHECK(c.isolated);
    CHECK(c.hairpin);
    CHECK_FALSE(c.learning);
    for (const auto& other : witness::bridge("-d link show dev a")) {
      CHECK(other["state"] == "forwarding");
      CHECK(other["cost"] == a.cost);
      CHECK(other["priority"] == a.priority);
    }
    CHECK(nl::list_ports(socket, "br1").size() == 1);
  });
}

TEST_CASE("what is no bridge, and what is taken, is refused by name") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_veth(socket, {.name = "a", .peer = "b"});
    nl::make_bridge(socket, "br0", {.mac = bridge_mac});
    auto said = refusal([&] { nl::make_bridge(socket, "br0"); });
    CHECK(said.code == EEXIST);
    CHECK(said.words.rfind("link br0: cannot create bridge: it exists already", 0) == 0);
    CHECK(nl::find_link(socket, "br0")->mac == bridge_mac);
    CHECK(refusal([&] { nl::make_bridge(socket, "a"); }).code == EEXIST);
    said = refusal([&] { nl::list_ports(socket, "a"); });
    CHECK(said.code == EINVAL);
    CHECK(said.words.find("link a: cannot list ports: ") == 0);
    CHECK(said.words.find("it is no bridge but a veth") != std::string::npos);
    CHECK(refusal([&] { nl::remove_bridge(socket, "a"); }).code == EINVAL);
    CHECK(refusal([&] { nl::bridge_settings(socket, "a"); }).code == EINVAL);
    CHECK(refusal([&] { nl::bridge_settings(socket, "lo"); }).code == EINVAL);
    CHECK(refusal([&] { nl::bridge_settings(socket, "nosuch"); }).code == ENODEV);
    CHECK(refusal([&] { nl::change_bridge(socket, "a", {.stp = true}); }).code == EINVAL);
    CHECK(refusal([&] { nl::list_ports(socket, "nosuch"); }).code == ENODEV);
    CHECK(refusal([&] { nl::make_bridge(socket, "sixteen-bytes-xy"); }).code == ENAMETOOLONG);
    CHECK(refusal([&] { nl::make_bridge(socket, "a/b"); }).code == EINVAL);
    CHECK(refusal([&] { nl::make_bridge(socket, "br%d"); }).code == EINVAL);
    CHECK(nl::find_link(socket, "a"));
    CHECK(nl::list_links(socket).size() == 4);
  });
}

TEST_CASE(
    "without the right to make a bridge the sentence says what is needed, and listing still "
    "works") {
  in_new_netns([] {
    nl::Socket mine;
    nl::make_bridge(mine, "br0", {.mac = bridge_mac});
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(3);
      nl::Socket socket;
      const auto said = refusal([&] { nl::make_bridge(socket, "br1"); });
      const bool clear =
          said.words.find("link br1: cannot create bridge: not permitted (it needs root") == 0;
      const bool taken = refusal([&] { nl::remove_bridge(socket, "br0"); }).code == EPERM;
      const bool listed = nl::list_links(socket).size() == 2 &&
                          nl::bridge_settings(socket, "br0").hello_time == 200;
      ::_exit(said.code == EPERM && clear && taken && listed ? 0 : 1);
    }
    REQUIRE(child > 0);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  });
}

TEST_CASE("a bridge whose alias is refused is taken back") {
  in_new_netns([] {
    nl::Socket socket;
    CHECK(refusal([&] { nl::make_bridge(socket, "br0", {.alias = std::string(300, 'x')}); }).code ==
          EINVAL);
    CHECK_FALSE(nl::find_link(socket, "br0"));
  });
}

TEST_CASE("VLAN filtering, or a clear word that the kernel lacks it") {
  in_new_netns([] {
    nl::Socket socket;
    const auto said = refusal([&] { nl::make_bridge(socket, "br0", {.vlan_filtering = true}); });
    if (said.code == 0) {
      CHECK(nl::bridge_settings(socket, "br0").vlan_filtering);
      CHECK(witness::ip("-d link show br0")[0]["linkinfo"]["info_data"]["vlan_filtering"] == 1);
    } else {
      MESSAGE("this kernel has no bridge VLAN filtering");
      CHECK(said.code == EOPNOTSUPP);
      CHECK(said.words.rfind("link br0: cannot create bridge: this kernel does not support it",
                             0) == 0);
      CHECK_FALSE(nl::find_link(socket, "br0"));
    }
  });
}
