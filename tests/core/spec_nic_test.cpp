// --nic and --vnc: every form, and each address that could never work.
#include <doctest/doctest.h>

#include "core/problems.hpp"
#include "nutshell/spec.hpp"

using namespace nutshell;

namespace {
NicSpec good(const std::string& text) {
  Problems problems;
  NicSpec nic = parse_nic(text, "--nic", problems);
  CHECK_MESSAGE(problems.empty(), text << " -> " << text_of(problems));
  return nic;
}
std::string refused(const std::string& text) {
  Problems problems;
  parse_nic(text, "--nic", problems);
  return text_of(problems);
}
VncSpec vnc(const std::string& text) {
  Problems problems;
  VncSpec spec;
  parse_vnc(text, "--vnc", spec, problems);
  CHECK_MESSAGE(problems.empty(), text << " -> " << text_of(problems));
  return spec;
}
std::string refused_vnc(const std::string& text) {
  Problems problems;
  VncSpec spec;
  parse_vnc(text, "--vnc", spec, problems);
  CHECK(spec == VncSpec());
  return text_of(problems);
}
bool only(const std::string& said, const std::string& part) {
  return contains(said, part) && !contains(said, "\n");
}
}  // namespace

TEST_CASE("the three kinds") {
  const NicSpec nic = good("bridge=br0,model=e1000,mac=52:54:00:12:34:60,ip=10.0.0.7");
  CHECK(nic.kind == NicKind::bridge);
  CHECK(nic.bridge == "br0");
  CHECK(nic.model == NicModel::e1000);
  CHECK(to_string(*nic.mac) == "52:54:00:12:34:60");
  CHECK(to_string(*nic.ip) == "10.0.0.7");
  CHECK(good("network=lab").kind == NicKind::network);
  CHECK(good("network=lab").network == "lab");
  CHECK(good("user").kind == NicKind::user);
  CHECK(good("user,model=rtl8139").model == NicModel::rtl8139);
  CHECK(good("model=e1000,user").kind == NicKind::user);
  const NicSpec bare = good("model=e1000");
  CHECK(bare.kind == NicKind::network);
  CHECK(bare.network.empty());
}

TEST_CASE("VLANs of a bridge's port") {
  const NicSpec nic = good("bridge=br0,vlan=100,trunk=300+10-12+13+11");
  CHECK(nic.vlan == 100);
  CHECK(nic.has_vlans());
  CHECK(nic.trunk == std::vector<VlanRange>{{10, 13}, {300, 300}});
  CHECK(to_string(nic.trunk) == "10-13+300");
  CHECK(good("bridge=br0,trunk=1-4094").trunk == std::vector<VlanRange>{{1, 4094}});
  CHECK_FALSE(good("bridge=br0").has_vlans());
  for (const char* vlan : {"0", "4095", "-1", "ten", "1e2", "99999999999"})
    CHECK(only(refused(std::string("bridge=br0,vlan=") + vlan), "a number from 1 to 4094"));
  for (const char* trunk : {"0", "4095", "1-", "-5", "20-10", "1+", "+1", "1++2", "1-2-3", "a"})
    CHECK_MESSAGE(only(refused(std::string("bridge=br0,trunk=") + trunk), "trunk=10+20-25"), trunk);
  CHECK(only(refused("bridge=br0,vlan=100,trunk=90-110"), "VLAN 100 is in vlan= and in trunk="));
  for (const char* kind : {"network=lab", "user", "macvtap=em1", "model=virtio"}) {
    CHECK(only(refused(std::string(kind) + ",vlan=100"), "need bridge="));
    CHECK(only(refused(std::string(kind) + ",trunk=100"), "need bridge="));
  }
}

TEST_CASE("macvtap links") {
  const NicSpec nic = good("macvtap=em1");
  CHECK(nic.kind == NicKind::macvtap);
  CHECK(nic.uplink == "em1");
  CHECK(nic.macvtap_mode == MacvtapMode::bridge);
  CHECK(good("macvtap=em1,mode=private").macvtap_mode == MacvtapMode::closed);
  CHECK(good("macvtap=em1,mode=vepa,queues=4,mtu=9000").queues == 4);
  CHECK(good("macvtap=em1,mode=passthru,model=e1000").macvtap_mode == MacvtapMode::passthru);
  CHECK(only(refused("macvtap=em1,mode=source"), "use bridge, private, vepa or passthru"));
  CHECK(only(refused("bridge=br0,mode=vepa"), "mode= is for macvtap= alone"));
  CHECK(only(refused("macvtap=em1,bridge=br0"), "a NIC is on one network"));
  CHECK(only(refused("macvtap=an-interface-too-long"), "can be no interface's name"));
  CHECK(only(refused("macvtap=em1,ip=10.0.0.7"), "ip= needs bridge= or network="));
}

TEST_CASE("MACs that cannot be") {
  CHECK(only(refused("bridge=br0,mac=01:00:5e:00:00:01"), "multicast"));
  CHECK(only(refused("bridge=br0,mac=ff:ff:ff:ff:ff:ff"), "multicast"));
  CHECK(only(refused("bridge=br0,mac=00:00:00:00:00:00"), "all zero"));
  for (const char* mac : {"52:54", "52-54-00-12-34-60", "zz:54:00:12:34:60", "x"})
    CHECK(only(refused(std::string("bridge=br0,mac=") + mac), "malformed"));
  CHECK(only(refused("bridge=br0,mac="), "needs a value"));
}

TEST_CASE("addresses that cannot be") {
  CHECK(only(refused("bridge=br0,ip=10.0.0.256"), "no IPv4 address"));
  CHECK(only(refused("bridge=br0,ip=fe80::1"), "no IPv4 address"));
  CHECK(only(refused("bridge=br0,ip=10.0.0.7/24"), "no IPv4 address"));
  CHECK(only(refused("bridge=br0,ip=127.0.0.1"), "loopback"));
  CHECK(only(refused("bridge=br0,ip=0.0.0.0"), "this network"));
  CHECK(only(refused("bridge=br0,ip=224.0.0.1"), "multicast"));
  CHECK(only(refused("bridge=br0,ip=255.255.255.255"), "reserved"));
  CHECK(only(refused("user,ip=10.0.2.15"), "user mode"));
}

TEST_CASE("names and keys that cannot be") {
  CHECK(only(refused("bridge=a/b"), "no interface's name"));
  CHECK(only(refused("bridge=0123456789abcdef"), "1 to 15"));
  CHECK(only(refused("network=Lab"), "capital"));
  CHECK(only(refused("bridge=br0,network=lab"), "one network"));
  CHECK(only(refused("user,bridge=br0"), "one network"));
  CHECK(only(refused("br0"), "bridge=NAME"));
  CHECK(only(refused("usr"), "did you mean user?"));
  CHECK(only(refused("bridge=br0,modle=e1000"), "did you mean model?"));
  CHECK(only(refused("bridge=br0,model=ne2k"), "virtio, e1000 or rtl8139"));
  CHECK(only(refused("bridge"), "bridge needs a value"));
  CHECK(only(refused(""), "empty"));
}

TEST_CASE("displays") {
  CHECK(vnc("auto").mode == VncMode::automatic);
  CHECK(vnc("off").mode == VncMode::off);
  CHECK(vnc("unix").mode == VncMode::unix_socket);
  CHECK(vnc("0").mode == VncMode::fixed);
  CHECK(vnc("1").display == 1);
  CHECK(vnc(":7").display == 7);
  CHECK(vnc("59635").display == 59635);
  CHECK(contains(refused_vnc("59636"), "does not exist"));
  CHECK(contains(refused_vnc("4294967297"), "does not exist"));
  CHECK(contains(refused_vnc("99999999999999999999999999"), "does not exist"));
  for (const char* text : {"", "x", "-1", "1.5", ":", "fixed", " 1", "1 ", "127.0.0.1:1", "\x1b"})
    CHECK_MESSAGE(contains(refused_vnc(text), "is no display"), text);
  CHECK(contains(refused_vnc("atuo"), "did you mean auto?"));
}

TEST_CASE("an MTU and queues are for virtio on a tap") {
  CHECK(good("network=lab").queues == 1);
  CHECK(good("network=lab").mtu == 0);
  CHECK(good("bridge=br0,mtu=9000,queues=16").mtu == 9000);
  CHECK(good("bridge=br0,mtu=9000,queues=16").queues == 16);
  CHECK(good("user,queues=1").queues == 1);
  CHECK(only(refused("mtu=575"), "576 to 65521"));
  CHECK(only(refused("mtu=65522"), "576 to 65521"));
  CHECK(only(refused("mtu=99999999999"), "576 to 65521"));
  CHECK(only(refused("queues=0"), "1 to 16"));
  CHECK(only(refused("queues=17"), "1 to 16"));
  CHECK(only(refused("queues=-1"), "1 to 16"));
  CHECK(only(refused("model=e1000,queues=2"), "model=virtio alone"));
  CHECK(only(refused("model=rtl8139,mtu=1400"), "model=virtio alone"));
  CHECK(only(refused("user,mtu=1400"), "user mode has no tap"));
}
