// Looking writes nothing: no file is made, no byte of the registry or its log differs afterwards,
// although everything that a dry run does was done.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "child.hpp"
#include "room.hpp"
#include "store/sqlite.hpp"

using namespace store_test;

namespace {
void dry_run(const Registry::Options& made, std::size_t machines) {
  Registry registry = Registry::open(made);
  CHECK(registry.machines().size() == machines);
  CHECK(registry.tag().size() == 4);
  Transaction t = registry.begin();
  t.add_machine(row(0xfff0, "dry"));
  for (int i = 0; i < 200; ++i)
    t.allocator().take(uuid(0xfff0), {any("mac", i), any("lan", i)}, {});
  t.add_network({"n", "n0", parse_ipv4_net("10.75.0.1/24").value(), Mac{1}, {}});
  t.journal(Plan{"launch", uuid(0xfff0), OnFailure::undo, {HoldMachine{uuid(0xfff0), "dry"}}}, 1, 1,
            "");
  CHECK(registry.machine(uuid(0xfff0)));  // seen by this look
  CHECK_THROWS_AS(t.commit(), std::logic_error);
}
std::vector<std::string> names(const Room& room) {
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(room.path()))
    all.push_back(entry.path().filename());
  std::sort(all.begin(), all.end());
  return all;
}
}  // namespace

TEST_CASE("looking at a registry leaves every byte of it and its log as it was") {
  Room room;
  {
    Registry registry = Registry::open(options(room));
    Transaction t = registry.begin();
    t.add_machine(row(1, "ciab"));
    t.allocator().take(uuid(1), {any("mac")}, {});
    t.commit();
  }
  REQUIRE(std::filesystem::file_size(room.file() + "-wal") > 0);
  auto file = content(room.file()), log = content(room.file() + "-wal");
  auto listed = names(room);
  dry_run(options(room, Registry::Mode::look), 1);
  CHECK(content(room.file()) == file);
  CHECK(content(room.file() + "-wal") == log);
  CHECK(names(room) == listed);

  // The same when a writer is at it in the middle of a transaction.
  Registry writer = Registry::open(options(room));
  Transaction t = writer.begin();
  t.add_machine(row(2, "other"));
  dry_run(options(room, Registry::Mode::look), 1);
  t.commit();
  dry_run(options(room, Registry::Mode::look), 2);
}

TEST_CASE("looking at a registry with an empty log, or none, makes none") {
  Room room;
  Room copy;
  {
    Registry registry = Registry::open(options(room));
    Transaction t = registry.begin();
    t.add_machine(row(1, "ciab"));
    t.commit();
  }
  {
    nutshell::store::Connection db(room.file(), nutshell::store::Connection::Access::write, {});
    db.use("PRAGMA wal_checkpoint(TRUNCATE)").step();
  }
  REQUIRE(std::filesystem::file_size(room.file() + "-wal") == 0);
  auto file = content(room.file());
  auto listed = names(room);
  dry_run(options(room, Registry::Mode::look), 1);
  CHECK(content(room.file()) == file);
  CHECK(content(room.file() + "-wal").empty());
  CHECK(names(room) == listed);
  std::filesystem::copy_file(room.file(), copy.file());
  auto before = content(copy.file());
  dry_run(options(copy, Registry::Mode::look), 1);
  CHECK(content(copy.file()) == before);
  CHECK(names(copy) == std::vector<std::string>{"registry.db"});
}

TEST_CASE("a log that a killed writer left with a header alone is looked at, and hinders nobody") {
  Room room;
  {
    Registry registry = Registry::open(options(room));
    Transaction t = registry.begin();
    t.add_machine(row(1, "ciab"));
    t.commit();
  }
  const std::string log = room.file() + "-wal";
  constexpr std::size_t header = 32;  // bytes
  const std::string head = content(log).substr(0, header);
  {
    nutshell::store::Connection db(room.file(), nutshell::store::Connection::Access::write, {});
    db.use("PRAGMA wal_checkpoint(TRUNCATE)").step();
  }
  std::ofstream(log, std::ios::binary) << head;
  REQUIRE(std::filesystem::file_size(log) == header);
  const auto file = content(room.file());
  const auto began = std::chrono::steady_clock::now();
  dry_run(options(room, Registry::Mode::look), 1);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(5));
  CHECK(content(room.file()) == file);
  CHECK(content(log) == head);
  Registry registry = Registry::open(options(room));
  CHECK(registry.machines().size() == 1);
}

TEST_CASE("who looks while the log's index has to be made anew waits for the next writer") {
  Room room;
  Child writer([&](const std::function<void()>& pause) {
    Registry registry = Registry::open(options(room));
    Transaction t = registry.begin();
    t.add_machine(row(1, "ciab"));
    t.commit();
    pause();  // alive, so that nobody else may say what the index is
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    (void)registry.machines();
    pause();
    return std::string();
  });
  writer.paused();
  constexpr std::size_t header = 136;  // bytes: both copies, and what readers have marked
  std::fstream(room.file() + "-shm", std::ios::in | std::ios::out | std::ios::binary)
      << std::string(header, '\0');
  writer.let_go();
  const auto began = std::chrono::steady_clock::now();
  dry_run(options(room, Registry::Mode::look), 1);
  CHECK(std::chrono::steady_clock::now() - began > std::chrono::milliseconds(300));
}

TEST_CASE("looking where there is no registry sees an empty one and makes nothing") {
  Room room;
  dry_run(options(room, Registry::Mode::look), 0);
  CHECK(names(room).empty());
  Registry::Options made = options(room, Registry::Mode::look);
  made.path = room.path() + "/no/such/place.db";
  Registry registry = Registry::open(made);
  CHECK(registry.pools().size() == small_pools().size());
  CHECK(registry.leases().empty());
}
