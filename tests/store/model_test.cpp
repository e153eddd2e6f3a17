// Ten thousand random takes, reservations and givings back, beside a model that is nothing but
// sets: what is free must always be what is not leased, and the order must be the one that is
// promised.
#include <doctest/doctest.h>

#include <deque>
#include <random>
#include <set>

#include "room.hpp"
#include "store/sqlite.hpp"
#include "store/statements.hpp"

using namespace store_test;
namespace sql = nutshell::store::sql;
using nutshell::store::Connection;
using nutshell::store::Statement;

namespace {
constexpr int values = 64;

/// The free values that the file holds, in the order of handing out; dies when two extents overlap.
std::vector<int> free_in_file(const Room& room, const char* pool) {
  Connection db(room.file(), Connection::Access::read, {});
  std::vector<int> found;
  Statement extent = db.use(
      "SELECT extent.low, extent.high FROM extent JOIN pool ON pool.id = extent.pool "
      "WHERE pool.name = ?1 ORDER BY turn, extent.low",
      pool);
  while (extent.step()) {
    for (auto v = extent.integer(0); v <= extent.integer(1); ++v)
      found.push_back(static_cast<int>(v));
  }
  return found;
}

template <class List>
std::string words(const List& list) {
  std::string text;
  for (int v : list) text += std::to_string(v) + " ";
  return text;
}

void play(const char* pool_name, bool lowest, unsigned seed) {
  CAPTURE(seed);
  CAPTURE(pool_name);
  Room room;
  Registry::Options made = options(room);
  made.pools = {pool("vnc", 3, 3 + values - 1), pool("cid", 3, 3 + values - 1)};
  Registry registry = Registry::open(made);
  registry.begin().commit();  // the pools are there before a round is rolled back
  std::mt19937 random(seed);
  std::deque<int> queue;
  for (int v = 3; v < 3 + values; ++v) queue.push_back(v);
  std::set<int> held;
  auto text = [&](int v) { return (lowest ? ":" : "") + std::to_string(v); };
  auto given_back = [&](int v) {
    held.erase(v);
    queue.push_back(v);
    if (lowest) std::sort(queue.begin(), queue.end());
  };
  for (int round = 0; round < 100; ++round) {
    Transaction t = registry.begin();
    Allocator& a = t.allocator();
    auto before_queue = queue;
    auto before_held = held;
    bool keep = random() % 8 != 0;
    for (int i = 0; i < 50; ++i) {
      int v = 3 + static_cast<int>(random() % values);
      switch (random() % 5) {
        case 0:
        case 1:
          if (queue.empty()) {
            REQUIRE(a.candidates(pool_name, 1, {}).empty());
          } else {
            REQUIRE(a.take(uuid(1), {any(pool_name)}, {}).leases[0].value == text(queue.front()));
            held.insert(queue.front());
            queue.pop_front();
          }
          break;
        case 2:
          if (held.count(v)) {
            REQUIRE_THROWS_AS(a.reserve(pool_name, text(v), ""), Conflict);
          } else {
            a.reserve(pool_name, text(v), "");
            held.insert(v);
            queue.erase(std::find(queue.begin(), queue.end(), v));
          }
          break;
        case 3:
          a.release_value(pool_name, text(v));
          if (held.count(v)) given_back(v);
          break;
        default: REQUIRE(a.who(pool_name, text(v)).has_value() == (held.count(v) == 1));
      }
    }
    if (keep) {
      t.commit();
    } else {
      queue = before_queue;
      held = before_held;
      Transaction dropped = std::move(t);
    }
    REQUIRE(words(free_in_file(room, pool_name)) == words(queue));
    REQUIRE(registry.leases().size() == held.size());
  }
}
}  // namespace

TEST_CASE("a queue and a lowest-first pool behave as sets do, ten thousand times") {
  play("cid", false, 1);
  play("vnc", true, 2);
}

TEST_CASE("no statement of the allocator scans a table") {
  Room room;
  { Registry registry = Registry::open(options(room)); }
  Connection db(room.file(), Connection::Access::read, {});
  std::vector<std::string> asked;
  asked.reserve(sql::allocator_statements.size());
  for (const char* statement : sql::allocator_statements) {
    asked.push_back(std::string("EXPLAIN QUERY PLAN ") + statement);
    CAPTURE(statement);
    Statement row = db.use(asked.back().c_str());
    while (row.step()) {
      CAPTURE(row.text(3));
      CHECK_FALSE(has(row.text(3), "SCAN"));
      CHECK_FALSE(has(row.text(3), "TEMP B-TREE"));
      // To walk through all of a pool is a scan too, whatever SQLite calls it.
      bool listing = statement == sql::leases_in || statement == sql::extents_in ||
                     has(row.text(3), "INDEX lease_foreign");
      if (has(row.text(3), "(pool=?)")) CHECK((listing || has(statement, "LIMIT 1")));
    }
  }
  CHECK(asked.size() >= 20);
}
