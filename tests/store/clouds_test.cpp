// Rows of clouds, their pools of public addresses, and what goes with a cloud and what keeps it.
#include <doctest/doctest.h>

#include "room.hpp"

using namespace store_test;

namespace {
AddressRange range(const char* first, const char* last) {
  return {parse_ipv4(first).value(), parse_ipv4(last).value()};
}
Want piece(std::uint64_t count, int index = 0) {
  Want want{"lan", index, Lifetime::cloud, std::nullopt};
  want.count = count;
  return want;
}
const Uuid lab{"cloud:lab"};
}  // namespace

TEST_CASE("a cloud's row is read back, replaced and listed by name") {
  Room room;
  Registry registry = Registry::open(options(room));
  const CloudRow one{"lab", "/home/a/cloud.toml", R"({"name":"lab"})", "2026-11-21T00:00:00Z"};
  const CloudRow two{"blog", "/home/b/cloud.toml", "{}", "2026-11-21T00:00:01Z"};
  {
    Transaction t = registry.begin();
    t.put_cloud(one);
    t.put_cloud(two);
    t.commit();
  }
  CHECK(registry.clouds() == std::vector<CloudRow>{two, one});
  CHECK(registry.cloud("lab") == one);
  CHECK_FALSE(registry.cloud("other"));
  CloudRow changed = one;
  changed.spec = R"({"name":"lab","machines":[]})";
  {
    Transaction t = registry.begin();
    t.put_cloud(changed);
    t.commit();
  }
  CHECK(registry.cloud("lab") == changed);
  {
    Transaction dropped = registry.begin();
    dropped.remove_cloud("lab");
  }
  CHECK(registry.cloud("lab"));
  Transaction t = registry.begin();
  t.remove_cloud("lab");
  t.remove_cloud("lab");
  t.commit();
  CHECK(registry.clouds() == std::vector<CloudRow>{two});
}

TEST_CASE("the marks of what a cloud had go with it, those of others stay") {
  Room room;
  Registry registry = Registry::open(options(room));
  Facts facts;
  facts.ranges = {
      {parse_ipv4("10.75.0.0").value(), parse_ipv4("10.75.0.255").value(), "the cloud lab", true},
      {parse_ipv4("10.75.1.0").value(), parse_ipv4("10.75.1.255").value(), "the cloud labs", true}};
  Transaction t = registry.begin();
  t.put_cloud({"lab", "/home/a/cloud.toml", "{}", "2026-11-21T00:00:00Z"});
  Want subnet{"subnet", 0, Lifetime::cloud, std::nullopt};
  CHECK(t.allocator().take(Uuid{"cloud:blog"}, {subnet}, facts).leases.at(0).value ==
        "10.75.2.0/24");
  REQUIRE(t.allocator().who("subnet", "10.75.0.0/24"));
  t.remove_cloud("lab");
  CHECK_FALSE(t.allocator().who("subnet", "10.75.0.0/24"));
  REQUIRE(t.allocator().who("subnet", "10.75.1.0/24"));
  CHECK(t.allocator().who("subnet", "10.75.1.0/24")->foreign == "the cloud labs");
}

TEST_CASE("the pool of a cloud's public addresses gives those of its ranges and no other") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  Allocator& a = t.allocator();
  const AddressRange low = range("10.0.0.8", "10.0.0.9"), high = range("10.0.0.20", "10.0.0.20");
  t.set_public_pool("lab", {high, low});
  auto next = [&] { return a.take(lab, {any("public:lab")}, {}).leases[0].value; };
  CHECK(next() == "10.0.0.8");
  CHECK(a.candidates("public:lab", 9, {}) == std::vector<std::string>{"10.0.0.9", "10.0.0.20"});
  const std::string given = error_of<Conflict>([&] { t.set_public_pool("lab", {high}); });
  CHECK(has(given, "10.0.0.8 of pool public:lab"));
  CHECK(has(given, "address release 10.0.0.8"));
  t.set_public_pool("lab", {range("10.0.0.8", "10.0.0.8"), range("10.0.0.30", "10.0.0.31")});
  CHECK(a.candidates("public:lab", 9, {}) == std::vector<std::string>{"10.0.0.30", "10.0.0.31"});
  CHECK(has(error_of<Conflict>([&] { t.set_public_pool("lab", {}); }), "10.0.0.8"));
  a.release_value("public:lab", "10.0.0.8");
  a.reserve("public:lab", "10.0.0.30", "for the door");
  t.set_public_pool("lab", {});
  t.set_public_pool("lab", {});
  CHECK_THROWS_AS(a.candidates("public:lab", 1, {}), NotFound);
  t.set_public_pool("lab", {low});
  CHECK(next() == "10.0.0.8");
}

TEST_CASE("an address between a cloud's ranges is refused as the cloud's, not as the config's") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  t.set_public_pool("lab", {range("10.0.0.8", "10.0.0.9"), range("10.0.0.20", "10.0.0.20")});
  CHECK(has(error_of<Conflict>(
                [&] { t.allocator().take(lab, {certain("public:lab", "10.0.0.10")}, {}); }),
            "in no range of the cloud"));
}

TEST_CASE("a cloud goes with its ranges, pool and groups, and with nothing of another's") {
  Room room;
  Registry registry = Registry::open(options(room));
  {
    Transaction t = registry.begin();
    Allocator& a = t.allocator();
    a.take(lab, {piece(6), any("subnet", 0, Lifetime::cloud)}, {});
    a.take(Uuid{"cloud:blog"}, {piece(6), any("subnet", 0, Lifetime::cloud)}, {});
    t.set_public_pool("lab", {range("10.0.0.2", "10.0.0.7")});
    t.put_group({"lab", "web", "", {{"tcp", 80, 80, "", ""}}});
    t.put_group({"blog", "web", "", {}});
    t.put_cloud({"lab", "/f", "{}", "now"});
    t.put_cloud({"blog", "/g", "{}", "now"});
    t.commit();
  }
  {
    Transaction t = registry.begin();
    t.remove_cloud("lab");
    t.commit();
  }
  REQUIRE(registry.groups().size() == 1);
  CHECK(registry.groups()[0].cloud == "blog");
  REQUIRE(registry.leases().size() == 2);
  for (const Lease& lease : registry.leases()) CHECK(lease.cloud == "blog");
  for (const auto& pool : registry.pools()) CHECK(pool.range.name != "public:lab");
  Transaction t = registry.begin();
  CHECK(t.allocator().take(lab, {piece(6)}, {}).leases[0].value == "10.0.0.2-10.0.0.7");
}

TEST_CASE("a cloud that has a machine or an allocated address stays, and says which") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  MachineRow node = row(1, "node");
  node.name.cloud = node.spec.name.cloud = "lab";
  t.add_machine(node);
  t.put_cloud({"lab", "/f", "{}", "now"});
  CHECK(has(error_of<Conflict>([&] { t.remove_cloud("lab"); }), "lab/node"));
  t.remove_machine(node.uuid);
  t.set_public_pool("lab", {range("10.0.0.2", "10.0.0.7")});
  t.allocator().take(lab, {any("public:lab")}, {});
  t.put_address({parse_ipv4("10.0.0.2").value(), "public:lab", "lab", std::nullopt, "now"});
  CHECK(has(error_of<Conflict>([&] { t.remove_cloud("lab"); }), "address release 10.0.0.2"));
  t.allocator().release_value("public:lab", "10.0.0.2");
  t.remove_address(parse_ipv4("10.0.0.2").value());
  t.remove_cloud("lab");
  t.commit();
  CHECK(registry.clouds().empty());
}
