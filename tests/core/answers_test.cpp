// Answers as they are derived from what a host shows, and as each reader wants them.
#include "nutshell/answers.hpp"

#include <doctest/doctest.h>

#include "core/answers_sample.hpp"

using namespace nutshell;
using namespace sample;

TEST_CASE("on a bridge the machine's gateway and name servers are the host's own") {
  std::vector<std::string> warnings;
  const auto told = answers_of({"ciab", "front"}, front(), {}, host(), warnings);
  CHECK(warnings.empty());
  CHECK(told.name == "front");
  CHECK(told.fqdn == "front.ciab.nutshell");
  REQUIRE(told.nics.size() == 2);
  CHECK(told.nics[0] == NicAnswers{"bridge br0",
                                   "bridge",
                                   mac(1),
                                   ip("10.101.7.2"),
                                   24,
                                   ip("10.101.7.254"),
                                   {ip("10.101.1.1"), ip("10.101.1.2")},
                                   0});
  CHECK(told.nics[1] == NicAnswers{"network ciab-lan",
                                   "network",
                                   mac(2),
                                   ip("10.75.3.2"),
                                   24,
                                   ip("10.75.3.1"),
                                   {ip("10.75.3.1")},
                                   1400});
}

TEST_CASE("what the file says comes before what the host shows, where it fits") {
  std::vector<std::string> warnings;
  AnswersWish wish;
  wish.gateway = ip("10.101.7.253");
  wish.dns = {ip("192.0.2.53")};
  const auto told = answers_of({"ciab", "front"}, front(), wish, host(), warnings);
  CHECK(warnings.empty());
  CHECK(told.nics[0].gateway == ip("10.101.7.253"));
  CHECK(told.nics[0].name_servers == std::vector{ip("192.0.2.53")});
  CHECK(told.nics[1].gateway == ip("10.75.3.1"));
  CHECK(told.nics[1].name_servers == std::vector{ip("192.0.2.53")});
}

TEST_CASE("a gateway outside of the interface's network is never told") {
  std::vector<std::string> warnings;
  AnswersWish wish;
  wish.gateway = ip("192.0.2.1");
  const auto told = answers_of({"ciab", "front"}, front(), wish, host(), warnings);
  CHECK(told.nics[0].gateway == ip("10.101.7.254"));
  CHECK(warnings == std::vector<std::string>{
                        "ciab/front: the gateway 192.0.2.1 of [answers] is not in the network of "
                        "10.101.7.2, 10.101.7.0/24; it is not told there"});
}

TEST_CASE("of several networks on a bridge the one that holds the address counts") {
  std::vector<std::string> warnings;
  MachineSpec spec = front();
  spec.nics = {bridged("br0", "172.20.0.9")};
  const auto told = answers_of({"ciab", "front"}, spec, {}, host(), warnings);
  CHECK(told.nics[0].prefix == 16);
  CHECK_FALSE(told.nics[0].gateway);
  CHECK(warnings == std::vector<std::string>{
                        "ciab/front: no gateway is known on br0: this host has no default route "
                        "through it; say `gateway` in the file's [answers]"});
}

TEST_CASE("an address in no network of the host has neither a netmask nor a gateway") {
  std::vector<std::string> warnings;
  MachineSpec spec = front();
  spec.nics = {bridged("br0", "198.51.100.9")};
  const auto told = answers_of({"ciab", "front"}, spec, {}, host(), warnings);
  CHECK_FALSE(told.nics[0].prefix);
  CHECK_FALSE(told.nics[0].gateway);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("no address in the network of 198.51.100.9 on br0") != std::string::npos);
}

TEST_CASE("an address on a VLAN of the bridge has that VLAN's network") {
  std::vector<std::string> warnings;
  MachineSpec spec = front();
  spec.nics = {bridged("br0", "10.40.0.9")};
  const auto told = answers_of({"ciab", "front"}, spec, {}, host(), warnings);
  CHECK(told.nics[0].prefix == 22);
}

TEST_CASE("without an address it is DHCP, whatever else is known") {
  std::vector<std::string> warnings;
  MachineSpec spec = front();
  spec.nics = {bridged("br0", nullptr), bridged("br9", nullptr)};
  const auto told = answers_of({"ciab", "front"}, spec, {}, host(), warnings);
  CHECK(told.nics[0] == NicAnswers{"bridge br0", "bridge", mac(7), {}, {}, {}, {}, 0});
  CHECK_FALSE(told.nics[1].address);
  CHECK(warnings.empty());
}

TEST_CASE("an isolated network has no gateway, and a network without DNS the host's servers") {
  std::vector<std::string> warnings;
  AnswersHost seen = host();
  seen.networks[0].mode = NetworkMode::isolated;
  const auto isolated = answers_of({"ciab", "front"}, front(), {}, seen, warnings);
  CHECK_FALSE(isolated.nics[1].gateway);
  CHECK(isolated.nics[1].name_servers == std::vector{ip("10.75.3.1")});
  seen.networks[0].mode = NetworkMode::nat;
  seen.networks[0].dns = false;
  const auto mute = answers_of({"ciab", "front"}, front(), {}, seen, warnings);
  CHECK(mute.nics[1].name_servers == seen.name_servers);
  CHECK(warnings.empty());
}

TEST_CASE("name servers that nobody knows are said once") {
  std::vector<std::string> warnings;
  AnswersHost seen = host();
  seen.name_servers.clear();
  MachineSpec spec = front();
  spec.nics = {bridged("br0", "10.101.7.2"), bridged("br0", "10.101.7.3")};
  answers_of({"ciab", "front"}, spec, {}, seen, warnings);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].starts_with("no name server is known"));
}

TEST_CASE("for a person, prompt by prompt") {
  CHECK(answers_text(ciab()) == R"(cloud:                ciab
network mode:         MANAGED-NOVLAN
public IP range:      10.101.7.10-10.101.7.19 10.101.7.30
private subnet:       172.16.0.0
private netmask:      255.255.0.0
addresses per group:  32
name servers:         10.101.1.1 10.101.1.2
public interface:     eth0
private interface:    eth0
bridge:               br0

front:
host name:            front
full name:            front.ciab.nutshell
interface 0:          bridge br0
MAC:                  52:54:00:00:00:01
address:              10.101.7.2
netmask:              255.255.255.0
gateway:              10.101.7.254
name servers:         10.101.1.1 10.101.1.2
interface 1:          network ciab-lan
MAC:                  52:54:00:00:00:02
address:              10.75.3.2
netmask:              255.255.255.0
gateway:              10.75.3.1
name servers:         10.75.3.1

node-1:
host name:            node-1
full name:            node-1.ciab.nutshell
MAC:                  52:54:00:00:00:07
address:              by DHCP
)");
}

TEST_CASE("the nine lines of eucalyptus.conf") {
  CHECK(answers_eucalyptus(ciab()) == R"(VNET_MODE="MANAGED-NOVLAN"
VNET_PUBLICIPS="10.101.7.10-10.101.7.19 10.101.7.30"
VNET_SUBNET="172.16.0.0"
VNET_NETMASK="255.255.0.0"
VNET_ADDRSPERNET="32"
VNET_DNS="10.101.1.1"
VNET_PUBINTERFACE="eth0"
VNET_PRIVINTERFACE="eth0"
VNET_BRIDGE="br0"
)");
  Answers answers = ciab();
  answers.public_ranges = {{ip("10.0.0.250"), ip("10.0.2.3")}};
  answers.private_subnet.reset();
  answers.bridge = "b$\"`\\";
  const std::string text = answers_eucalyptus(answers);
  CHECK(text.find("VNET_PUBLICIPS=\"10.0.0.250-10.0.0.255 10.0.1.0-10.0.1.255 "
                  "10.0.2.0-10.0.2.3\"\n") != std::string::npos);
  CHECK(text.find("VNET_SUBNET=\"\"\nVNET_NETMASK=\"\"\n") != std::string::npos);
  CHECK(text.find("VNET_BRIDGE=\"b\\$\\\"\\`\\\\\"\n") != std::string::npos);
  answers.public_ranges = {{ip("255.255.255.254"), ip("255.255.255.255")}};
  CHECK(answers_eucalyptus(answers).find("255.255.255.254-255.255.255.255\"") != std::string::npos);
}

TEST_CASE("as variables of a shell") {
  CHECK(answers_env(ciab()) == R"(CLOUD=ciab
MODE=MANAGED-NOVLAN
PUBLIC_IPS='10.101.7.10-10.101.7.19 10.101.7.30'
PRIVATE_SUBNET=172.16.0.0
PRIVATE_NETMASK=255.255.0.0
ADDRESSES_PER_GROUP=32
DNS='10.101.1.1 10.101.1.2'
PUBLIC_INTERFACE=eth0
PRIVATE_INTERFACE=eth0
BRIDGE=br0
SSH_USER=''
SSH_KEYS='ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ me@desk'
MACHINES='front node-1'
MACHINE_FRONT_HOSTNAME=front
MACHINE_FRONT_FQDN=front.ciab.nutshell
MACHINE_FRONT_MAC=52:54:00:00:00:01
MACHINE_FRONT_ADDRESS=10.101.7.2
MACHINE_FRONT_NETMASK=255.255.255.0
MACHINE_FRONT_GATEWAY=10.101.7.254
MACHINE_FRONT_DNS='10.101.1.1 10.101.1.2'
MACHINE_FRONT_MAC_1=52:54:00:00:00:02
MACHINE_FRONT_ADDRESS_1=10.75.3.2
MACHINE_FRONT_NETMASK_1=255.255.255.0
MACHINE_FRONT_GATEWAY_1=10.75.3.1
MACHINE_FRONT_DNS_1=10.75.3.1
MACHINE_NODE_1_HOSTNAME=node-1
MACHINE_NODE_1_FQDN=node-1.ciab.nutshell
MACHINE_NODE_1_MAC=52:54:00:00:00:07
MACHINE_NODE_1_ADDRESS=''
MACHINE_NODE_1_NETMASK=''
MACHINE_NODE_1_GATEWAY=''
MACHINE_NODE_1_DNS=''
)");
}

TEST_CASE("no two variables have the same name, whatever machines are called") {
  Answers answers;
  const NicAnswers nic;
  for (const char* name : {"a", "a-1", "a-address", "a-address-1", "a-mac", "a-mac-mac", "1"})
    answers.machines.push_back({name, {}, "", {nic, nic, nic}});
  std::vector<std::string> names;
  const std::string text = answers_env(answers);
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    names.push_back(text.substr(at, text.find('=', at) - at));
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  CHECK(names.size() == 13 + 7 * 17);
}

TEST_CASE("JSON has every field, null where nothing is known") {
  const Json json = answers_json(ciab());
  CHECK(json.at("public_ranges").as_array()[0].text("last") == "10.101.7.19");
  CHECK(json.text("private_netmask") == "255.255.0.0");
  CHECK(json.integer("private_prefix") == 16);
  CHECK(json.at("ssh_user").is_null());
  const Json nic = json.at("machines").as_array()[1].at("nics").as_array()[0];
  CHECK(nic.flag("dhcp"));
  for (const char* field : {"address", "prefix", "netmask", "gateway", "mtu"})
    CHECK(nic.at(field).is_null());
  CHECK(nic.at("name_servers").as_array().empty());
  const Json empty = answers_json({});
  CHECK(empty.as_object().size() == json.as_object().size());
  CHECK(empty.at("private_subnet").is_null());
}
