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

TEST_CASE("every file that is written is looked for when the bridge goes") {
  const auto paths = native_paths("br0");
  for (const auto& files : {networkd_files(bridge()), ifupdown_files(bridge())})
    for (const NativeFile& file : files)
      CHECK(std::find(paths.begin(), paths.end(), file.path) != paths.end());
}
