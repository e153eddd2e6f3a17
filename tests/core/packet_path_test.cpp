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
