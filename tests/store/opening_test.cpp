// Registries that cannot be used: each is one sentence that says what is wrong and what to do, and
// none is changed by the attempt.
#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <random>

#include "child.hpp"
#include "nutshell/registry_check.hpp"
#include "room.hpp"
#include "store/sqlite.hpp"

using namespace store_test;
using nutshell::store::Connection;
using nutshell::store::Statement;

namespace {
void fill(const Room& room, int machines = 60) {
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  for (int i = 1; i <= machines; ++i) {
    t.add_machine(row(i, "m" + std::to_string(i)));
    t.allocator().take(uuid(i), {any("mac"), any("cid")}, {});
  }
  t.commit();
}
Connection raw(const Room& room) { return Connection(room.file(), Connection::Access::write, {}); }
/// Everything into the main file, an empty log.
void settle(const Room& room) {
  Connection db = raw(room);
  db.use("PRAGMA wal_checkpoint(TRUNCATE)").step();
}
void overwrite(const std::string& path, std::uintmax_t at, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  file << bytes;
}
std::string noise(unsigned seed, std::size_t size) {
  std::mt19937 random(seed);
  std::string bytes;
  while (bytes.size() < size) bytes += static_cast<char>(random());
  return bytes;
}
/// Reads and writes all there is; the first sentence of an error, or "fine".
std::string use(const Registry::Options& made) {
  try {
    Registry registry = Registry::open(made);
    (void)registry.machines();
    (void)registry.leases();
    (void)registry.networks();
    (void)registry.unfinished();
    (void)registry.pools();
    Transaction t = registry.begin();
    t.add_machine(row(0xfff0, "new"));
    t.allocator().take(uuid(0xfff0), {any("mac"), any("vnc")}, {});
    t.remove_machine(uuid(3));
    if (made.mode == Registry::Mode::read_write) t.commit();
    return "fine";
  } catch (const Error& error) {
    return error.what();
  }
}
}  // namespace

TEST_CASE("a registry of a newer version is refused and left alone") {
  Room room;
  fill(room);
  raw(room).execute("PRAGMA user_version = 7");
  auto before = content(room.file() + "-wal");
  CHECK(error_of<Conflict>([&] { Registry::open(options(room)); }) ==
        "registry " + room.file() +
            " was written by a newer nutshell (schema 7, this one knows 6); use that version");
  CHECK_THROWS_AS(Registry::open(options(room, Registry::Mode::look)), Conflict);
  CHECK(content(room.file() + "-wal") == before);
}

TEST_CASE("a migration is applied once, and recorded with its day") {
  Room room;
  fill(room, 1);
  fill(room, 0);
  Connection db = raw(room);
  auto row = db.use("SELECT count(*), min(dated) FROM migration");
  REQUIRE(row.step());
  CHECK(row.integer(0) == 6);
  CHECK(row.text(1) == "2026-11-20");
}

TEST_CASE("a network of an earlier version is a NAT network that was made on demand") {
  Room room;
  {
    Registry registry = Registry::open(options(room));
    Transaction t = registry.begin();
    t.add_network({"n", "n0", parse_ipv4_net("10.75.0.1/24").value(), Mac{1}, {}});
    t.commit();
  }
  for (const char* column : {"mode", "mtu", "ipv6", "dns", "by_hand"})
    raw(room).execute(("ALTER TABLE network DROP COLUMN " + std::string(column)).c_str());
  raw(room).execute(
      "ALTER TABLE run DROP COLUMN guests; DROP TABLE firewall_rule; DROP TABLE firewall_group; "
      "DROP TABLE public_address; DROP TABLE cloud; DROP INDEX extent_block; DROP INDEX "
      "lease_reserved; "
      "ALTER TABLE extent DROP COLUMN block; DELETE FROM migration WHERE number > 2; "
      "PRAGMA user_version = 2");
  for (const auto mode : {Registry::Mode::look, Registry::Mode::read_write}) {
    const auto network = Registry::open(options(room, mode)).network("n");
    REQUIRE(network);
    CHECK(network->mode == NetworkMode::nat);
    CHECK(network->mtu == 1500);
    CHECK(network->ipv6.empty());
    CHECK(network->dns);
    CHECK_FALSE(network->by_hand);
  }
  CHECK_NOTHROW(check_registry(room.file()));  // older is not damaged
}

TEST_CASE("what is free in a registry of an earlier version is found by its size, too") {
  Room room;
  {
    Registry registry = Registry::open(options(room));
    Transaction t = registry.begin();
    t.allocator().reserve("subnet", "10.75.0.0/23", "");
    t.allocator().reserve("lan", "10.0.0.5-10.0.0.9", "");
    t.commit();
  }
  raw(room).execute(
      "DROP TABLE cloud; DROP INDEX extent_block; DROP INDEX lease_reserved; ALTER TABLE extent "
      "DROP COLUMN block; "
      "DELETE FROM migration WHERE number > 4; PRAGMA user_version = 4");
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  Want subnet = any("subnet"), piece = any("lan"), small = any("lan", 1);
  subnet.prefix = 23;
  piece.count = 4;
  small.count = 3;
  const auto taken = t.allocator().take(uuid(1), {subnet, piece, small}, {}).leases;
  CHECK(taken[0].value == "10.75.2.0/23");
  CHECK(taken[1].value == "10.0.0.10-10.0.0.13");
  CHECK(taken[2].value == "10.0.0.2-10.0.0.4");
}

TEST_CASE("a network is kept with all that it is") {
  Room room;
  NetworkRow made{"n", "n0", parse_ipv4_net("10.75.0.1/24").value(), Mac{1}, {}};
  made.mode = NetworkMode::isolated;
  made.mtu = 9000;
  made.ipv6 = "fd00:75::/64";
  made.dns = false;
  made.by_hand = true;
  Registry registry = Registry::open(options(room));
  {
    Transaction t = registry.begin();
    t.add_network(made);
    t.commit();
  }
  const auto same = [&] {
    const auto kept = registry.network("n").value();
    return kept.mode == made.mode && kept.mtu == made.mtu && kept.ipv6 == made.ipv6 &&
           kept.dns == made.dns && kept.by_hand == made.by_hand;
  };
  CHECK(same());
  made.mode = NetworkMode::routed;
  made.mtu = 1400;
  Transaction t = registry.begin();
  t.change_network(made);
  t.commit();
  CHECK(same());
}

TEST_CASE("what is no registry is called so, and kept") {
  Room room;
  std::ofstream(room.file()) << "this is a letter to my aunt, and long enough to be one\n" +
                                    noise(1, 2000);
  auto before = content(room.file());
  auto sentence = error_of<Failed>([&] { Registry::open(options(room)); });
  CAPTURE(sentence);
  CHECK(has(sentence, "nutshell recover"));
  CHECK(content(room.file()) == before);

  Room other;
  std::ofstream(other.file()).flush();
  raw(other).execute("CREATE TABLE aunt (letter TEXT)");
  CHECK(has(error_of<Failed>([&] { Registry::open(options(other)); }), "something else"));

  Room folder;
  std::filesystem::create_directory(folder.file());
  CHECK_THROWS_AS(Registry::open(options(folder)), Error);
  Room gone;
  Registry::Options made = options(gone);
  made.path = gone.path() + "/none/registry.db";
  CHECK(has(error_of<Error>([&] { Registry::open(made); }), "none/registry.db"));
}

TEST_CASE("a damaged registry is never misread in silence, and the sentence says recover") {
  auto check = [](const char* what, const std::function<void(const Room&)>& damage,
                  bool must_fail) {
    CAPTURE(what);
    Room room;
    fill(room);
    settle(room);
    damage(room);
    auto sentence = use(options(room));
    CAPTURE(sentence);
    CHECK((has(sentence, "nutshell recover") || (!must_fail && sentence == "fine")));
    CHECK_FALSE(has(sentence, "report"));
  };
  using std::filesystem::file_size;
  using std::filesystem::resize_file;
  check(
      "cut in the header", [](const Room& r) { resize_file(r.file(), 50); }, true);
  check(
      "cut to one page", [](const Room& r) { resize_file(r.file(), 4096); }, true);
  check(
      "cut in half", [](const Room& r) { resize_file(r.file(), file_size(r.file()) / 2); }, true);
  check(
      "noise in the header", [](const Room& r) { overwrite(r.file(), 0, noise(1, 100)); }, true);
  check(
      "noise behind the magic", [](const Room& r) { overwrite(r.file(), 16, noise(2, 84)); }, true);
  for (unsigned seed = 0; seed < 24; ++seed) {
    CAPTURE(seed);
    check(
        "noise in the middle",
        [seed](const Room& r) {
          auto pages = file_size(r.file()) / 4096;
          overwrite(r.file(), (1 + seed * 7 % (pages - 1)) * 4096 + seed * 131 % 3000,
                    noise(seed, 300));
        },
        false);
  }
  check(
      "noise in every page",
      [](const Room& r) {
        for (std::uintmax_t at = 4096; at < file_size(r.file()); at += 4096)
          overwrite(r.file(), at, noise(3, 64));
      },
      true);
  check(
      "emptied beside its log",
      [](const Room& r) {
        fill(r, 0);
        Registry registry = Registry::open(options(r));
        registry.set_boot_once_consumed(uuid(1), true);
        resize_file(r.file(), 0);
      },
      true);
}

TEST_CASE("damage that nobody has met yet is found by whoever reads all") {
  Room room;
  fill(room);
  CHECK_NOTHROW(check_registry(room.file()));
  settle(room);
  CHECK_NOTHROW(check_registry(room.file()));
  std::int64_t page = 0;
  {
    Connection db = raw(room);
    Statement row = db.use("SELECT rootpage FROM sqlite_schema WHERE name = 'machine_name'");
    REQUIRE(row.step());
    page = row.integer(0);
  }
  overwrite(room.file(), static_cast<std::uintmax_t>(page - 1) * 4096, noise(7, 300));
  const auto before = content(room.file());
  CHECK(Registry::open(options(room)).machines().size() == 60);
  const auto sentence = error_of<Failed>([&] { check_registry(room.file()); });
  CAPTURE(sentence);
  CHECK(has(sentence, "registry " + room.file() + " is damaged ("));
  CHECK(has(sentence, "run `nutshell recover` to rebuild it"));
  CHECK_FALSE(has(sentence, "\n"));
  CHECK(content(room.file()) == before);
}

TEST_CASE("a registry that somebody writes can be read all the same") {
  Room room;
  fill(room);
  Child holder([&](const std::function<void()>& pause) {
    Connection db = raw(room);
    db.execute("BEGIN IMMEDIATE");
    pause();
    db.execute("COMMIT");
    return std::string("done");
  });
  holder.paused();
  CHECK_NOTHROW(check_registry(room.file()));
  CHECK(holder.answer() == "done");
}

TEST_CASE("a lock is waited for, said once, and given up in the end") {
  Room room;
  fill(room, 1);
  auto hold = [&](const std::function<void()>& pause) {
    Connection db = raw(room);
    db.execute("BEGIN IMMEDIATE");
    pause();
    db.execute("COMMIT");
    return std::string("done");
  };
  Registry::Options made = options(room);
  int notices = 0;
  made.waiting = [&](const std::string& line) {
    ++notices;
    CHECK(has(line, "registry"));
  };
  made.wait_limit_ms = 600;
  made.wait_notice_ms = 150;
  {
    Child holder(hold);
    holder.paused();
    Registry registry = Registry::open(made);
    CHECK(registry.machines().size() == 1);  // reading waits for nobody
    auto start = std::chrono::steady_clock::now();
    auto sentence = error_of<Conflict>([&] { (void)registry.begin(); });
    auto waited = std::chrono::steady_clock::now() - start;
    CHECK(has(sentence, "locked by another program for 600 ms"));
    CHECK(waited >= std::chrono::milliseconds(590));
    CHECK(waited < std::chrono::seconds(5));
    CHECK(notices == 1);
    CHECK_THROWS_AS(registry.begun(1, 0), Conflict);
    CHECK(notices == 2);  // a wait of its own
    CHECK(holder.answer() == "done");
    registry.begin().commit();
  }
  made.wait_limit_ms = 20'000;
  made.wait_notice_ms = 50;
  notices = 0;
  Child holder(hold);
  holder.paused();
  Registry registry = Registry::open(made);
  made.waiting = {};
  Registry::Options loud = made;
  loud.waiting = [&](const std::string&) { holder.let_go(); };
  Registry patient = Registry::open(loud);
  patient.begin().commit();
  CHECK(holder.answer() == "done");
}

TEST_CASE("a new registry that another is just making is waited for too") {
  Room room;
  std::ofstream(room.file()).flush();
  Registry::Options made = options(room);
  made.wait_limit_ms = 300;
  Child holder([&](const std::function<void()>& pause) {
    Connection db = raw(room);
    db.execute("BEGIN EXCLUSIVE; CREATE TABLE x (y)");
    pause();
    db.execute("ROLLBACK");
    return std::string("done");
  });
  holder.paused();
  CHECK(has(error_of<Conflict>([&] { Registry::open(made); }), "locked"));
  CHECK(holder.answer() == "done");
  CHECK(use(made) == "fine");
}

TEST_CASE("a directory or file that is read-only to the user") {
  Room room;
  chmod(room.path().c_str(), 0755);
  auto as_nobody = [&](const Registry::Options& made) {
    return in_child([&] {
      if (geteuid() != 0) chmod(room.path().c_str(), 0555);
      become_nobody();
      return use(made);
    });
  };
  CHECK(has(as_nobody(options(room)), "is read-only to this user"));
  CHECK_FALSE(std::filesystem::exists(room.file()));
  CHECK(as_nobody(options(room, Registry::Mode::look)) == "fine");
  chmod(room.path().c_str(), 0755);
  fill(room);
  for (const char* tail : {"", "-wal", "-shm"}) chmod((room.file() + tail).c_str(), 0444);
  CHECK(has(as_nobody(options(room)), "is read-only to this user"));
  CHECK(as_nobody(options(room, Registry::Mode::look)) == "fine");
  chmod(room.path().c_str(), 0755);
}

TEST_CASE("a disk that is full: a sentence, nothing half done, and all well once there is room") {
  Room room;
  auto answer = in_child([&]() -> std::string {
    if (unshare(CLONE_NEWNS) || mount("", "/", "", MS_REC | MS_PRIVATE, nullptr) ||
        mount("tmpfs", room.path().c_str(), "tmpfs", 0, "size=1m")) {
      return "cannot mount a small file system (run the tests as root)";
    }
    auto stuff = [&] {
      std::ofstream file(room.path() + "/stuff", std::ios::binary | std::ios::app);
      while (file << std::string(4096, 'x') << std::flush) {}
    };
    stuff();
    std::string first = use(options(room));
    if (!has(first, "disk is full")) return "making it: " + first;
    std::filesystem::remove(room.path() + "/stuff");
    std::filesystem::remove(room.file());
    fill(room, 20);
    stuff();
    int failures = 0;
    std::string sentence;
    Registry::Options made = options(room);
    for (int i = 100; i < 200; ++i) {  // the log still has a few pages of its own
      try {
        Registry registry = Registry::open(made);
        Transaction t = registry.begin();
        t.add_machine(row(i, "m" + std::to_string(i)));
        t.allocator().take(uuid(i), {any("mac")}, {});
        t.commit();
      } catch (const Failed& error) {
        ++failures;
        sentence = error.what();
        if (!has(sentence, "disk is full")) return "writing: " + sentence;
      }
    }
    if (failures == 0) return "it never was full";
    std::filesystem::remove(room.path() + "/stuff");
    std::string last = use(made);
    Connection db = raw(room);
    auto row = db.use("PRAGMA integrity_check");
    row.step();
    return last + ", " + row.text(0);
  });
  CHECK(answer == "fine, ok");
}
