// Is taking one more lease as cheap with a million of them as with a thousand? Each take is a cold
// command: a new process that opens the file, takes, commits, and leaves. Both registries have
// random holes, the order of the two alternates, and the ratio of the medians is checked. They lie
// in memory where that can be had, because the one sync of a commit is the same in both and a busy
// disk would drown the rest.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>

#include "store/child.hpp"
#include "store/room.hpp"
#include "store/sqlite.hpp"

using namespace store_test;
using Clock = std::chrono::steady_clock;

namespace {
double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// Beside the usual pools, sixteen million public addresses and as much for subnets.
Registry::Options roomy(const Room& room) {
  Registry::Options made = options(room);
  PoolRange subnet = pool("subnet", 0x0b000000, 0x0bffffff),
            lan = pool("ipv4", 0x0c000000, 0x0cffffff);
  subnet.prefix = 26;
  lan.name = "lan";
  made.pools[4] = subnet;
  made.pools[5] = lan;
  return made;
}

Want range_of(std::uint64_t count) {
  Want want{"lan", 0, Lifetime::cloud, std::nullopt};
  want.count = count;
  return want;
}
Want subnet_of(unsigned prefix) {
  Want want{"subnet", 0, Lifetime::cloud, std::nullopt};
  want.prefix = prefix;
  return want;
}

/// Half of the leases are MACs, a quarter ranges, a quarter subnets, all of several sizes; a fifth
/// of each is given back, here and there.
void fill(const Room& room, int leases) {
  Registry registry = Registry::open(roomy(room));
  std::mt19937 random(7);
  for (int done = 0; done < leases;) {
    int batch = std::min(leases - done, 50'000);
    Transaction t = registry.begin();
    std::vector<Want> wants;
    for (int i = 0; i < batch; ++i) {
      wants.push_back(i % 2 == 0   ? any("mac")
                      : i % 4 == 1 ? range_of(1 + random() % 24)
                                   : subnet_of(26 + random() % 5));
      wants.back().index = i;
    }
    auto taken = t.allocator().take(uuid(static_cast<unsigned>(done + 1)), wants, {});
    std::shuffle(taken.leases.begin(), taken.leases.end(), random);
    taken.leases.resize(taken.leases.size() / 5);
    for (const Lease& lease : taken.leases) t.allocator().release_value(lease.pool, lease.value);
    t.commit();
    done += batch;
  }
  nutshell::store::Connection db(room.file(), nutshell::store::Connection::Access::write, {});
  db.use("PRAGMA wal_checkpoint(TRUNCATE)").step();
}

/// One command in a process of its own; milliseconds from opening to committed.
double take_one(const Room& room, unsigned n, const std::vector<Want>& wants) {
  return std::stod(in_child([&] {
    auto start = Clock::now();
    Registry registry = Registry::open(roomy(room));
    Transaction t = registry.begin();
    t.allocator().take(uuid(0x70000000 + n), wants, {});
    t.commit();
    return std::to_string(milliseconds_since(start));
  }));
}

double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}
}  // namespace

TEST_CASE("one more lease costs as much with a million as with a thousand") {
  const std::string where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  Room thousand(where), million(where);
  fill(thousand, 1'000);
  auto start = Clock::now();
  fill(million, 1'000'000);
  std::printf("a million leases made in %.1f s\n", milliseconds_since(start) / 1000);
  const std::pair<const char*, std::vector<Want>> kinds[] = {
      {"a machine's three", {any("mac"), any("mac", 1), any("mac", 2)}},
      {"a cloud's range", {range_of(8)}},
      {"a cloud's subnet", {subnet_of(28)}}};
  unsigned n = 0;
  for (const auto& [what, wants] : kinds) {
    std::vector<double> few, many;
    for (unsigned i = 0; i < 150; ++i) {
      bool few_first = i % 2 == 0;
      if (few_first) few.push_back(take_one(thousand, ++n, wants));
      many.push_back(take_one(million, ++n, wants));
      if (!few_first) few.push_back(take_one(thousand, ++n, wants));
    }
    double ratio = median(many) / median(few);
    std::printf("%s, cold, in %s: %.3f ms with a thousand, %.3f ms with a million, ratio %.2f\n",
                what, where.c_str(), median(few), median(many), ratio);
    CAPTURE(what);
    CHECK(ratio <= 1.2);
  }
}

TEST_CASE("a list of a thousand machines is read in a few milliseconds") {
  Room room;
  {
    Registry registry = Registry::open(options(room));
    Transaction t = registry.begin();
    for (unsigned i = 1; i <= 1000; ++i) {
      MachineRow made = row(i, "machine-" + std::to_string(i));
      DiskSpec disk;
      disk.size = 100 * gibi;
      disk.path = "/var/lib/nutshell/machines/" + made.uuid.text + "/disk0.raw";
      made.spec.disks = {disk, disk};
      NicSpec nic;
      nic.mac = Mac{0x525400000000U + i};
      nic.ip = Ipv4{0x0a4b0000U + i};
      made.spec.nics = {nic, nic};
      t.add_machine(made);
    }
    t.commit();
  }
  auto timed = [&](const char* what, auto&& body) {
    std::vector<double> times;
    for (int i = 0; i < 20; ++i) {
      times.push_back(std::stod(in_child([&] {
        auto start = Clock::now();
        Registry registry = Registry::open(options(room));
        body(registry);
        return std::to_string(milliseconds_since(start));
      })));
    }
    std::printf("%s: %.3f ms\n", what, median(times));
    return median(times);
  };
  timed("open and look at the tag", [](Registry& r) { (void)r.tag(); });
  timed("open and machines()", [](Registry& r) { (void)r.machines(); });
  CHECK(timed("open and summaries()", [](Registry& r) { (void)r.summaries(); }) < 8);
}
