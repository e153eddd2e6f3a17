// Machines, runs and the journal: written, committed, and read back by another
// opening of the same file.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>

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
  CHECK(registry.runs().empty());
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
  REQUIRE(registry.runs().size() == 1);
  CHECK(registry.runs()[0].name == registry.summaries()[0].name);
  CHECK(registry.runs()[0].run == run_record());
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

TEST_CASE("the log stays short, however many commands write one row each") {
  Room room;
  {
    Registry registry = Registry::open(options(room));
    Transaction t = registry.begin();
    t.add_machine(row(1, "ciab"));
    t.commit();
  }
  for (int i = 0; i < 700; ++i) {
    Registry registry = Registry::open(options(room));
    registry.set_boot_once_consumed(uuid(1), i % 2 == 0);
  }
  CHECK(std::filesystem::file_size(room.file() + "-wal") < 500 * 4200);
  CHECK(Registry::open(options(room)).machine(uuid(1)));
}

TEST_CASE("an older copy of a registry has kept less beside it") {
  Room room;
  Registry registry = Registry::open(options(room));
  CHECK(registry.kept() == 0);
  for (int i = 1; i <= 2; ++i) {
    Transaction t = registry.begin();
    t.count_kept();
    CHECK(registry.kept() == i);
    t.commit();
  }
  {
    Transaction t = registry.begin();
    t.count_kept();
  }
  CHECK(registry.kept() == 2);
  CHECK(registry.born().size() == 16);
  CHECK(Registry::open(options(room)).born() == registry.born());
}
