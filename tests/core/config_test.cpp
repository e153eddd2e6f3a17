// nutshell.toml: what it sets, where each value came from, and every mistake with its line.
#include "nutshell/config.hpp"

#include <doctest/doctest.h>

#include "core/problems.hpp"

using namespace nutshell;

namespace {
std::string refused(const std::string& text) {
  return refusal([&] { parse_config(text, "n.toml"); });
}
}  // namespace

TEST_CASE("an empty file sets nothing") {
  const Config config = parse_config("", "n.toml");
  CHECK(config.file == "n.toml");
  CHECK(config.qemu.empty());
  CHECK_FALSE(config.memory);
  CHECK(config.pools.empty());
}

TEST_CASE("each key, and its line") {
  const Config config = parse_config(
      "qemu = \"/opt/qemu\"\ncpu = \"host\"\n\nmemory = \"2G\"\nnetwork = \"10.9.8.1/24\"\n"
      "[[pool]]\nname = \"vnc\"\nrange = \"5-9\"\n",
      "n.toml");
  CHECK(config.qemu == "/opt/qemu");
  CHECK(config.cpu == "host");
  CHECK(config.memory == 2 * gibi);
  REQUIRE(config.network);
  CHECK(to_string(*config.network) == "10.9.8.1/24");
  CHECK(config.origins.at("qemu") == "n.toml:1");
  CHECK(config.origins.at("memory") == "n.toml:4");
  CHECK(config.origins.at("pool.vnc") == "n.toml:6");
}

TEST_CASE("every mistake at once, each with its line") {
  const std::string said = refused(
      "qemuu = \"x\"\ncpu = 7\nmemory = 2048\nnetwork = \"10.0.0.0\"\nvg = \"v g\"\nqemu = "
      "\"\"\n[other]\nx = 1\n");
  CHECK(contains(said, "n.toml:1: unknown key \"qemuu\"; did you mean qemu?"));
  CHECK(contains(said, "n.toml:2: cpu is a whole number and should be a text"));
  CHECK(contains(said, "n.toml:3: memory = 2048 has no unit; write it as a text: memory = \"2G\""));
  CHECK(contains(said, "n.toml:4: network = \"10.0.0.0\" is no network"));
  CHECK(contains(said, "n.toml:5: vg = \"v g\": "));
  CHECK(contains(said, "n.toml:6: qemu is empty"));
  CHECK(contains(said, "n.toml:7: unknown key \"other\""));
}

TEST_CASE("a volume group and a thin pool as the default for disks") {
  const Config config =
      parse_config("vg = \"vg01\"\nthin = \"pool0\"\nthin_limit = 80\n", "n.toml");
  CHECK(config.vg == "vg01");
  CHECK(config.thin == "pool0");
  CHECK(config.thin_limit == 80);
  CHECK(config.origins.at("thin") == "n.toml:2");
  CHECK(Config{}.thin_limit == 90);
  CHECK(contains(refused("thin = \"pool0\""), "n.toml:1: thin names a pool"));
  CHECK(contains(refused("vg = \"vg01\"\nthin = \"a/b\""), "n.toml:2: thin = \"a/b\": "));
  CHECK(contains(refused("thin_limit = 0"), "n.toml:1"));
  CHECK(contains(refused("thin_limit = 101"), "n.toml:1"));
}

TEST_CASE("sizes and networks are judged as elsewhere") {
  CHECK(contains(refused("memory = \"1.5G\""),
                 "n.toml:1: memory: \"1.5G\" is not a whole number; write 1536M"));
  CHECK(contains(refused("memory = \"0\""), "size of 0"));
  CHECK(contains(refused("memory = true"), "should be a text"));
  CHECK(contains(refused("network = \"10.0.0.0/31\""), "prefix 31; use 8 to 30"));
  CHECK(contains(refused("network = \"10.0.0.0/0\""), "use 8 to 30"));
  CHECK(contains(refused("network = \"127.0.0.0/8\""), "no network of machines"));
  CHECK(contains(refused("network = \"239.0.0.0/24\""), "no network of machines"));
  CHECK(contains(refused("qemu = \"a\\nb\""), "newline"));
}

TEST_CASE("what is no TOML is refused with its line") {
  CHECK(contains(refused("qemu = \"x\"\n= 3\n"), "n.toml:2: this is not TOML"));
  CHECK(contains(refused("qemu = \"x\"\nqemu = \"y\"\n"), "n.toml:2: this is not TOML"));
  CHECK(contains(refused("x = \"\xff\""), "this is not TOML"));
  CHECK(contains(refused("a = " + std::string(100000, '[')), "this is not TOML"));
  CHECK(contains(refused(std::string("a\0b", 3)), "this is not TOML"));
  CHECK(
      contains(refused("cpu = \"x\"\n\n[=]\n\n"), "n.toml:3: this is not TOML: a key is missing"));
  CHECK(contains(refused("[=]"), "n.toml:1: this is not TOML"));
  CHECK(contains(refused("cpu = \"x\"\n[\n]"), "this is not TOML"));
  CHECK(contains(refused("[[]]"), "this is not TOML"));
  CHECK(contains(refused(std::string(2000000, '#')), "larger than 1M"));
  CHECK(contains(refused("\"a\\u001b\" = 1"), "unknown key \"a\\x1b\""));
}

TEST_CASE("letters of every script may stand in comments and texts, and nowhere else") {
  const std::string letters = "caf\xc3\xa9 \xe2\xb3\x9f \xef\xb0\xab \xe3\x81\x82 \xf0\x9f\x98\x80";
  CHECK(parse_config("# " + letters + "\nqemu = \"/opt/" + letters + "\"\n", "n.toml").qemu ==
        "/opt/" + letters);
  for (const char* letter : {"\xc3\xa9", "\xe2\xb3\x9f", "\xef\xb0\xab", "\xe3\x81\x82"}) {
    CHECK(contains(refused(std::string(letter) + " = 1"), "n.toml:1: this is not TOML"));
    CHECK(contains(refused(std::string("[").append(letter).append("]")),
                   "n.toml:1: this is not TOML"));
    CHECK(contains(refused(std::string("cpu = ").append(letter)), "n.toml:1: this is not TOML"));
  }
}
