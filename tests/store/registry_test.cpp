// Machines, runs, networks, pools and the journal: written, committed, and read back by another
// opening of the same file.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include "room.hpp"

using namespace store_test;

namespace {
RunRecord run_record() {
  RunRecord run;
  run.boot_id = "b";
  run.pid = 311;
  run.start_time = 18446744073709551615u;
  run.boot = 3;
  run.since = "2026-11-20T00:00:01Z";
  run.display = 7;
  run.vnc_listen = "127.0.0.1";
  run.taps = {"nt1234-1", "", "nt1234-2"};
  run.accel = "kvm";
  return run;
}
}  // namespace

TEST_CASE("a machine comes back as it was written") {
  Room room;
  MachineRow made = row(0xabcdef01, "ciab");
  DiskSpec disk;
  disk.size = 100 * gibi;
  disk.path = "/x/disk0.raw";
  made.spec.disks = {disk};
  made.spec.append = "quote ' \" \\ \n end";
  made.boot_once_consumed = true;
  {
    Registry registry = Registry::open(options(room));
    Transaction t = registry.begin();
    t.add_machine(made);
    t.commit();
  }
  Registry registry = Registry::open(options(room));
  auto read = registry.machine(MachineName{"default", "ciab"});
  REQUIRE(read);
  CHECK(read->uuid == made.uuid);
  CHECK(read->spec == made.spec);
  CHECK(read->created == made.created);
  CHECK(read->boots == 0);
  CHECK(read->boot_once_consumed);
  CHECK_FALSE(read->run);
  registry.set_boot_once_consumed(made.uuid, false);
  CHECK_FALSE(registry.machine(made.uuid)->boot_once_consumed);
  CHECK_FALSE(registry.machine(uuid(2)));
  auto summaries = registry.summaries();
  REQUIRE(summaries.size() == 1);
  CHECK(summaries[0].memory == 2 * gibi);
  CHECK(summaries[0].cpus == 2);
  CHECK(spec_from_json(Json::parse(summaries[0].spec_json)) == made.spec);
  struct stat status {};
  REQUIRE(stat(room.file().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("what is not committed never was") {
  Room room;
  Registry registry = Registry::open(options(room));
  {
    Transaction t = registry.begin();
    t.add_machine(row(1, "ciab"));
    t.allocator().take(uuid(1), {any("mac")}, {});
  }
  CHECK(registry.machines().empty());
  CHECK(registry.leases().empty());
  Transaction t = registry.begin();
  CHECK_THROWS_AS(registry.begin(), std::logic_error);
}

TEST_CASE("a name is unique in its cloud, and so is an id's first half") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  t.add_machine(row(1, "ciab"));
  MachineRow other = row(2, "ciab");
  other.name.cloud = other.spec.name.cloud = "lab";
  t.add_machine(other);
  CHECK(has(error_of<Conflict>([&] { t.add_machine(row(3, "ciab")); }),
            "machine ciab exists already; "));
  MachineRow twin = row(1, "twin");
  twin.uuid.text.replace(9, 4, "2222");
  CHECK(has(error_of<Conflict>([&] { t.add_machine(twin); }), "00000001 is that of machine ciab"));
  t.commit();
  CHECK(registry.machines_named("ciab").size() == 2);
  CHECK(registry.machines_named("moon").empty());
  CHECK(registry.machine(MachineName{"lab", "ciab"})->uuid == uuid(2));
}

TEST_CASE("a changed spec shows, and a machine that is gone cannot be changed") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  MachineRow made = row(1, "ciab");
  t.add_machine(made);
  made.spec.memory = 4 * gibi;
  t.change_spec(made.uuid, made.spec);
  CHECK_THROWS_AS(t.change_spec(uuid(9), made.spec), NotFound);
  t.commit();
  CHECK(registry.machine(made.uuid)->spec.memory == 4 * gibi);
  CHECK(registry.summaries()[0].memory == 4 * gibi);
}

TEST_CASE("a run begins, gets its process, and ends with its leases") {
  Room room;
  Registry registry = Registry::open(options(room));
  {
    Transaction t = registry.begin();
    t.add_machine(row(1, "ciab"));
    t.allocator().take(uuid(1), {any("mac"), any("vnc", 0, Lifetime::run)}, {});
    RunRecord run = run_record();
    run.pid = 0;
    t.begin_run(uuid(1), run);
    CHECK_THROWS_AS(t.begin_run(uuid(1), run), Conflict);
    CHECK_THROWS_AS(t.begin_run(uuid(2), run), NotFound);
    t.commit();
  }
  registry.set_process(uuid(1), 311, 18446744073709551615u);
  auto on = registry.machine(uuid(1));
  CHECK(on->run == run_record());
  CHECK(on->boots == 3);
  CHECK(registry.summaries()[0].run == run_record());
  Transaction t = registry.begin();
  t.end_run(uuid(1), "crashed: QEMU was killed");
  t.end_run(uuid(1), "crashed: QEMU was killed");
  t.commit();
  auto over = registry.machine(uuid(1));
  CHECK_FALSE(over->run);
  CHECK(over->last_end == "crashed: QEMU was killed");
  CHECK(over->boots == 3);
  REQUIRE(registry.leases_of(uuid(1)).size() == 1);
  CHECK(registry.leases_of(uuid(1))[0].machine == "ciab");
}

TEST_CASE("rm takes all of a machine away, and its values may be taken again") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  t.add_machine(row(1, "ciab"));
  t.allocator().take(
      uuid(1),
      {certain("mac", "52:54:00:00:00:09"), any("vnc", 0, Lifetime::run), certain("volume", "/x")},
      {});
  t.begin_run(uuid(1), run_record());
  t.remove_machine(uuid(1));
  t.remove_machine(uuid(1));
  CHECK(t.allocator().leases().empty());
  t.add_machine(row(2, "ciab"));
  t.allocator().take(uuid(2), {certain("mac", "52:54:00:00:00:09"), certain("volume", "/x")}, {});
  t.commit();
  CHECK(registry.machines().size() == 1);
  CHECK_FALSE(registry.machines()[0].run);
}

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

TEST_CASE("the journal says how far a plan came") {
  Room room;
  Plan plan;
  plan.verb = "launch";
  plan.machine = uuid(1);
  plan.steps = {HoldMachine{uuid(1), "ciab"}, MakeDirectory{"/a"}, MakeDirectory{"/b"},
                MakeDirectory{"/c"}};
  std::int64_t id = 0;
  {
    Registry registry = Registry::open(options(room));
    Transaction t = registry.begin();
    t.journal(plan, 1, 2, "x");  // rolled back
  }
  Registry registry = Registry::open(options(room));
  {
    Transaction t = registry.begin();
    id = t.journal(plan, 77, 18446744073709551615u, "boot");
    t.commit();
  }
  registry.begun(id, 0);
  registry.done(id, 0);
  registry.begun(id, 1);
  registry.done(id, 1);
  registry.undone(id, 1);
  registry.begun(id, 2);
  auto left = Registry::open(options(room)).unfinished();
  REQUIRE(left.size() == 1);
  using S = Unfinished::State;
  CHECK(left[0].id == id);
  CHECK(left[0].plan == plan);
  CHECK(left[0].steps == std::vector<S>{S::done, S::undone, S::begun, S::untouched});
  CHECK(left[0].owner_pid == 77);
  CHECK(left[0].owner_start_time == 18446744073709551615u);
  CHECK(left[0].boot_id == "boot");
  {
    Transaction t = registry.begin();
    CHECK_FALSE(t.adopt(id, 78, 18446744073709551615u, 79, 1, "boot2"));
    CHECK(t.adopt(id, 77, 18446744073709551615u, 79, 1, "boot2"));
    CHECK_FALSE(t.adopt(id, 77, 18446744073709551615u, 80, 1, "boot2"));
    t.commit();
  }
  CHECK(registry.unfinished()[0].owner_pid == 79);
  registry.finished(id);
  CHECK(registry.unfinished().empty());
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
