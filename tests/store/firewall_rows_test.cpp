// Groups with their rules, public addresses and where they lead, and what the firewall has of a
// run: written, changed, and gone with what they belong to.
#include <doctest/doctest.h>

#include "room.hpp"

using namespace store_test;

TEST_CASE("groups come back by cloud and name, with their rules in order") {
  Room room;
  const GroupRow web{
      "shop", "web", "the front", {{"icmp", 0, 0, "", ""}, {"tcp", 80, 443, "", ""}}};
  const GroupRow db{"shop", "db", "", {{"udp", 53, 53, "", "web"}}};
  const GroupRow other{"lab", "web", "", {}};
  {
    Registry registry = Registry::open(options(room));
    Transaction t = registry.begin();
    for (const GroupRow& row : {web, db, other}) t.put_group(row);
    t.commit();
  }
  Registry registry = Registry::open(options(room));
  CHECK(registry.groups() == std::vector{other, db, web});
  {
    Transaction t = registry.begin();
    GroupRow changed = web;
    changed.rules = {{"all", 0, 0, "192.0.2.0/24", ""}};
    changed.description = "changed";
    t.put_group(changed);
    t.remove_group("shop", "db");
    t.commit();
    CHECK(registry.groups() == std::vector{other, changed});
  }
  Transaction t = registry.begin();
  t.remove_group("shop", "web");  // rolled back
}

TEST_CASE("an address leads nowhere when its machine is gone, and stays the cloud's") {
  Room room;
  Registry registry = Registry::open(options(room));
  const MachineRow machine = row(1, "web");
  PublicAddress address{Ipv4{0xcb007107}, "public", "default", machine.uuid, "now"};
  {
    Transaction t = registry.begin();
    t.add_machine(machine);
    t.put_address(address);
    t.put_address({Ipv4{0xcb007101}, "public", "shop", std::nullopt, "now"});
    t.commit();
  }
  REQUIRE(registry.addresses().size() == 2);
  CHECK(registry.addresses()[1] == address);
  {
    Transaction t = registry.begin();
    t.remove_machine(machine.uuid);
    t.commit();
  }
  address.machine.reset();
  CHECK(registry.addresses()[1] == address);
  {
    Transaction t = registry.begin();
    t.remove_address(address.address);
    t.commit();
  }
  CHECK(registry.addresses().size() == 1);
}

TEST_CASE("what the firewall has of a run is the run's") {
  Room room;
  Registry registry = Registry::open(options(room));
  const MachineRow machine = row(1, "web");
  RunRecord run;
  run.boot = 1;
  run.guests = "[]";
  {
    Transaction t = registry.begin();
    t.add_machine(machine);
    t.change_guests(machine.uuid, "nothing happens without a run");
    t.begin_run(machine.uuid, run);
    t.commit();
  }
  CHECK(registry.machine(machine.uuid)->run->guests == "[]");
  {
    Transaction t = registry.begin();
    t.change_guests(machine.uuid, "[1]");
    t.commit();
  }
  CHECK(registry.machine(machine.uuid)->run->guests == "[1]");
  CHECK(registry.summaries().front().run->guests == "[1]");
}

TEST_CASE("a port is a lease of its run, and names who has it") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  t.add_machine(row(1, "web"));
  t.add_machine(row(2, "two"));
  const Want port{"port", 0, Lifetime::run, "8443/tcp"};
  t.allocator().take(row(1, "web").uuid, {port}, {});
  CHECK(t.allocator().who("port", "8443/tcp")->machine == "web");
  t.allocator().release(row(1, "web").uuid, Lifetime::run);
  CHECK_FALSE(t.allocator().who("port", "8443/tcp"));
  t.allocator().take(row(2, "two").uuid, {port}, {});
}
