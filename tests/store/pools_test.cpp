// Pools and networks over time: they come, change with the config, and go, while leases live in
// them.
#include <doctest/doctest.h>

#include "room.hpp"

using namespace store_test;

TEST_CASE("a network brings the pool of its addresses, and takes it away") {
  Room room;
  Registry registry = Registry::open(options(room));
  NetworkRow network{"nutshell0",
                     "nutshell0",
                     parse_ipv4_net("10.75.0.1/29").value(),
                     Mac{0x020000000001},
                     {uuid(2), uuid(1)}};
  {
    Transaction t = registry.begin();
    t.allocator().take({}, {certain("subnet", "10.75.0.0/24", 0, Lifetime::network)}, {});
    t.add_network(network);
    NetworkRow same_bridge = network;
    same_bridge.name = "other";
    CHECK_THROWS_AS(t.add_network(same_bridge), Conflict);
    t.commit();
  }
  auto read = registry.network("nutshell0");
  REQUIRE(read);
  CHECK(read->bridge_mac == network.bridge_mac);
  CHECK(read->address == network.address);
  CHECK(read->users == std::vector<Uuid>{uuid(1), uuid(2)});
  {
    Transaction t = registry.begin();
    std::vector<std::string> got;
    for (int i = 0; i < 5; ++i)
      got.push_back(t.allocator().take(uuid(1), {any("ipv4:nutshell0", i)}, {}).leases[0].value);
    CHECK(got.front() == "10.75.0.2");
    CHECK(got.back() == "10.75.0.6");
    auto sentence =
        error_of<Exhausted>([&] { t.allocator().take(uuid(1), {any("ipv4:nutshell0")}, {}); });
    CHECK(has(sentence, "10.75.0.1 to 10.75.0.6"));
  }
  {
    Transaction t = registry.begin();
    CHECK(has(error_of<Conflict>([&] {
                t.allocator().take(uuid(1), {certain("ipv4:nutshell0", "10.75.0.1")}, {});
              }),
              "the bridge's own"));
  }
  Transaction t = registry.begin();
  t.allocator().take(uuid(1), {any("ipv4:nutshell0")}, {});
  CHECK(has(error_of<Conflict>([&] { t.remove_network("nutshell0"); }), "10.75.0.2"));
  t.allocator().release(uuid(1), Lifetime::machine);
  network.users = {};
  network.address = parse_ipv4_net("10.75.0.1/30").value();
  t.change_network(network);
  CHECK(t.allocator().candidates("ipv4:nutshell0", 9, {}) == std::vector<std::string>{"10.75.0.2"});
  t.remove_machine(uuid(2));
  t.remove_network("nutshell0");
  t.remove_network("nutshell0");
  t.commit();
  CHECK(registry.networks().empty());
}

TEST_CASE("a network's own subnet goes back with it") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  t.allocator().take({}, {any("subnet", 0, Lifetime::network)}, {});
  t.add_network({"n", "n0", parse_ipv4_net("10.75.0.1/24").value(), Mac{1}, {}});
  t.remove_network("n");
  CHECK_FALSE(t.allocator().who("subnet", "10.75.0.0/24"));
  CHECK_THROWS_AS(t.allocator().take(uuid(1), {any("ipv4:n")}, {}), NotFound);
}

TEST_CASE("pools follow the config: grown, shrunk, changed and gone, with leases in them") {
  Room room;
  auto got = [](Registry& registry) {
    Transaction t = registry.begin();
    return t.allocator().candidates("vnc", 99, {});
  };
  using Values = std::vector<std::string>;
  Registry::Options made = options(room);
  made.pools[1] = pool("vnc", 0, 3);
  {
    Registry registry = Registry::open(made);
    Transaction t = registry.begin();
    t.allocator().take(uuid(1),
                       {certain("vnc", ":1"), certain("vnc", ":3", 1), certain("vnc", ":6", 2),
                        certain("lan", "10.0.0.9")},
                       {});
    t.commit();
  }
  made.pools[1] = pool("vnc", 0, 7);  // grown around a lease that was outside
  {
    Registry registry = Registry::open(made);
    CHECK(registry.pools()[1].size == 8);
    CHECK(got(registry) == Values{":0", ":2", ":4", ":5", ":7"});
  }
  made.pools[1] = pool("vnc", 2, 4);
  made.pools[1].excluded = {{4, 4}};
  {
    Registry registry = Registry::open(made);
    Transaction t = registry.begin();
    CHECK(t.allocator().candidates("vnc", 99, {}) == Values{":2"});
    t.allocator().release_value("vnc", ":1");  // outside now: never given again
    t.allocator().release_value("vnc", ":3");
    CHECK(t.allocator().candidates("vnc", 99, {}) == Values{":2", ":3"});
    t.commit();
  }
  made.pools.pop_back();  // lan, which has a lease
  made.pools.pop_back();  // subnet, which has none
  {
    Registry registry = Registry::open(made);
    Transaction t = registry.begin();
    CHECK(t.allocator().who("lan", "10.0.0.9"));
    CHECK(t.allocator().candidates("lan", 1, {}).empty());
    CHECK_THROWS_AS(t.allocator().candidates("subnet", 1, {}), NotFound);
    t.commit();
  }
  Registry registry = Registry::open(options(room));  // and back
  CHECK(got(registry) == Values{":0", ":1", ":2", ":3", ":4", ":5", ":7", ":8", ":9"});
  Transaction t = registry.begin();
  CHECK(t.allocator().candidates("lan", 999, {}).size() == 252);
}

TEST_CASE("pools() counts what is leased, reserved and foreign") {
  Room room;
  Registry registry = Registry::open(options(room));
  {
    Transaction t = registry.begin();
    t.allocator().take(uuid(1), {any("vnc"), any("vnc", 1)}, {});
    t.allocator().reserve("vnc", ":8", "");
    t.allocator().mark_foreign("vnc", ":9", "Xvnc");
    t.commit();
  }
  auto pools = registry.pools();
  REQUIRE(pools.size() >= 2);
  CHECK(pools[1].range == small_pools()[1]);
  CHECK(pools[1].size == 10);
  CHECK(pools[1].leased == 2);
  CHECK(pools[1].reserved == 1);
  CHECK(pools[1].foreign == 1);
  CHECK(pools[4].range.name == "subnet");
  CHECK(pools[4].size == 16);
}

TEST_CASE("a subnet that a network has is refused in a network's name") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  t.allocator().take(uuid(9), {any("subnet", 0, Lifetime::network)}, {});
  auto again = certain("subnet", "10.75.0.0/24", 0, Lifetime::network);
  CHECK(has(error_of<Conflict>([&] { t.allocator().take(uuid(8), {again}, {}); }),
            "subnet 10.75.0.0/24 is leased to a network; "));
}
