// A cloud goes through JSON unchanged, and a thousand machines alike stay small.
#include <doctest/doctest.h>

#include "core/cloud_rules.hpp"
#include "core/problems.hpp"
#include "golden/golden.hpp"
#include "nutshell/cloud.hpp"

using namespace nutshell;

namespace {

CloudSpec read(const std::string& text) {
  return parse_cloud(text, "c.toml", "/clouds/lab", effective_types({}));
}
CloudSpec again(const CloudSpec& spec) {
  return cloud_from_json(Json::parse(to_json(spec).dump()));
}

const std::string full = R"(name = "lab"
autostart = true
[public]
pool = "campus"
range = ["203.0.113.32/28", "203.0.113.10"]
[private]
pool = "own"
subnet = "10.8.0.0/16"
[quota]
machines = 5
cpus = 6
memory = "64G"
disk = "1T"
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
rules = ["tcp 443", "tcp 22 from 10.0.0.0/8", "icmp", "udp 8000-8100 from group web", "all"]
[[machine]]
name = "front"
type = "m1.xlarge"
nics = ["network=inner", "macvtap=em1,mode=vepa"]
groups = ["web"]
publish = ["8443:443"]
tags = { role = "front", empty = "" }
vnc = 3
args = ["-d", "int"]
[[machine]]
name = "node"
count = 3
image = "node.qcow2"
image_size = "4G"
after = ["front:serial=a:b", "front"]
after_timeout = 60
seed = true
[[machine]]
name = "last"
autostart = false
after = ["node:port=22"]
[answers]
mode = "MANAGED"
addresses_per_group = 64
dns = ["192.0.2.53", "192.0.2.54"]
gateway = "192.0.2.1"
public_interface = "en1"
private_interface = "en2"
bridge = "br1"
ssh_user = "ubuntu"
ssh_keys = ["ssh-ed25519 AAAA ann"]
)";

}  // namespace

TEST_CASE("every field comes back") {
  const CloudSpec spec = read(full);
  CHECK(again(spec) == spec);
  CHECK(again(read("name = \"lab\"\n")) == read("name = \"lab\"\n"));
}

TEST_CASE("machines of one entry that differ come back each as it was") {
  CloudSpec spec = read(full);
  spec.machines.at(2).wish.memory = 7 * gibi;
  CHECK(again(spec) == spec);
}

TEST_CASE("a thousand machines alike are kept once") {
  const CloudSpec spec =
      read("name = \"lab\"\n[[machine]]\nname = \"node\"\ncount = 1000\ntype = \"m1.small\"\n");
  CHECK(to_json(spec).dump().size() < 20000);
  CHECK(again(spec) == spec);
}

TEST_CASE("what is damaged is refused") {
  const std::string kept = to_json(read(full)).dump();
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = kept;
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
  };
  for (const std::string& text :
       {std::string("[]"), changed("\"autostart\":true", "\"autostart\":1"),
        changed("203.0.113.32", "203.0.113.999"), changed("10.8.0.0/16", "10.8.0.0"),
        changed("\"isolated\"", "\"lonely\""), changed("\"certain\"", "\"some\""),
        changed("\"count\":0", "\"count\":-1"), changed("tcp 443", "tpc 443"),
        changed("\"names\"", "\"nmaes\""), changed("[\"front\",\"running\"]", "[\"front\"]"),
        changed("192.0.2.1\"", "192.0.2\""), changed("\"memory\":68719476736", "\"memory\":-1")}) {
    CAPTURE(text);
    CHECK_THROWS_AS(cloud_from_json(Json::parse(text)), Failed);
  }
}

TEST_CASE("rules are written as they are read") {
  for (const char* words : {"tcp 443", "tcp 22 from 10.0.0.0/8", "udp 8000-8100 from group web",
                            "icmp", "all from 2001:db8::/32", "tcp"}) {
    Problems problems;
    const auto rule = parse_rule(words, "w", problems);
    REQUIRE(rule);
    CHECK(rule_words(*rule) == words);
  }
  Problems problems;
  CHECK(rule_words(*parse_rule("tcp  22-22 from anywhere", "w", problems)) == "tcp 22");
}

TEST_CASE("the manual's example is a cloud") {
  const std::string page = golden::read(golden::fs::path(NUTSHELL_SOURCE_DIR) / "man/cloud.toml.5");
  const std::size_t examples = page.find(".Sh EXAMPLES"),
                    begin = page.find("indent\n", examples) + 7, end = page.find(".Ed", begin);
  REQUIRE(end != std::string::npos);
  const CloudSpec spec = read(page.substr(begin, end - begin));
  CHECK(spec.machines.size() == 4);
  CHECK(again(spec) == spec);
}

TEST_CASE("the manual lists the built-in types") {
  const std::string page =
      golden::read(golden::fs::path(NUTSHELL_SOURCE_DIR) / "man/nutshell.toml.5");
  for (const InstanceType& type : effective_types({})) {
    const std::string row = ".It " + type.name + " Ta " + std::to_string(type.cpus) + " Ta " +
                            format_size(type.memory) + " Ta " + std::to_string(type.disk / gibi) +
                            "G\n";
    CHECK_MESSAGE(contains(page, row), row);
  }
}
