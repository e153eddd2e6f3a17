// Leases of several values: ranges of addresses and subnets of any size, where they are put, what
// they keep clear of, and how they are written.
#include <doctest/doctest.h>

#include "room.hpp"
#include "store/interval.hpp"

using namespace store_test;
using nutshell::store::block_in;
using nutshell::store::Interval;
using nutshell::store::largest_block;

namespace {
const Uuid lab{"cloud:lab"}, blog{"cloud:blog"};
Ipv4Net net(const char* text) { return parse_ipv4_net(text).value(); }
Ipv4 ip(const char* text) { return parse_ipv4(text).value(); }

Want piece(std::uint64_t count, int index = 0) {
  Want want{"lan", index, Lifetime::cloud, std::nullopt};
  want.count = count;
  return want;
}
Want block(unsigned prefix, int index = 0) {
  Want want{"subnet", index, Lifetime::cloud, std::nullopt};
  want.prefix = prefix;
  return want;
}
std::string taken(Transaction& t, const Want& want, const Facts& facts = {},
                  const Uuid& holder = lab) {
  return t.allocator().take(holder, {want}, facts).leases[0].value;
}
Want exactly(const std::string& pool, const std::string& value, int index = 0) {
  return certain(pool, value, index, Lifetime::cloud);
}
}  // namespace

TEST_CASE("the largest aligned block of an interval, and which block leaves the most") {
  CHECK(largest_block({0, 0}) == 0);
  CHECK(largest_block({0, 255}) == 8);
  CHECK(largest_block({1, 255}) == 7);
  CHECK(largest_block({6, 9}) == 1);
  CHECK(largest_block({7, 8}) == 0);
  CHECK_FALSE(block_in({7, 8}, 1));
  CHECK(block_in({6, 9}, 1) == Interval{6, 7});
  // 12..15, 16..31, 32..39: a block of four comes out of the first, of eight out of the last.
  CHECK(block_in({12, 39}, 2) == Interval{12, 15});
  CHECK(block_in({12, 39}, 3) == Interval{32, 39});
  CHECK(block_in({12, 39}, 4) == Interval{16, 31});
  CHECK_FALSE(block_in({12, 39}, 5));
  CHECK(block_in({0, 0xffffffff}, 32) == Interval{0, 0xffffffff});
}

TEST_CASE("so many addresses are one lease, written as a range and found by each address") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  Allocator& a = t.allocator();
  auto got = a.take(lab, {piece(4), any("lan", 1, Lifetime::cloud), piece(1, 2)}, {}).leases;
  CHECK(got[0].value == "10.0.0.2-10.0.0.5");
  CHECK(got[1].value == "10.0.0.6");
  CHECK(got[2].value == "10.0.0.7");
  for (const char* value : {"10.0.0.2", "10.0.0.5", "10.0.0.3-10.0.0.4", "10.0.0.2-10.0.0.5"}) {
    auto who = a.who("lan", value);
    REQUIRE(who);
    CHECK(who->value == "10.0.0.2-10.0.0.5");
    CHECK(who->cloud == "lab");
    CHECK(who->lifetime == Lifetime::cloud);
  }
  CHECK_FALSE(a.who("lan", "10.0.0.5-10.0.0.6"));
  CHECK(a.leases_of(lab).size() == 3);
  CHECK(taken(t, exactly("lan", got[0].value)) == got[0].value);  // again: the same
  CHECK(a.leases_of(lab).size() == 3);
  a.release(lab, Lifetime::machine);
  CHECK(a.leases_of(lab).size() == 3);
  a.release(lab, Lifetime::cloud);
  CHECK(a.leases().empty());
}

TEST_CASE("a certain range is taken whole or refused with whoever has a part of it") {
  Room room;
  Registry registry = Registry::open(options(room));
  {
    Transaction t = registry.begin();
    t.add_machine(row(1, "ciab"));
    t.allocator().take(uuid(1), {certain("lan", "10.0.0.70")}, {});
    t.allocator().reserve("lan", "10.0.0.80-10.0.0.84", "the printers");
    CHECK(taken(t, exactly("lan", "10.0.0.16/28")) == "10.0.0.16-10.0.0.31");
    t.commit();
  }
  auto fault = [&](const std::string& value) {
    Transaction t = registry.begin();
    return error_of<Conflict>([&] { taken(t, exactly("lan", value), {}, blog); });
  };
  CHECK(has(fault("10.0.0.31-10.0.0.33"), "overlaps 10.0.0.16-10.0.0.31, which is leased to"));
  CHECK(has(fault("10.0.0.31-10.0.0.33"), "the cloud lab"));
  CHECK(has(fault("10.0.0.8-10.0.0.40"), "the cloud lab"));
  CHECK(has(fault("10.0.0.64-10.0.0.79"), "leased to ciab"));
  CHECK(has(fault("10.0.0.84"), "the printers"));
  CHECK(has(fault("10.0.0.71-10.0.0.90"), "the printers"));
  CHECK(fault("10.0.0.71-10.0.0.79").empty());
  for (const char* wrong : {"10.0.0.9-10.0.0.8", "10.0.0.1/28", "10.0.0.1-", "10.0.0.8+10.0.0.9",
                            "10.0.0.250-10.0.1.2", "10.0.0.0/24"}) {
    CAPTURE(wrong);
    Transaction t = registry.begin();
    CHECK_THROWS_AS(taken(t, exactly("lan", wrong)), ConfigError);
  }
}

TEST_CASE("a piece comes out of the smallest extent that has room for it") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  // Left free: .2-.9 (8), .20-.23 (4), .40-.44 (5), .60-.254.
  for (const char* value : {"10.0.0.10-10.0.0.19", "10.0.0.24-10.0.0.39", "10.0.0.45-10.0.0.59"})
    taken(t, exactly("lan", value, static_cast<int>(value[5])), {}, blog);
  CHECK(taken(t, piece(5)) == "10.0.0.40-10.0.0.44");
  CHECK(taken(t, piece(3, 1)) == "10.0.0.20-10.0.0.22");
  CHECK(taken(t, piece(6, 2)) == "10.0.0.2-10.0.0.7");
  CHECK(taken(t, piece(2, 3)) == "10.0.0.8-10.0.0.9");
  CHECK(taken(t, piece(2, 4)) == "10.0.0.60-10.0.0.61");
  CHECK(taken(t, piece(193, 5)) == "10.0.0.62-10.0.0.254");
  const std::string none = error_of<Exhausted>([&] { taken(t, piece(2, 6)); });
  CHECK(has(none, "no 2 addresses left in one piece"));
  CHECK(has(none, "down --purge"));
}

TEST_CASE("addresses given back one by one are a piece again when nothing else has room") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  Allocator& a = t.allocator();
  taken(t, exactly("lan", "10.0.0.18-10.0.0.254"), {}, blog);
  std::vector<Want> wants;
  for (int i = 0; i < 16; ++i) wants.push_back(any("lan", i));
  a.take(uuid(1), wants, {});
  for (int last : {9, 3, 8, 5, 4, 7, 6, 12})
    a.release_value("lan", "10.0.0." + std::to_string(last));
  CHECK(taken(t, piece(5)) == "10.0.0.3-10.0.0.7");
  // Of those that are left, each still has its place in the queue.
  CHECK(a.candidates("lan", 9, {}) ==
        std::vector<std::string>{"10.0.0.9", "10.0.0.8", "10.0.0.12"});
  CHECK(taken(t, piece(2, 1)) == "10.0.0.8-10.0.0.9");
  CHECK_THROWS_AS(taken(t, piece(2, 2)), Exhausted);
}

TEST_CASE("a part of a range is given back, and the rest stays its holder's") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  Allocator& a = t.allocator();
  taken(t, exactly("lan", "10.0.0.10-10.0.0.19"));
  a.release_value("lan", "10.0.0.14-10.0.0.15");
  CHECK(a.who("lan", "10.0.0.12")->value == "10.0.0.10-10.0.0.13");
  CHECK(a.who("lan", "10.0.0.19")->value == "10.0.0.16-10.0.0.19");
  CHECK(a.who("lan", "10.0.0.19")->holder == lab);
  CHECK_FALSE(a.who("lan", "10.0.0.14"));
  CHECK(taken(t, piece(2, 1), {}, blog) == "10.0.0.14-10.0.0.15");
  a.release_value("lan", "10.0.0.19");
  CHECK(a.who("lan", "10.0.0.18")->value == "10.0.0.16-10.0.0.18");
}

TEST_CASE("subnets of several sizes keep large blocks whole") {
  Room room;
  Registry registry = Registry::open(options(room));  // 10.75.0.0/20, of /24
  Transaction t = registry.begin();
  CHECK(taken(t, block(26)) == "10.75.0.0/26");
  CHECK(taken(t, block(24, 1)) == "10.75.1.0/24");
  CHECK(taken(t, block(22, 2)) == "10.75.4.0/22");
  CHECK(taken(t, block(25, 3)) == "10.75.0.128/25");
  CHECK(taken(t, block(26, 4)) == "10.75.0.64/26");
  CHECK(taken(t, block(21, 5)) == "10.75.8.0/21");
  CHECK(taken(t, any("subnet", 6)) == "10.75.2.0/24");
  CHECK(taken(t, block(24, 7)) == "10.75.3.0/24");
  CHECK(has(error_of<Exhausted>([&] { taken(t, block(30, 8)); }), "has no /30 left"));
}

TEST_CASE("a small subnet goes into the hole that it fills, not into the first that has room") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  // Left free: 10.75.0.0/22 and, behind it, 10.75.6.0/24 and 10.75.8.0/21.
  for (const char* value : {"10.75.4.0/23", "10.75.7.0/24"})
    taken(t, exactly("subnet", value, static_cast<int>(value[6])), {}, blog);
  CHECK(taken(t, block(25)) == "10.75.6.0/25");
  CHECK(taken(t, block(24, 1)) == "10.75.0.0/24");
  CHECK(taken(t, block(22, 2)) == "10.75.8.0/22");
  CHECK(taken(t, block(23, 3)) == "10.75.2.0/23");
}

TEST_CASE("an extent without an aligned block is passed over, however many there are") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  taken(t, exactly("subnet", "10.75.0.0/24", 0), {}, blog);
  taken(t, exactly("subnet", "10.75.3.0/24", 1), {}, blog);  // .1 and .2: two, and no /23
  taken(t, exactly("subnet", "10.75.4.0/24", 2), {}, blog);
  taken(t, exactly("subnet", "10.75.7.0/24", 3), {}, blog);
  CHECK(taken(t, block(23)) == "10.75.8.0/23");
  CHECK(taken(t, block(24, 1)) == "10.75.1.0/24");
}

TEST_CASE("pieces and subnets keep clear of what the host shows, and name it") {
  Room room;
  Registry registry = Registry::open(options(room));
  Facts facts;
  facts.links = {{2, "br0", "bridge", "", {}, 0, 0, true}, {3, "tun0", "tun", "", {}, 0, 0, true}};
  facts.addresses = {{2, net("10.0.0.4/24")}};
  facts.ips = {{ip("10.0.0.12"), "neighbour on br0"}};
  facts.routes = {{net("0.0.0.0/0"), 254, 2},
                  {net("10.0.0.0/24"), 254, 2},  // the LAN
                  {net("10.0.0.255/32"), 255, 2},
                  {net("10.0.0.32/28"), 254, 3}};
  facts.ranges = {{ip("10.0.0.16"), ip("10.0.0.19"), "libvirt's network default", false},
                  {ip("10.75.0.0"), ip("10.75.0.255"), "pool public", true}};
  {
    Transaction t = registry.begin();
    Taken got = t.allocator().take(lab, {piece(10)}, facts);
    CHECK(got.leases[0].value == "10.0.0.20-10.0.0.29");
    REQUIRE(got.skipped.size() == 3);
    CHECK(has(got.skipped[0].holder, "br0"));
    CHECK(got.skipped[2].holder == "libvirt's network default");
    CHECK(t.allocator().who("lan", "10.0.0.17")->value == "10.0.0.16-10.0.0.19");
    CHECK(t.allocator().who("lan", "10.0.0.17")->foreign == "libvirt's network default");
    CHECK(taken(t, piece(20, 1), facts) == "10.0.0.48-10.0.0.67");  // the route's net is in the way
    CHECK(taken(t, piece(16, 2), facts) == "10.0.0.32-10.0.0.47");  // and here all of its place
    CHECK(taken(t, any("lan", 3), facts) == "10.0.0.2");
    CHECK(taken(t, block(24), facts) == "10.75.1.0/24");
    CHECK(taken(t, any("lan", 4)) == "10.0.0.3");
    CHECK_FALSE(t.allocator().who("lan", "10.0.0.17"));  // libvirt has let go
  }
  auto fault = [&](const char* pool, const char* value) {
    Transaction t = registry.begin();
    return error_of<Conflict>([&] { taken(t, exactly(pool, value), facts); });
  };
  CHECK(has(fault("lan", "10.0.0.8-10.0.0.17"), "neighbour on br0"));
  CHECK(has(fault("lan", "10.0.0.13-10.0.0.17"), "libvirt's network default"));
  CHECK(has(fault("lan", "10.0.0.24-10.0.0.40"), "route 10.0.0.32/28 via tun0"));
  CHECK(has(fault("lan", "10.0.0.20-10.0.0.60"), "route 10.0.0.32/28 via tun0"));
  CHECK(fault("lan", "10.0.0.33-10.0.0.40").empty());
  CHECK(fault("lan", "10.0.0.200-10.0.0.254").empty());
  CHECK(has(fault("subnet", "10.75.0.0/26"), "pool public"));
  CHECK(fault("ipv4:bridge", "10.0.0.17").empty());  // where the machine's LAN is, others may be
}

TEST_CASE("addresses that a route leads away from here are nobody's to give, but a LAN inside is") {
  Room room;
  Registry registry = Registry::open(options(room));
  Facts facts;
  facts.links = {{2, "em1", "", "", {}, 0, 0, true}};
  facts.routes = {{net("0.0.0.0/0"), 254, 2, ip("10.0.0.1")},
                  {net("128.0.0.0/1"), 254, 0},
                  {net("10.0.0.0/16"), 254, 2},  // a LAN around all of it
                  {net("10.0.0.0/26"), 254, 2, ip("10.0.0.1")},
                  {net("10.0.0.64/26"), 254, 0},
                  {net("10.0.0.96/28"), 254, 2}};
  {
    Transaction t = registry.begin();
    CHECK(taken(t, any("lan"), facts) == "10.0.0.96");
    CHECK(taken(t, piece(10, 1), facts) == "10.0.0.97-10.0.0.106");
    CHECK(taken(t, piece(60, 2), facts) == "10.0.0.128-10.0.0.187");
    CHECK(t.allocator().who("lan", "10.0.0.40")->foreign == "route 10.0.0.0/26 via em1");
  }
  auto fault = [&](const char* value) {
    Transaction t = registry.begin();
    return error_of<Conflict>([&] { taken(t, exactly("lan", value), facts); });
  };
  CHECK(has(fault("10.0.0.16-10.0.0.31"), "route 10.0.0.0/26 via em1"));
  CHECK(has(fault("10.0.0.70"), "route 10.0.0.64/26 (unreachable), which is not ours"));
  CHECK(fault("10.0.0.100-10.0.0.110").empty());
  CHECK(fault("10.0.0.130-10.0.0.150").empty());
  facts.routes = {{net("10.0.0.0/16"), 254, 2, ip("10.9.0.1")}};
  CHECK(has(fault("10.0.0.130-10.0.0.150"), "route 10.0.0.0/16 via em1"));
  facts.addresses = {{2, net("10.0.0.5/24")}};
  CHECK(fault("10.0.0.130-10.0.0.150").empty());
}

TEST_CASE("what another cloud or pool of ours has is not called somebody else's") {
  Room room;
  Registry registry = Registry::open(options(room));
  Facts facts;
  facts.ranges = {{ip("10.75.0.0"), ip("10.75.0.255"), "the cloud blog", true},
                  {ip("10.75.1.0"), ip("10.75.2.255"), "libvirt's network default", true}};
  for (const auto& [subnet, ours] : {std::pair{"10.75.0.0/24", true}, {"10.75.2.0/24", false}}) {
    Transaction t = registry.begin();
    const auto sentence = error_of<Conflict>([&] { taken(t, exactly("subnet", subnet), facts); });
    CAPTURE(sentence);
    CHECK(
        has(sentence, ours ? "the cloud blog;" : "libvirt's network default, which is not ours;"));
  }
}

TEST_CASE("pools() counts addresses and subnets, not leases") {
  Room room;
  Registry registry = Registry::open(options(room));
  {
    Transaction t = registry.begin();
    taken(t, piece(10));
    taken(t, any("lan", 1));
    taken(t, block(22));
    taken(t, block(26, 1));
    taken(t, exactly("subnet", "10.80.0.0/16", 2));  // outside of the pool
    t.allocator().reserve("lan", "10.0.0.100-10.0.0.109", "");
    t.commit();
  }
  const auto pools = registry.pools();
  CHECK(pools[5].leased == 11);
  CHECK(pools[5].reserved == 10);
  CHECK(pools[5].size == 253);
  CHECK(pools[4].leased == 4 + 1 + 1);
  CHECK(pools[4].size == 16);
}
