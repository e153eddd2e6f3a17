// Sixteen processes take and give back at once, and some are killed in the middle. Nothing may be
// handed out twice, nothing lost, and the file must be whole.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "child.hpp"
#include "room.hpp"
#include "store/interval.hpp"
#include "store/sqlite.hpp"

using namespace store_test;
using nutshell::store::Connection;
using nutshell::store::Interval;
using nutshell::store::Intervals;

namespace {
constexpr int processes = 16, rounds = 40;

/// One process: each round is a command of its own, as in life. A line is written after each
/// commit, so what is in the file was really promised.
std::string work(const Room& room, int me) {
  std::ofstream log(room.path() + "/log." + std::to_string(me));
  std::mt19937 random(static_cast<unsigned>(me));
  for (int round = 0; round < rounds; ++round) {
    Registry registry = Registry::open(options(room));
    Transaction t = registry.begin();
    auto taken = t.allocator().take(
        uuid(me), {any("mac", round), any("cid", round), any("tap", round, Lifetime::run)}, {});
    bool give_back = random() % 3 == 0;
    if (give_back) t.allocator().release(uuid(me), Lifetime::run);
    auto id = t.journal(Plan{"launch", uuid(me), OnFailure::undo, {HoldRun{uuid(me)}}}, me, 1, "b");
    t.commit();
    for (int i = 0; i < 2; ++i) log << taken.leases[i].pool << " " << taken.leases[i].value << "\n";
    log.flush();
    registry.begun(id, 0);
    registry.done(id, 0);
    registry.finished(id);
  }
  return "done";
}
}  // namespace

TEST_CASE("sixteen processes at once, four of them killed: no value twice, none lost") {
  Room room;
  std::vector<Child> children;
  for (int me = 1; me <= processes; ++me) {
    children.emplace_back([&room, me](const std::function<void()>&) { return work(room, me); });
  }
  std::mt19937 random(std::random_device{}());
  for (int i = 0; i < 4; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + random() % 60));
    children[static_cast<std::size_t>(i)].kill_it();
  }
  for (std::size_t i = 4; i < children.size(); ++i) CHECK(children[i].answer() == "done");

  std::map<std::string, std::set<std::string>> promised;
  std::size_t lines = 0;
  for (int me = 1; me <= processes; ++me) {
    std::ifstream log(room.path() + "/log." + std::to_string(me));
    for (std::string pool, value; log >> pool >> value;) {
      if (log.eof()) break;  // cut off by the kill
      CAPTURE(value);
      CHECK(promised[pool].insert(value).second);
      ++lines;
    }
  }
  CHECK(lines >= 12 * rounds * 2);
  Registry registry = Registry::open(options(room));
  std::map<std::string, std::set<std::string>> leased;
  for (const Lease& lease : registry.leases()) CHECK(leased[lease.pool].insert(lease.value).second);
  for (const auto& [pool, values] : promised) {
    for (const std::string& value : values) CHECK(leased[pool].count(value) == 1);
    CHECK(leased[pool].size() <= values.size() + 4);  // a killed one may not have told of its last
  }

  Connection db(room.file(), Connection::Access::write, {});
  auto word = [&](const char* pragma) {
    auto row = db.use(pragma);
    return row.step() ? row.text(0) : std::string("no row");
  };
  CHECK(word("PRAGMA integrity_check") == "ok");
  CHECK(word("PRAGMA foreign_key_check") == "no row");
  // Each value is either leased or free, never both, never neither.
  auto pools = db.use("SELECT id, low, high FROM pool WHERE name IN ('mac', 'cid', 'tap')");
  while (pools.step()) {
    Intervals all;
    std::uint64_t sum = 0;
    auto row = db.use(
        "SELECT low, high FROM extent WHERE pool = ?1 UNION ALL "
        "SELECT low, high FROM lease WHERE pool = ?1",
        pools.integer(0));
    while (row.step()) {
      all.push_back({row.integer(0), row.integer(1)});
      sum += all.back().size();
    }
    Interval range{pools.integer(1), pools.integer(2)};
    CHECK(sum == range.size());
    CHECK(nutshell::store::normal(all) == Intervals{range});
  }
}
