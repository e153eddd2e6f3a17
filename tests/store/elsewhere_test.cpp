// What one pool has given away is in other hands for all others, but what a cloud has itself.
#include <doctest/doctest.h>

#include "room.hpp"

using namespace store_test;

namespace {
const Uuid cloud_a{"cloud:a"}, cloud_b{"cloud:b"};

/// Beside lan, 10.0.0.2 to 10.0.0.254, a second pool of addresses over its second half, and one of
/// subnets over all of it.
Registry::Options overlaid(const Room& room) {
  Registry::Options made = options(room);
  PoolRange late = pool("ipv4", 0x0a000080, 0x0a00017f),
            nets = pool("subnet", 0x0a000000, 0x0a0003ff);
  late.name = "late";
  nets.name = "nets";
  nets.prefix = 26;
  made.pools.push_back(late);
  made.pools.push_back(nets);
  return made;
}

Facts seen() {
  Facts facts;
  facts.seen = true;
  return facts;
}

Want piece(const std::string& pool, const std::string& value) {
  return certain(pool, value, 1, Lifetime::cloud);
}

Uuid add_machine_of_a(Transaction& t) {
  MachineRow machine = row(1, "m");
  machine.name.cloud = machine.spec.name.cloud = "a";
  t.add_machine(machine);
  return machine.uuid;
}
}  // namespace

TEST_CASE("a value of one pool is refused and passed over in another") {
  Room room;
  Registry registry = Registry::open(overlaid(room));
  Transaction t = registry.begin();
  Allocator& allocator = t.allocator();
  allocator.take(cloud_a, {piece("lan", "10.0.0.130-10.0.0.133")}, seen());
  allocator.reserve("lan", "10.0.0.129", "boss");
  CHECK(allocator.obstacle(cloud_b, piece("late", "10.0.0.133-10.0.0.140"), seen()) ==
        "the cloud a");
  CHECK(allocator.obstacle(cloud_b, piece("late", "10.0.0.129"), seen()) ==
        "a reservation by hand (boss)");
  CHECK_FALSE(allocator.obstacle(cloud_b, piece("late", "10.0.0.134"), seen()));
  CHECK(allocator.obstacle(cloud_b, certain("ipv4:bridge", "10.0.0.131"), seen()) == "the cloud a");
  CHECK_FALSE(allocator.obstacle(cloud_a, certain("ipv4:bridge", "10.0.0.131"), seen()));
  Want two = any("late", 1, Lifetime::cloud);
  two.count = 4;
  const Taken taken = allocator.take(cloud_b, {two}, seen());
  CHECK(taken.leases[0].value == "10.0.0.134-10.0.0.137");
  REQUIRE_FALSE(taken.skipped.empty());
  CHECK(taken.skipped[0].holder == "the cloud a");
  CHECK(allocator.take(cloud_b, {any("nets", 0, Lifetime::cloud)}, seen()).leases[0].value ==
        "10.0.0.0/26");
  CHECK(allocator.take(cloud_b, {any("nets", 0, Lifetime::cloud)}, seen()).leases[0].value ==
        "10.0.0.64/26");
  // Of those that are left, the first that nobody but the cloud has.
  CHECK(allocator.take(cloud_a, {any("nets", 0, Lifetime::cloud)}, seen()).leases[0].value ==
        "10.0.0.192/26");
  // What went back is free again, and what was held before is held again whoever has it.
  allocator.release_value("lan", "10.0.0.130-10.0.0.133");
  CHECK_FALSE(allocator.obstacle(cloud_b, piece("late", "10.0.0.130-10.0.0.133"), seen()));
  CHECK(allocator.take(cloud_b, {piece("late", "10.0.0.129")}, Facts{}).leases.size() == 1);
}

TEST_CASE("a machine's address on a bridge is its own, and a cloud's range may have it") {
  Room room;
  Registry registry = Registry::open(overlaid(room));
  Transaction t = registry.begin();
  const Uuid machine = add_machine_of_a(t);
  Allocator& allocator = t.allocator();
  allocator.take(machine, {certain("ipv4:bridge", "10.0.0.9")}, seen());
  CHECK(allocator.obstacle(cloud_b, piece("lan", "10.0.0.8-10.0.0.11"), seen()) ==
        "the machine a/m");
  CHECK_FALSE(allocator.obstacle(cloud_a, piece("lan", "10.0.0.8-10.0.0.11"), seen()));
  // One address that leads somewhere is another use of it.
  CHECK(allocator.obstacle(cloud_a, certain("lan", "10.0.0.9"), seen()) == "the machine a/m");
  CHECK(allocator.obstacle(cloud_a, certain("nets", "10.0.0.0/26", 0, Lifetime::network), seen()) ==
        "the machine a/m");
}

TEST_CASE("a network in a cloud's range and NICs on bridges there never have one address twice") {
  Room room;
  Registry registry = Registry::open(overlaid(room));
  Transaction t = registry.begin();
  const Uuid machine = add_machine_of_a(t);
  Allocator& allocator = t.allocator();
  allocator.take(cloud_a, {certain("subnet", "10.75.0.0/24", 0, Lifetime::cloud)}, seen());
  t.add_network({"a-in", "a-in", parse_ipv4_net("10.75.0.1/29").value(), Mac{2}, {}});
  allocator.take(machine, {certain("ipv4:bridge", "10.75.0.2")}, seen());
  CHECK(allocator.take(uuid(2), {any("ipv4:a-in")}, seen()).leases[0].value == "10.75.0.3");
  CHECK(allocator.obstacle(uuid(2), certain("ipv4:a-in", "10.75.0.2"), seen()) ==
        "the machine a/m");
  CHECK(allocator.obstacle(machine, certain("ipv4:bridge", "10.75.0.3"), seen()) ==
        "the machine 00000002-1111-4111-8111-111111111111");
  CHECK_FALSE(allocator.obstacle(machine, certain("ipv4:bridge", "10.75.0.4"), seen()));
  for (const char* own : {"10.75.0.0", "10.75.0.1", "10.75.0.7"})
    CHECK(allocator.obstacle(machine, certain("ipv4:bridge", own), seen()) == "the network a-in");
  CHECK_FALSE(allocator.obstacle(machine, certain("ipv4:bridge", "10.75.0.8"), seen()));
  // Its own it may take along to another NIC.
  CHECK_FALSE(allocator.obstacle(machine, certain("ipv4:a-in", "10.75.0.2"), seen()));
}

TEST_CASE("a part of a range goes back where its pool was made smaller") {
  Room room;
  {
    Registry registry = Registry::open(overlaid(room));
    Transaction t = registry.begin();
    t.allocator().take(cloud_a, {piece("lan", "10.0.0.200-10.0.0.207")}, seen());
    t.commit();
  }
  Registry::Options less = overlaid(room);
  less.pools[5].high = 0x0a00007f;
  Registry registry = Registry::open(less);
  Transaction t = registry.begin();
  t.allocator().release_value("lan", "10.0.0.204-10.0.0.207");
  CHECK(t.allocator().leases_of(cloud_a).front().value == "10.0.0.200-10.0.0.203");
  t.commit();
}
