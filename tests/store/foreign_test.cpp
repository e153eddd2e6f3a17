// What the host shows in other hands is passed over, marked, named, and forgotten when it is gone.
#include <doctest/doctest.h>

#include "room.hpp"

using namespace store_test;

namespace {
Ipv4Net net(const char* text) { return parse_ipv4_net(text).value(); }
Ipv4 ip(const char* text) { return parse_ipv4(text).value(); }
Taken take(Transaction& t, const std::string& pool, const Facts& facts) {
  return t.allocator().take(uuid(1), {any(pool)}, facts);
}
}  // namespace

TEST_CASE("displays whose port is bound are skipped, named each time, and freed when it is not") {
  Room room;
  Registry registry = Registry::open(options(room));
  Facts facts;
  facts.ports = {{22, "sshd"}, {5900, "Xvnc (pid 311)"}, {5901, "another process"}, {5999, "far"}};
  {
    Transaction t = registry.begin();
    Taken taken = take(t, "vnc", facts);
    CHECK(taken.leases[0].value == ":2");
    REQUIRE(taken.skipped.size() == 2);
    CHECK(taken.skipped[0].value == ":0");
    CHECK(taken.skipped[0].holder == "Xvnc (pid 311)");
    CHECK(t.allocator().who("vnc", ":1")->foreign == "another process");
    t.commit();
  }
  Transaction t = registry.begin();
  Taken again = take(t, "vnc", facts);
  CHECK(again.leases[0].value == ":3");
  REQUIRE(again.skipped.size() == 2);  // marked before, and said again
  facts.ports = {{5901, "Xvnc (pid 400)"}};
  Taken later = take(t, "vnc", facts);
  CHECK(later.leases[0].value == ":0");
  CHECK_FALSE(t.allocator().who("vnc", ":0")->holder.text.empty());
  CHECK(t.allocator().who("vnc", ":1")->foreign == "another process");
  CHECK(take(t, "vnc", {}).leases[0].value == ":1");
  for (const Lease& lease : t.allocator().leases()) CHECK(lease.foreign.empty());
}

TEST_CASE("a foreign value asked for by name is refused with its holder") {
  Room room;
  Registry registry = Registry::open(options(room));
  Facts facts;
  facts.ports = {{5901, "Xvnc (pid 311)"}};
  facts.macs = {{Mac{0x525400123460}, "port em1 of br0"}};
  facts.ips = {{ip("10.0.0.9"), "neighbour on br0"}};
  facts.links = {{1, "lo", "", "", {}, 0, 0, true}, {2, "br0", "bridge", "", {}, 0, 0, true}};
  facts.addresses = {{2, net("10.0.0.5/24")}};
  for (const auto& [pool, value, holder] :
       {std::tuple{"vnc", ":1", "Xvnc (pid 311)"},
        {"mac", "52:54:00:12:34:60", "port em1 of br0"},
        {"lan", "10.0.0.9", "neighbour on br0"},
        {"ipv4:bridge", "10.0.0.5", "this host (br0)"},
        {"subnet", "10.0.0.128/25", "address 10.0.0.5/24 of br0"}}) {
    Transaction t = registry.begin();
    auto sentence =
        error_of<Conflict>([&] { t.allocator().take(uuid(1), {certain(pool, value)}, facts); });
    CAPTURE(sentence);
    CHECK(has(sentence, holder));
    CHECK(has(sentence, "not ours"));
  }
}

TEST_CASE("MACs, addresses and taps that the host shows are passed over") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  auto seen = t.allocator().candidates("mac", 3, {});
  Facts facts;
  facts.macs = {{parse_mac(seen[0]).value(), "neighbour 10.0.0.7 on br0"}};
  facts.links = {{9, "nt" + registry.tag() + "-1", "tun", "", {}, 0, 0, true},
                 {10, "nt" + registry.tag() + "-02", "tun", "", {}, 0, 0, true},
                 {11, "ntffff-2", "tun", "", {}, 0, 0, true}};
  facts.ips = {{ip("10.0.0.2"), "an answer to a probe"}};
  Taken taken = t.allocator().take(uuid(1), {any("mac"), any("tap"), any("lan")}, facts);
  CHECK(taken.leases[0].value == seen[1]);
  CHECK(taken.leases[1].value == "nt" + registry.tag() + "-2");
  CHECK(taken.leases[2].value == "10.0.0.3");
  CHECK(taken.skipped.size() == 3);
}

TEST_CASE("what is leased by us never turns foreign") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  auto lease = take(t, "vnc", {}).leases[0];
  Facts facts;
  facts.ports = {{5900, "qemu-system-x86_64 (pid 5)"}};
  Taken other = take(t, "vnc", facts);
  CHECK(other.leases[0].value == ":1");
  CHECK(other.skipped.empty());
  t.allocator().mark_foreign("vnc", lease.value, "someone");
  CHECK(t.allocator().who("vnc", lease.value)->foreign.empty());
}

TEST_CASE("a mark made by trying stands although the facts do not show it") {
  Room room;
  Registry registry = Registry::open(options(room));
  {
    Transaction t = registry.begin();
    CHECK(take(t, "vnc", {}).leases[0].value == ":0");
    t.allocator().release_value("vnc", ":0");
    t.allocator().mark_foreign("vnc", ":0", "another process");
    Taken next = take(t, "vnc", {});
    CHECK(next.leases[0].value == ":1");
    REQUIRE(next.skipped.size() == 1);
    CHECK(next.skipped[0].holder == "another process");
    t.commit();
  }
  Transaction t = registry.begin();
  CHECK(take(t, "vnc", {}).leases[0].value == ":2");
}

TEST_CASE("subnets keep clear of addresses and routes, both ways, but not of default-like ones") {
  Room room;
  Registry registry = Registry::open(options(room));
  Facts facts;
  facts.links = {{2, "em1", "", "", {}, 0, 0, true}, {3, "tun0", "tun", "", {}, 0, 0, true}};
  facts.routes = {{net("0.0.0.0/0"), 254, 2},
                  {net("0.0.0.0/1"), 254, 3},
                  {net("128.0.0.0/1"), 254, 3},
                  {net("10.75.0.64/26"), 254, 3},  // inside the first
                  {net("10.75.2.0/23"), 100, 3}};  // around the third and fourth
  facts.addresses = {{2, net("10.75.1.7/24")}};
  {
    Transaction t = registry.begin();
    Taken taken = take(t, "subnet", facts);
    CHECK(taken.leases[0].value == "10.75.4.0/24");
    REQUIRE(taken.skipped.size() == 3);
    CHECK(taken.skipped[0].value == "10.75.0.0/24");
    CHECK(taken.skipped[2].holder == "route 10.75.2.0/23 via tun0 (table 100)");
    t.commit();
  }
  {
    Transaction t = registry.begin();
    CHECK(take(t, "subnet", facts).leases[0].value == "10.75.5.0/24");
    facts.routes = {{net("10.0.0.0/8"), 254, 3}};  // a VPN takes all of it
    CHECK_THROWS_AS(take(t, "subnet", facts), Exhausted);
  }
  Transaction t = registry.begin();
  std::vector<std::string> got;  // the host is free again: each piece grew back together
  for (int i = 0; i < 15; ++i) got.push_back(take(t, "subnet", {}).leases[0].value);
  CHECK(got[0] == "10.75.0.0/24");
  CHECK(got[3] == "10.75.3.0/24");
  CHECK(got[4] == "10.75.5.0/24");
  CHECK(got[14] == "10.75.15.0/24");
  CHECK_THROWS_AS(take(t, "subnet", {}), Exhausted);
}

TEST_CASE("a subnet of another size may be asked for and overlaps nothing") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  Allocator& a = t.allocator();
  a.take(uuid(1), {certain("subnet", "10.75.0.128/25"), certain("subnet", "10.76.0.0/16", 1)}, {});
  CHECK(take(t, "subnet", {}).leases[0].value == "10.75.1.0/24");
  a.release_value("subnet", "10.75.0.128/25");
  CHECK(take(t, "subnet", {}).leases[0].value == "10.75.0.0/24");
  auto sentence =
      error_of<Conflict>([&] { a.take(uuid(2), {certain("subnet", "10.64.0.0/10")}, {}); });
  CHECK(has(sentence, "overlaps"));
}
