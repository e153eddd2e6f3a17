// A cloud as its file describes it: what each key becomes, and every mistake with its line.
#include "nutshell/cloud.hpp"

#include <doctest/doctest.h>

#include "core/problems.hpp"
#include "golden/golden.hpp"

using namespace nutshell;

namespace {

CloudSpec read(const std::string& text) {
  return parse_cloud(text, "c.toml", "/clouds/lab", effective_types({}));
}
std::string refused(const std::string& text) {
  return refusal([&] { read(text); });
}
const CloudMachine& machine(const CloudSpec& spec, const std::string& name) {
  const CloudMachine* found = spec.machine(name);
  REQUIRE(found);
  return *found;
}

const char* full = R"(name = "lab"
autostart = true
[public]
pool = "campus"
range = ["203.0.113.32/28", "203.0.113.10-203.0.113.12"]
[private]
prefix = 20
[quota]
machines = 5
memory = "64G"
addresses = 0
[[network]]
name = "inner"
range = "private"
mode = "isolated"
dns = false
[[network]]
name = "outer"
subnet = "10.9.0.0/24"
mtu = 9000
ipv6 = "fd00:0:0:1::/64"
[[network]]
name = "spare"
prefix = 28
[[group]]
name = "web"
description = "what others may reach"
rules = ["tcp 443", "tcp 22 from 10.0.0.0/8", "icmp", "tcp 443", "udp 8000-8100 from group web"]
[[machine]]
name = "front"
type = "m1.xlarge"
memory = "4G"
nics = ["network=inner", "network=elsewhere", "bridge=br0"]
groups = ["web"]
publish = ["8443:443"]
tags = { role = "front", "lab/owner" = "ann" }
cdrom = "iso/../faststart.iso"
boot = "once=cdrom"
[[machine]]
name = "node"
count = 3
type = "m1.small"
image = "../images/node.qcow2"
disks = ["20G", "path=data.img,ro"]
after = ["front:serial=a:b", "front"]
after_timeout = 60
seed = true
tags = ["role=node"]
[[machine]]
name = "last"
after = ["node:port=22"]
disks = []
nics = []
image = "raw.bin"
image_format = "raw"
image_size = "3G"
[answers]
addresses_per_group = 64
dns = ["192.0.2.53"]
gateway = "192.0.2.1"
bridge = "br1"
ssh_user = "ubuntu"
ssh_keys = ["ssh-ed25519 AAAA ann", "keys/ann.pub", "~/.ssh/id.pub"]
)";

}  // namespace

TEST_CASE("a name is enough") {
  const CloudSpec spec = read("name = \"lab\"\n");
  CHECK(spec.name == "lab");
  CHECK(spec.file == "/clouds/lab/c.toml");
  CHECK(spec.machines.empty());
  CHECK_FALSE(spec.public_range.asked());
  CHECK_FALSE(spec.private_subnet.asked());
  CHECK_FALSE(spec.quota);
  CHECK_FALSE(spec.autostart);
}

TEST_CASE("ranges, quota, networks and groups") {
  const CloudSpec spec = read(full);
  CHECK(spec.autostart);
  CHECK(spec.public_range.pool == "campus");
  CHECK(to_string(spec.public_range.ranges) ==
        "203.0.113.10-203.0.113.12+203.0.113.32-203.0.113.47");
  CHECK(spec.public_range.origin == "c.toml:3");
  CHECK(spec.private_subnet.prefix == 20);
  REQUIRE(spec.quota);
  CHECK(spec.quota->machines == 5U);
  CHECK(spec.quota->memory == 64 * gibi);
  CHECK(spec.quota->addresses == 0U);
  CHECK_FALSE(spec.quota->disk);
  CHECK(spec.quota->origins.at("memory") == "c.toml:10");
  REQUIRE(spec.networks.size() == 3);
  CHECK(spec.networks[0].range == CloudNetwork::Range::the_private);
  CHECK(spec.networks[0].mode == NetworkMode::isolated);
  CHECK_FALSE(spec.networks[0].dns);
  CHECK(spec.networks[1].range == CloudNetwork::Range::certain);
  CHECK(to_string(*spec.networks[1].subnet) == "10.9.0.0/24");
  CHECK(spec.networks[1].mtu == 9000);
  CHECK(spec.networks[1].ipv6 == "fd00:0:0:1::/64");
  CHECK(spec.networks[2].prefix == 28);
  REQUIRE(spec.groups.size() == 1);
  CHECK(spec.groups[0].description == "what others may reach");
  REQUIRE(spec.groups[0].rules.size() == 4);
  CHECK(std::is_sorted(spec.groups[0].rules.begin(), spec.groups[0].rules.end()));
  CHECK(spec.groups[0].rules[1] == GroupRule{"tcp", 22, 22, "10.0.0.0/8", ""});
  CHECK(spec.groups[0].rules[3] == GroupRule{"udp", 8000, 8100, "", "web"});
}

TEST_CASE("a machine has its type's size, and what it says itself goes before") {
  const CloudMachine front = machine(read(full), "front");
  CHECK(front.wish.name.cloud == "lab");
  CHECK(front.wish.cpus == 2);
  CHECK(front.wish.memory == 4 * gibi);
  CHECK(front.wish.origins.at("cpus") == "c.toml:31");
  CHECK(front.wish.origins.at("memory") == "c.toml:32");
  REQUIRE(front.wish.disks.size() == 1);
  CHECK(front.wish.disks[0].size == 10 * gibi);
  CHECK_FALSE(front.wish.disks[0].file);
  CHECK(front.wish.cdrom == "/clouds/lab/faststart.iso");
  CHECK(front.wish.groups == std::vector<std::string>{"web"});
  CHECK(to_string(front.wish.publish.at(0)) == "8443:443");
  CHECK(front.wish.tags.at("role") == "front");
  CHECK(front.wish.tags.at("lab/owner") == "ann");
  REQUIRE(front.wish.nics.size() == 3);
  CHECK(front.wish.nics[0].network == "lab-inner");
  CHECK(front.wish.nics[1].network == "elsewhere");
  CHECK(front.wish.nics[2].bridge == "br0");
  CHECK(front.after.empty());
}

TEST_CASE("count makes machines alike, on top of one image") {
  const CloudSpec spec = read(full);
  REQUIRE(spec.machines.size() == 5);
  const CloudMachine& second = machine(spec, "node2");
  CHECK(second.entry == "node");
  CHECK(second.image == "/clouds/images/node.qcow2");
  CHECK(second.image_format == DiskFormat::qcow2);
  CHECK(second.seed);
  CHECK(second.after_timeout == 60);
  CHECK(second.after == std::vector<After>{{"front", "serial=a:b"}, {"front", "running"}});
  REQUIRE(second.wish.disks.size() == 3);
  const DiskSpec& top = second.wish.disks[0];
  CHECK(top.size == 5 * gibi);
  CHECK(top.file);
  CHECK(top.format == DiskFormat::qcow2);
  REQUIRE(top.backing.size() == 1);
  CHECK(top.backing[0] == BackingLayer{"/clouds/images/node.qcow2", DiskFormat::qcow2});
  CHECK(second.wish.disks[1].size == 20 * gibi);
  CHECK(second.wish.disks[2].path == "/clouds/lab/data.img");
  CHECK(second.wish.origins.at("disk.0") == "c.toml:43");
  CHECK(second.wish.origins.at("disk.1") == "c.toml:44");
}

TEST_CASE("whoever waits for an entry waits for all of its machines") {
  const CloudMachine last = machine(read(full), "last");
  CHECK(last.after ==
        std::vector<After>{{"node1", "port=22"}, {"node2", "port=22"}, {"node3", "port=22"}});
  CHECK(last.wish.disks.at(0).size == 3 * gibi);
  CHECK(last.image_format == DiskFormat::raw);
  // No NIC at all is what was asked for.
  CHECK(last.wish.nics.empty());
  CHECK(last.wish.origins.contains("nic"));
}

TEST_CASE("answers") {
  const AnswersWish wish = read(full).answers;
  CHECK(wish.mode == "MANAGED-NOVLAN");
  CHECK(wish.addresses_per_group == 64);
  CHECK(to_string(wish.dns.at(0)) == "192.0.2.53");
  CHECK(to_string(*wish.gateway) == "192.0.2.1");
  CHECK(wish.public_interface == "eth0");
  CHECK(wish.bridge == "br1");
  CHECK(wish.ssh_user == "ubuntu");
  CHECK(wish.ssh_keys == std::vector<std::string>{"ssh-ed25519 AAAA ann",
                                                  "/clouds/lab/keys/ann.pub", "~/.ssh/id.pub"});
}

TEST_CASE("groups of a small private subnet are no larger than it, unless the file says so") {
  const auto size = [](const std::string& rest) {
    return read("name = \"lab\"\n" + rest).answers.addresses_per_group;
  };
  CHECK(size("[private]\nprefix = 24\n[answers]\nmode = \"MANAGED\"\n") == 32);
  CHECK(size("[private]\nprefix = 28\n[answers]\nmode = \"MANAGED\"\n") == 16);
  CHECK(size("[private]\nsubnet = \"10.9.0.0/28\"\n") == 16);
  CHECK(size("[private]\nprefix = 29\n") == 8);
  CHECK(size("[private]\nprefix = 27\n[answers]\naddresses_per_group = 16\n") == 16);
}

TEST_CASE("a machine comes up at boot as it says, or else as its cloud says") {
  const auto spec = [](const std::string& top, const std::string& own) {
    return read("name = \"lab\"\n" + top + "[[machine]]\nname = \"a\"\n" + own +
                "[[machine]]\nname = \"b\"\n");
  };
  const CloudSpec all = spec("autostart = true\n", "autostart = false\n");
  CHECK(all.autostart);
  CHECK_FALSE(machine(all, "a").autostart);
  CHECK(machine(all, "b").autostart);
  const CloudSpec one = spec("", "autostart = true\n");
  CHECK(one.autostart);
  CHECK_FALSE(machine(one, "b").autostart);
  CHECK_FALSE(spec("", "").autostart);
}

TEST_CASE("a screen beyond the loopback has a password") {
  const CloudSpec spec = read(
      "name = \"lab\"\n[[machine]]\nname = \"a\"\nvnc-listen = \"0.0.0.0\"\n[[machine]]\nname = "
      "\"b\"\n");
  CHECK(machine(spec, "a").wish.vnc.password);
  CHECK_FALSE(machine(spec, "b").wish.vnc.password);
}

TEST_CASE("public addresses as a network of their own") {
  const std::string network =
      "[[network]]\nname = \"open\"\nmode = \"routed\"\nrange = \"public\"\n";
  CHECK(
      read("name = \"a\"\n[public]\nrange = \"203.0.113.0/28\"\n" + network).networks.at(0).range ==
      CloudNetwork::Range::the_public);
  CHECK(read("name = \"a\"\n[public]\ncount = 16\n" + network).networks.size() == 1);
  CHECK(contains(refused("name = \"a\"\n[public]\ncount = 20\n" + network), "use 32 of them"));
  CHECK(
      contains(refused("name = \"a\"\n[public]\nrange = \"203.0.113.4-203.0.113.11\"\n" + network),
               "c.toml:7: range = \"public\" needs a public range that is one whole subnet"));
  CHECK(contains(refused("name = \"a\"\n" + network), "the file has no [public]"));
}

TEST_CASE("the largest cloud is read, and a larger one refused") {
  std::string text = "name = \"lab\"\n";
  for (const char* name : {"a", "b", "c", "d"})
    text +=
        std::string("[[machine]]\nname = \"") + name + "\"\ncount = 1000\ntype = \"m1.small\"\n";
  CHECK(read(text).machines.size() == 4000);
  CHECK(contains(refused(text + "[[machine]]\nname = \"e\"\n"), "more than 4000 machines"));
  CHECK(contains(refused("name = \"lab\"\n[[machine]]\nname = \"a\"\ncount = 1000\n[[machine]]\n"
                         "name = \"b\"\ncount = 1000\nafter = [\"a\"]\n"),
                 "more than 100000 times"));
}

TEST_CASE("a chain of any length is no circle") {
  std::string text = "name = \"lab\"\n";
  for (int i = 0; i < 3000; ++i) {
    text += "[[machine]]\nname = \"m" + std::to_string(i) + "\"\n";
    if (i > 0) text += "after = [\"m" + std::to_string(i - 1) + "\"]\n";
  }
  CHECK(read(text).machines.size() == 3000);
}

TEST_CASE("paths are seen from the file's folder") {
  const auto kernel = [](const std::string& path) {
    return read("name = \"lab\"\n[[machine]]\nname = \"a\"\nkernel = \"" + path + "\"\n")
        .machines.at(0)
        .wish.kernel;
  };
  CHECK(kernel("k") == "/clouds/lab/k");
  CHECK(kernel("./a/../k") == "/clouds/lab/k");
  CHECK(kernel("../../../../k") == "/k");
  CHECK(kernel("/boot//k") == "/boot/k");
}

TEST_CASE("golden mistakes") {
  const auto folder = golden::folder() / "cloud_bad";
  int seen = 0;
  for (const auto& entry : golden::fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".toml") continue;
    ++seen;
    const std::string name = entry.path().filename().string();
    std::string now;
    try {
      parse_cloud(golden::read(entry.path()), name, "/clouds/lab", effective_types({}));
    } catch (const ConfigError& error) {
      now = std::string(error.what()) + "\n";
    }
    auto expected = entry.path();
    expected.replace_extension(".err");
    if (std::getenv("NUTSHELL_ACCEPT")) std::ofstream(expected) << now;
    INFO("file: ", name, " (NUTSHELL_ACCEPT=1 writes it anew)");
    CHECK_FALSE(now.empty());
    CHECK(golden::read(expected) == now);
  }
  CHECK(seen >= 19);
}
