// Pools: the built-in ones, what a file makes of them, and every range that cannot be.
#include <doctest/doctest.h>

#include "core/problems.hpp"
#include "nutshell/config.hpp"

using namespace nutshell;

namespace {
std::string pool_text(const std::string& name, const std::string& range,
                      const std::string& more = "") {
  return "[[pool]]\nname = \"" + name + "\"\nrange = \"" + range + "\"\n" + more + "\n";
}
PoolRange good(const std::string& text) {
  const Config config = parse_config(text, "n.toml");
  REQUIRE(config.pools.size() == 1);
  return config.pools[0];
}
std::string refused(const std::string& text) {
  return refusal([&] { parse_config(text, "n.toml"); });
}
const PoolRange& named(const std::vector<PoolRange>& pools, const std::string& name) {
  for (const PoolRange& pool : pools)
    if (pool.name == name) return pool;
  FAIL("no pool ", name);
  return pools.front();
}
const std::string ipv4 = "kind = \"ipv4\"";
}  // namespace

TEST_CASE("without a file there are five pools") {
  const auto pools = effective_pools(Config());
  CHECK(pools.size() == 5);
  CHECK(to_string(Mac{named(pools, "mac").low}) == "52:54:00:00:00:00");
  CHECK(to_string(Mac{named(pools, "mac").high}) == "52:54:00:ff:ff:ff");
  CHECK(named(pools, "vnc").low == 0);
  CHECK(named(pools, "vnc").high == 99);
  CHECK(named(pools, "cid").low == 1000);
  CHECK(named(pools, "cid").high == 65535999);
  CHECK(named(pools, "uid").low == 1900000000);
  CHECK(named(pools, "uid").high == 1900065535);
  CHECK(to_string(Ipv4{static_cast<std::uint32_t>(named(pools, "subnet").low)}) == "10.75.0.0");
  CHECK(to_string(Ipv4{static_cast<std::uint32_t>(named(pools, "subnet").high)}) ==
        "10.75.255.255");
  CHECK(named(pools, "subnet").prefix == 24);
  for (const PoolRange& pool : pools) {
    CHECK(pool.kind == pool.name);
    CHECK(pool.origin == "default");
  }
}

TEST_CASE("a file's pool replaces the built-in one of its name, or joins them") {
  const Config config = parse_config(
      pool_text("vnc", "10-20") + pool_text("public", "192.0.2.10-192.0.2.20", ipv4), "n.toml");
  const auto pools = effective_pools(config);
  CHECK(pools.size() == 6);
  CHECK(named(pools, "vnc").low == 10);
  CHECK(named(pools, "vnc").origin == "n.toml:1");
  CHECK(named(pools, "public").kind == "ipv4");
  CHECK(named(pools, "public").high - named(pools, "public").low == 10);
}

TEST_CASE("ranges of each kind") {
  CHECK(good(pool_text("mac", "52:54:00:00:01:00-52:54:00:00:01:ff")).high == 0x5254000001ff);
  CHECK(good(pool_text("vnc", "7")).low == 7);
  CHECK(good(pool_text("vnc", "1 - 9")).high == 9);
  CHECK(good(pool_text("cid", "3-4294967294")).high == 4294967294);
  CHECK(good(pool_text("ipv4", "192.0.2.1")).high == 0xc0000201);
  const PoolRange net = good(pool_text("public", "192.0.2.0/28", ipv4));
  CHECK(net.low == 0xc0000201);
  CHECK(net.high == 0xc000020e);
  CHECK(good(pool_text("public", "192.0.2.0/31", ipv4)).low == 0xc0000200);
  CHECK(good(pool_text("subnet", "10.8.0.0/16", "prefix = 20")).prefix == 20);
  CHECK(good(pool_text("subnet", "10.8.0.0-10.8.3.255")).high == 0x0a0803ff);
}

TEST_CASE("excluded values are kept in order") {
  const PoolRange pool = good(pool_text("vnc", "0-99", "exclude = [\"50-60\", \"7\"]"));
  REQUIRE(pool.excluded.size() == 2);
  CHECK(pool.excluded[0] == std::pair<std::uint64_t, std::uint64_t>(7, 7));
  CHECK(pool.excluded[1] == std::pair<std::uint64_t, std::uint64_t>(50, 60));
  CHECK(good(pool_text("subnet", "10.8.0.0/16", "exclude = [\"10.8.7.0/24\"]")).excluded.size() ==
        1);
  CHECK(contains(refused(pool_text("vnc", "0-99", "exclude = [\"x\"]")),
                 "n.toml:4: exclude: \"x\" is no value"));
  CHECK(contains(refused(pool_text("vnc", "0-99", "exclude = [\"100\"]")),
                 "is not in the pool's range"));
  CHECK(contains(refused(pool_text("vnc", "0-99", "exclude = [\"9-1\"]")), "is no value"));
  CHECK(
      contains(refused(pool_text("vnc", "0-99", "exclude = [7]")), "exclude[0] is a whole number"));
  CHECK(contains(refused(pool_text("vnc", "0-99", "exclude = \"7\"")), "should be a list"));
}

TEST_CASE("ranges that cannot be") {
  CHECK(contains(refused(pool_text("vnc", "9-1")),
                 "n.toml:3: range = \"9-1\" is not possible: it ends before"));
  CHECK(contains(refused(pool_text("vnc", "0-59636")), "from 0 to 59635"));
  CHECK(contains(refused(pool_text("cid", "2-9")), "from 3 to"));
  CHECK(contains(refused(pool_text("uid", "0-9")), "from 1000"));
  CHECK(contains(refused(pool_text("uid", "60000-70000")), "nobody"));
  CHECK(contains(refused(pool_text("mac", "01:00:00:00:00:00-01:00:00:00:00:ff")), "multicast"));
  CHECK(contains(refused(pool_text("mac", "52:00:00:00:00:00-54:00:00:00:00:00")), "first byte"));
  CHECK(contains(refused(pool_text("mac", "00:00:00:00:00:00-00:00:00:00:00:ff")), "all zeros"));
  CHECK(contains(refused(pool_text("p", "127.0.0.0/8", ipv4)), "loopback"));
  CHECK(contains(refused(pool_text("p", "126.0.0.0-128.0.0.0", ipv4)), "loopback"));
  CHECK(contains(refused(pool_text("p", "224.0.0.0/8", ipv4)), "223.255.255.255"));
  CHECK(contains(refused(pool_text("p", "192.0.2.1/24", ipv4)), "malformed"));
  CHECK(contains(refused(pool_text("subnet", "10.8.0.0-10.8.0.200")), "not made of whole /24"));
  CHECK(contains(refused(pool_text("subnet", "10.8.0.0/25")), "not made of whole /24"));
  for (const char* range : {"x", "-", "1-", "-1", "1-2-3", "1,2", "99999999999999999999"})
    CHECK_MESSAGE(contains(refused(pool_text("vnc", range)), "malformed"), range);
  CHECK(contains(refused(pool_text("vnc", "")), "range is empty"));
}

TEST_CASE("names and kinds belong together") {
  CHECK(contains(refused(pool_text("public", "192.0.2.1")),
                 "n.toml:1: pool \"public\" needs a kind"));
  CHECK(contains(refused(pool_text("vnc", "0-9", ipv4)), "built in and of the kind vnc"));
  CHECK(contains(refused(pool_text("mine", "0-9", "kind = \"vnc\"")),
                 "the pool of the kind vnc is called vnc"));
  CHECK(contains(refused(pool_text("p", "0-9", "kind = \"ivp4\"")), "did you mean ipv4?"));
  CHECK(contains(refused(pool_text("P", "192.0.2.1", ipv4)), "capital"));
  CHECK(contains(refused("[[pool]]\nrange = \"0-9\"\n"), "n.toml:1: a pool needs a name"));
  CHECK(contains(refused("[[pool]]\nname = \"vnc\"\n"), "needs a range: range = \"0-99\""));
  CHECK(contains(refused(pool_text("vnc", "0-9", "prefix = 24")), "subnet only"));
  CHECK(contains(refused(pool_text("subnet", "10.8.0.0/16", "prefix = 31")), "use 8 to 30"));
  CHECK(contains(refused(pool_text("vnc", "0-9", "exlude = []")),
                 "n.toml:4: unknown key \"exlude\"; did you mean exclude?"));
  CHECK(contains(refused("[pool]\nname = \"vnc\"\n"), "should be written [[pool]]"));
  CHECK(contains(refused("pool = [1]\n"), "should be written [[pool]]"));
}

TEST_CASE("no pool twice, no address in two pools") {
  CHECK(contains(refused(pool_text("vnc", "0-9") + pool_text("vnc", "20-29")),
                 "n.toml:5: pool vnc was declared already (n.toml:1)"));
  CHECK(contains(refused(pool_text("a", "192.0.2.1-192.0.2.9", ipv4) +
                         pool_text("b", "192.0.2.9-192.0.2.20", ipv4)),
                 "pool b overlaps pool a (n.toml:1)"));
  CHECK(refused(pool_text("a", "192.0.2.1-192.0.2.9", ipv4) +
                pool_text("b", "192.0.2.10-192.0.2.20", ipv4))
            .empty());
}
