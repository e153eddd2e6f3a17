// A cloud on a host with a bridge to its office, for the tests of answers.
#pragma once
#include <algorithm>

#include "nutshell/answers.hpp"

namespace sample {

using namespace nutshell;

inline Ipv4 ip(const char* text) { return *parse_ipv4(text); }
inline Mac mac(std::uint64_t last) { return {0x525400000000ULL + last}; }

/// br0 with two networks, the office's with the default route, and a VLAN on top; the network
/// ciab-lan.
inline AnswersHost host() {
  AnswersHost host;
  LinkFact bridge, vlan, other;
  bridge.index = 4;
  bridge.name = "br0";
  bridge.kind = "bridge";
  vlan.index = 5;
  vlan.name = "br0.40";
  vlan.kind = "vlan";
  vlan.lower = 4;
  other.index = 6;
  other.name = "br9";
  other.kind = "bridge";
  host.facts.links = {bridge, vlan, other};
  host.facts.addresses = {{4, {ip("172.20.0.1"), 16}},
                          {4, {ip("10.101.7.1"), 24}},
                          {5, {ip("10.40.0.1"), 22}},
                          {6, {ip("198.51.100.1"), 24}}};
  host.facts.routes = {{{ip("0.0.0.0"), 0}, 77, 4, ip("10.101.7.77")},
                       {{ip("0.0.0.0"), 0}, 254, 6, ip("10.101.7.99")},
                       {{ip("0.0.0.0"), 0}, 254, 4, ip("10.101.7.254")},
                       {{ip("10.0.0.0"), 8}, 254, 4, ip("10.101.7.9")}};
  host.name_servers = {ip("10.101.1.1"), ip("10.101.1.2")};
  NetworkRow network;
  network.name = "ciab-lan";
  network.address = {ip("10.75.3.1"), 24};
  network.mtu = 1400;
  host.networks = {network};
  return host;
}

inline NicSpec bridged(const char* bridge, const char* address) {
  NicSpec nic;
  nic.kind = NicKind::bridge;
  nic.bridge = bridge;
  nic.mac = mac(7);
  if (address) nic.ip = ip(address);
  return nic;
}

inline MachineSpec front() {
  MachineSpec spec;
  spec.uuid = *parse_uuid("4e757473-6865-4c6c-8000-676f6c64656e");
  NicSpec outer = bridged("br0", "10.101.7.2"), inner;
  outer.mac = mac(1);
  inner.network = "ciab-lan";
  inner.mac = mac(2);
  inner.ip = ip("10.75.3.2");
  spec.nics = {outer, inner};
  return spec;
}

inline Answers ciab() {
  std::vector<std::string> warnings;
  Answers answers;
  answers.cloud = "ciab";
  answers.mode = "MANAGED-NOVLAN";
  answers.public_ranges = {{ip("10.101.7.10"), ip("10.101.7.19")},
                           {ip("10.101.7.30"), ip("10.101.7.30")}};
  answers.private_subnet = Ipv4Net{ip("172.16.0.0"), 16};
  answers.name_servers = host().name_servers;
  answers.public_interface = answers.private_interface = "eth0";
  answers.bridge = "br0";
  answers.ssh_keys = {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ me@desk"};
  MachineSpec node = front();
  node.nics = {bridged("br0", nullptr)};
  answers.machines = {answers_of({"ciab", "front"}, front(), {}, host(), warnings),
                      answers_of({"ciab", "node-1"}, node, {}, host(), warnings)};
  return answers;
}

}  // namespace sample
