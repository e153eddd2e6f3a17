// The cause is named, not its consequences.
#include "nutshell/packet_path.hpp"

#include <doctest/doctest.h>

using namespace nutshell;

namespace {

PathDevice device(PathRole role, const std::string& name) {
  PathDevice device;
  device.role = role;
  device.name = name;
  device.up = device.carrier = true;
  device.master = role == PathRole::bridge ? "" : "br0";
  device.port_state = role == PathRole::bridge ? "" : "forwarding";
  return device;
}

HostPath whole_path() {
  HostPath path;
  path.wants_uplink = true;
  path.devices = {device(PathRole::uplink, "em1"), device(PathRole::bridge, "br0"),
                  device(PathRole::tap, "nt0")};
  return path;
}

std::string broken_at(const HostPath& path) {
  const auto found = find_break(path);
  return found ? found->device : "";
}

}  // namespace

TEST_CASE("nothing is broken where every device lets through") {
  CHECK(broken_at(whole_path()).empty());
}

TEST_CASE("each device that is down is the one that is named") {
  for (std::size_t i = 0; i < 3; ++i) {
    HostPath path = whole_path();
    path.devices[i].up = path.devices[i].carrier = false;
    CHECK(broken_at(path) == path.devices[i].name);
  }
}

TEST_CASE("a bridge that is down disables its ports, and is named all the same") {
  HostPath path = whole_path();
  path.devices[0].port_state = path.devices[2].port_state = "disabled";
  path.devices[1].up = path.devices[1].carrier = false;
  CHECK(broken_at(path) == "br0");
}

TEST_CASE("a tap that is shut while all is up has spoken STP") {
  HostPath path = whole_path();
  path.devices[2].port_state = "disabled";
  const auto found = find_break(path);
  REQUIRE(found);
  CHECK(found->why.find("spoke STP") != std::string::npos);
  CHECK(found->cure == "ip link set nt0 down && ip link set nt0 up");
}

TEST_CASE("an uplink without carrier is named before the bridge that has lost its own by it") {
  HostPath path = whole_path();
  path.devices[0].carrier = path.devices[1].carrier = false;
  path.devices[0].port_state = "disabled";
  CHECK(broken_at(path) == "em1");
  CHECK(find_break(path)->why.find("cable") != std::string::npos);
}

TEST_CASE("a tap that is no port, or somebody else's, is named with the way back") {
  HostPath path = whole_path();
  path.devices[2].master = "";
  path.devices[2].port_state = "";
  CHECK(broken_at(path) == "nt0");
  CHECK(find_break(path)->why == "is no port of br0; `ip link set nt0 master br0` plugs it in");
  path.devices[2].master = "br1";
  CHECK(find_break(path)->why.find("a port of br1, not of br0") != std::string::npos);
}

TEST_CASE("a bridge without uplink is named only where the way leads out") {
  HostPath path = whole_path();
  path.devices.erase(path.devices.begin());
  CHECK(broken_at(path) == "br0");
  path.wants_uplink = false;
  CHECK(broken_at(path).empty());
}

TEST_CASE("of two uplinks one is enough") {
  HostPath path = whole_path();
  path.devices.insert(path.devices.begin(), device(PathRole::uplink, "em0"));
  path.devices[0].up = false;
  CHECK(broken_at(path).empty());
  path.devices[1].carrier = false;
  CHECK(broken_at(path) == "em0");
}

TEST_CASE("what is gone, what is blocked, what does not run") {
  HostPath path = whole_path();
  path.devices[2].present = path.devices[2].up = false;
  CHECK(broken_at(path) == "nt0");
  path = whole_path();
  path.devices[0].port_state = "blocking";
  CHECK(find_break(path)->why.find("blocking") != std::string::npos);
  path = whole_path();
  path.devices.pop_back();
  path.has_tap = false;
  CHECK(broken_at(path) == "tap");
  path.devices.clear();
  CHECK(broken_at(path).empty());
}

namespace {

PathFilter filter(bool certain, bool ours = false) {
  PathFilter each;
  each.where = "ip filter FORWARD, whose policy is drop";
  each.owner = "Docker's ";
  each.in = each.out = true;
  each.certain = certain;
  each.ours = ours;
  each.cure = "iptables -I DOCKER-USER -i br0 -o br0 -j ACCEPT";
  return each;
}

HostPath routed_path() {
  HostPath path;
  path.devices = {device(PathRole::outer, "eth0"), device(PathRole::bridge, "nat0"),
                  device(PathRole::tap, "nt0")};
  path.devices[0].master = "";
  path.devices[2].master = "nat0";
  path.route = PathRoute{};
  path.route->forwarding = "net.ipv4.ip_forward";
  return path;
}

}  // namespace

TEST_CASE("a foreign filter is named with its cure, a perhaps is not") {
  HostPath path = whole_path();
  path.devices[1].filters = {filter(false)};
  CHECK(broken_at(path).empty());
  path.devices[1].filters.push_back(filter(true));
  const auto found = find_break(path);
  REQUIRE(found);
  CHECK(found->device == "br0");
  CHECK(found->cure == "iptables -I DOCKER-USER -i br0 -o br0 -j ACCEPT");
  CHECK(found->why.find("Docker's ip filter FORWARD") != std::string::npos);
}

TEST_CASE("a filter of ours breaks only while it counts") {
  HostPath path = whole_path();
  path.devices[2].filters = {filter(true, true)};
  path.devices[2].filters[0].packets = 12;
  CHECK(broken_at(path).empty());
  path.devices[2].filters[0].rising = 3;
  CHECK(broken_at(path) == "nt0");
}

TEST_CASE("a link that is down is named before any filter") {
  HostPath path = whole_path();
  path.devices[1].filters = {filter(true)};
  path.devices[0].up = path.devices[0].carrier = false;
  CHECK(broken_at(path) == "em1");
}

TEST_CASE("frames that are too large for one end are told, unless it was asked for") {
  HostPath path = whole_path();
  path.devices[0].mtu = path.devices[1].mtu = 1400;
  path.devices[2].mtu = 1500;
  CHECK(broken_at(path) == "em1");
  CHECK(find_break(path)->cure == "ip link set em1 mtu 1500");
  path.devices[0].mtu = 9000;
  CHECK(broken_at(path) == "nt0");
  path.told_mtu = 1500;
  CHECK(broken_at(path).empty());
}

TEST_CASE(
    "a routed path is broken where the host does not forward, has no route, or drops answers") {
  HostPath path = routed_path();
  CHECK(broken_at(path).empty());
  path.route->strict = "eth1";
  CHECK(broken_at(path) == "eth1");
  CHECK(find_break(path)->cure == "sysctl -w net.ipv4.conf.eth1.rp_filter=2");
  path.route->refused = true;
  path.route->to = "203.0.113.9";
  CHECK(find_break(path)->why.find("no route to 203.0.113.9; `ip route add 203.0.113.9 via") !=
        std::string::npos);
  path.route->forwards = false;
  CHECK(find_break(path)->cure == "sysctl -w net.ipv4.ip_forward=1");
}

TEST_CASE("where packets would come back is a guess that only drops prove") {
  HostPath path = routed_path();
  path.route->strict = "eth1";
  path.route->strict_guess = true;
  CHECK(broken_at(path).empty());
  path.route->strict_rising = 1;
  CHECK(broken_at(path) == "eth1");
}

TEST_CASE("routes that lead away from the bridge, and what no device shows") {
  HostPath path = routed_path();
  path.route->guest = "10.75.0.2";
  path.route->astray = "eth0";
  CHECK(find_break(path)->why.find("lead it to eth0") != std::string::npos);
  path.route->refused = true;
  CHECK(find_break(path)->why.find("does not route what comes from 10.75.0.2") !=
        std::string::npos);
  path.route->to = "192.0.2.2";
  path.route->forbidden = true;
  CHECK(find_break(path)->why.find("refuses what goes from 10.75.0.2 to 192.0.2.2") !=
        std::string::npos);
  path.shut = PathBreak{"guest", "is paused", ""};
  CHECK(broken_at(path) == "guest");
}

TEST_CASE("two isolated ports do not reach each other, one and another do") {
  HostPath path = whole_path();
  path.devices[0].isolated = true;
  CHECK(broken_at(path).empty());
  path.devices[2].isolated = true;
  CHECK(find_break(path)->cure == "bridge link set dev em1 isolated off");
}

TEST_CASE("names that a shell would read are quoted") {
  HostPath path = whole_path();
  path.devices[0].name = "e$(id)";
  path.devices[0].up = false;
  CHECK(find_break(path)->cure == "ip link set 'e$(id)' up");
}

TEST_CASE("who does not answer is named where it was asked") {
  HostPath path = routed_path();
  path.dead = DeadNeighbour{"eth0", "192.0.2.1", false};
  CHECK(broken_at(path) == "eth0");
  path.dead = DeadNeighbour{"nat0", "10.75.0.2", true};
  CHECK(find_break(path)->why.find("the machine's address") != std::string::npos);
}

TEST_CASE("a macvtap link needs no bridge, but its uplink") {
  HostPath path;
  path.devices = {device(PathRole::uplink, "em1"), device(PathRole::macvtap, "nt1")};
  for (PathDevice& each : path.devices) each.master = each.port_state = "";
  CHECK(broken_at(path).empty());
  path.devices[0].up = path.devices[0].carrier = path.devices[1].carrier = false;
  CHECK(broken_at(path) == "em1");
  path.devices[0].up = true;
  CHECK(broken_at(path) == "em1");
  CHECK(find_break(path)->why.find("cable") != std::string::npos);
  path.devices[0].carrier = path.devices[1].carrier = true;
  path.devices[1].present = false;
  CHECK(broken_at(path) == "nt1");
  path.devices.pop_back();
  path.has_tap = false;
  CHECK(broken_at(path) == "macvtap");
}
