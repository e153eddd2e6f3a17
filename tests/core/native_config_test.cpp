// What of a bridge is written into the host's own configuration, and what is left to DHCP and to
// router advertisements.
#include "nutshell/native_config.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace nutshell;

namespace {

NativeBridge bridge() {
  NativeBridge one;
  one.name = "br0";
  one.mac = "02:00:00:00:00:01";
  one.uplink = "em1";
  LinkAddress address;
  address.link = "br0";
  address.ip = "10.0.0.2";
  address.prefix = 24;
  address.valid = address.preferred = forever;
  one.addresses.push_back(address);
  address.ip = "10.0.0.3";
  one.addresses.push_back(address);
  address.ip = "2001:db8::2";
  address.prefix = 64;
  one.addresses.push_back(address);
  address.ip = "fe80::1";
  address.scope = 253;
  one.addresses.push_back(address);
  LinkRoute route;
  route.destination = "default";
  route.hops = {{"br0", "10.0.0.1", 1, 0}};
  one.routes.push_back(route);
  route.destination = "192.0.2.0/24";
  route.table = 100;
  route.priority = 7;
  one.routes.push_back(route);
  route.destination = "10.0.0.0/24";
  route.protocol = 2;  // the kernel's
  one.routes.push_back(route);
  return one;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("networkd: three files, each ours by its first line") {
  const auto files = networkd_files(bridge());
  REQUIRE(files.size() == 3);
  for (const NativeFile& file : files) CHECK(file.text.starts_with(native_header("br0")));
  CHECK(has(files[0].text, "Kind=bridge\nMACAddress=02:00:00:00:00:01\n"));
  CHECK(has(files[1].text, "Address=10.0.0.2/24\nAddress=10.0.0.3/24\nAddress=2001:db8::2/64\n"));
  CHECK(has(files[1].text, "[Route]\nDestination=0.0.0.0/0\nGateway=10.0.0.1\n"));
  CHECK(has(files[1].text, "Destination=192.0.2.0/24\nGateway=10.0.0.1\nMetric=7\nTable=100\n"));
  CHECK_FALSE(has(files[1].text, "Destination=10.0.0.0/24"));
  CHECK_FALSE(has(files[1].text, "fe80"));
  CHECK_FALSE(has(files[1].text, "DHCP"));
  CHECK(has(files[2].text, "Name=em1\n\n[Network]\nBridge=br0\n"));
}

TEST_CASE("an address with a lifetime comes back by DHCP") {
  NativeBridge one = bridge();
  one.addresses.resize(1);
  one.addresses[0].valid = 600;
  CHECK(has(networkd_files(one)[1].text, "DHCP=ipv4\n"));
  CHECK_FALSE(has(networkd_files(one)[1].text, "Address="));
  CHECK(has(ifupdown_files(one)[0].text, "iface br0 inet dhcp\n"));
  CHECK(has(nmcli_commands(one)[0], "ipv4.method auto"));
}

TEST_CASE("ifupdown: one file, both families, the uplink without an address") {
  const auto files = ifupdown_files(bridge());
  REQUIRE(files.size() == 1);
  const std::string& text = files[0].text;
  CHECK(has(text, "iface em1 inet manual\n"));
  CHECK(has(text,
            "iface br0 inet static\n    address 10.0.0.2/24\n    up ip address add 10.0.0.3/24"));
  CHECK(has(text, "bridge_ports em1\n    bridge_stp off\n    bridge_fd 0\n"));
  CHECK(has(text, "up ip route add default via 10.0.0.1 dev $IFACE\n"));
  CHECK(has(text, "up ip route add 192.0.2.0/24 via 10.0.0.1 metric 7 table 100 dev $IFACE\n"));
  CHECK(has(text, "iface br0 inet6 static\n    address 2001:db8::2/64\n"));
}

TEST_CASE("NetworkManager: commands") {
  const auto commands = nmcli_commands(bridge());
  REQUIRE(commands.size() == 3);
  CHECK(has(commands[0],
            "ipv4.addresses 10.0.0.2/24,10.0.0.3/24 ipv4.gateway 10.0.0.1 ipv4.routes "
            "'192.0.2.0/24 10.0.0.1 7 table=100'"));
  CHECK(has(commands[1], "ifname em1 master br0"));
}

TEST_CASE("timers, and a bridge of its own") {
  NativeBridge one;
  one.name = "br5";
  one.mac = "02:00:00:00:00:05";
  one.stp = true;
  one.forward_delay = 9;
  one.hello = 2;
  one.max_age = 12;
  one.mtu = 9000;
  one.vlan_filtering = true;
  const auto files = networkd_files(one);
  REQUIRE(files.size() == 2);
  CHECK(has(files[0].text,
            "MTUBytes=9000\n\n[Bridge]\nSTP=yes\nForwardDelaySec=9\nHelloTimeSec=2\nMaxAgeSec=12\n"
            "VLANFiltering=yes\n"));
  CHECK(has(ifupdown_files(one)[0].text,
            "bridge_ports none\n    bridge_stp on\n    bridge_fd 9\n    bridge_hello 2\n    "
            "bridge_maxage 12\n"));
  CHECK(
      has(nmcli_commands(one)[0], "bridge.forward-delay 9 bridge.hello-time 2 bridge.max-age 12"));
}

TEST_CASE("what these texts cannot say is named, and not written by halves") {
  UplinkView view;
  view.uplink = "em1";
  view.bridge = "br0";
  view.mtu = 1500;
  view.bridge_stp = true;
  LinkRoute several;
  several.destination = "198.51.100.0/24";
  several.hops = {{"br0", "10.0.0.1", 3, 0}, {"em2", "10.0.0.9", 1, 0}};
  LinkRoute one_of_two;
  one_of_two.family = 6;
  one_of_two.destination = "2001:db8:7::/64";
  one_of_two.hops = {{"br0", "2001:db8::1", 1, 0}};
  LinkRoute other = one_of_two;
  other.hops = {{"em2", "fe80::7", 1, 0}};
  LinkRoute with_mtu;
  with_mtu.destination = "192.0.2.0/24";
  with_mtu.hops = {{"br0", "10.0.0.1", 1, 0}};
  with_mtu.metrics = "0800020078050000";
  LinkRoute plain = with_mtu;
  plain.destination = "203.0.113.0/24";
  plain.metrics = "";
  LinkRoute learnt = one_of_two;
  learnt.destination = "default";
  learnt.protocol = 3;
  learnt.learnt = true;
  view.routes = {several, one_of_two, other, with_mtu, plain, learnt};
  view.rules = {{4, 1000, "br0", "", Json()}, {4, 1001, "em2", "", Json()}};
  LinkNeighbour passing{"br0", "10.0.0.1", "02:00:00:00:00:01"};
  passing.permanent = false;
  view.neighbours = {{"br0", "10.0.0.7", "02:00:00:00:00:07"}, passing};
  const NativeBridge bridge = native_bridge(view);
  CHECK(bridge.stp);
  CHECK(bridge.omitted == std::vector<std::string>{
                              "the route 198.51.100.0/24 via 10.0.0.1 dev br0 via 10.0.0.9 dev em2",
                              "the route 2001:db8:7::/64 via 2001:db8::1 dev br0",
                              "MTU and the like of the route 192.0.2.0/24 via 10.0.0.1 dev br0",
                              "the rule 1000 iif br0",
                              "the neighbour 10.0.0.7 (02:00:00:00:00:07)"});
  for (const std::string& text : {networkd_files(bridge)[1].text, ifupdown_files(bridge)[0].text,
                                  nmcli_commands(bridge)[0]}) {
    CHECK(has(text, "192.0.2.0/24"));
    CHECK(has(text, "203.0.113.0/24"));
    CHECK_FALSE(has(text, "198.51.100.0/24"));
    CHECK_FALSE(has(text, "2001:db8:7::/64"));
    CHECK_FALSE(has(text, "::/0"));
  }
}

TEST_CASE("an address with a peer, and one without a route of its own") {
  NativeBridge one = bridge();
  one.addresses.resize(2);
  one.addresses[0].peer = "10.0.0.1";
  one.addresses[0].prefix = 32;
  one.addresses[1].flags = 0x200;
  const std::string networkd = networkd_files(one)[1].text, ifupdown = ifupdown_files(one)[0].text;
  CHECK(has(networkd, "[Address]\nAddress=10.0.0.2/32\nPeer=10.0.0.1/32\n"));
  CHECK(has(networkd, "[Address]\nAddress=10.0.0.3/24\nAddPrefixRoute=no\n"));
  CHECK(networkd.find("[Address]") < networkd.find("[Route]"));
  CHECK(has(ifupdown, "address 10.0.0.2/32\n    pointopoint 10.0.0.1\n"));
  CHECK(has(ifupdown, "up ip address add 10.0.0.3/24 noprefixroute dev $IFACE\n"));
}

TEST_CASE("every file that is written is looked for when the bridge goes") {
  const auto paths = native_paths("br0");
  for (const auto& files : {networkd_files(bridge()), ifupdown_files(bridge())})
    for (const NativeFile& file : files)
      CHECK(std::find(paths.begin(), paths.end(), file.path) != paths.end());
}
