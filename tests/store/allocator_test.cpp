// Who gets what: order, uniqueness, foreign holders, all or none.
#include <doctest/doctest.h>

#include "room.hpp"

using namespace store_test;

namespace {
std::string next(Transaction& t, const std::string& pool, const Facts& facts = {}) {
  return t.allocator().take(uuid(1), {any(pool)}, facts).leases.at(0).value;
}
std::uint64_t mac_value(const std::string& text) { return parse_mac(text).value().value; }
}  // namespace

TEST_CASE("MACs begin at a place of the registry's own, go up, and wrap") {
  Room a, b;
  Registry::Options other = options(b);
  other.random = 43;
  Registry one = Registry::open(options(a)), two = Registry::open(other);
  Transaction t = one.begin(), u = two.begin();
  auto first = mac_value(next(t, "mac"));
  CHECK(mac_value(next(t, "mac")) == first + 1);
  CHECK(mac_value(next(u, "mac")) != first);
  CHECK(one.tag() != two.tag());
  CHECK(one.tag().size() == 4);

  Room c;
  Registry::Options tiny = options(c);
  tiny.pools[0] = pool("mac", 0x525400000000, 0x525400000007);
  Registry three = Registry::open(tiny);
  Transaction v = three.begin();
  std::vector<std::uint64_t> all;
  for (int i = 0; i < 8; ++i) all.push_back(mac_value(next(v, "mac")) & 7);
  for (int i = 1; i < 8; ++i) CHECK(all[i] == ((all[i - 1] + 1) & 7));
  CHECK_THROWS_AS(next(v, "mac"), Exhausted);
}

TEST_CASE("what is given back to a queue comes again last; displays come lowest first") {
  Room room;
  Registry::Options small = options(room);
  small.pools[2] = pool("cid", 3, 6);
  Registry registry = Registry::open(small);
  Transaction t = registry.begin();
  Allocator& a = t.allocator();
  CHECK(next(t, "cid") == "3");
  CHECK(next(t, "cid") == "4");
  a.release_value("cid", "3");
  CHECK(next(t, "cid") == "5");
  a.release_value("cid", "5");
  a.release_value("cid", "4");
  CHECK(next(t, "cid") == "6");
  CHECK(next(t, "cid") == "3");
  CHECK(next(t, "cid") == "5");
  CHECK(next(t, "cid") == "4");

  for (int i = 0; i < 4; ++i) CHECK(next(t, "vnc") == ":" + std::to_string(i));
  a.release_value("vnc", ":2");
  a.release_value("vnc", "0");  // as people write it, too
  CHECK(next(t, "vnc") == ":0");
  CHECK(next(t, "vnc") == ":2");
  CHECK(next(t, "vnc") == ":4");
  CHECK(next(t, "subnet") == "10.75.0.0/24");
  CHECK(next(t, "subnet") == "10.75.1.0/24");
  a.release_value("subnet", "10.75.0.0/24");
  CHECK(next(t, "subnet") == "10.75.0.0/24");
}

TEST_CASE("tap names carry the registry's tag and fit an interface name") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  std::string tag = registry.tag();
  CHECK(next(t, "tap") == "nt" + tag + "-1");
  CHECK(next(t, "tap") == "nt" + tag + "-2");
  std::string last = "nt" + tag + "-ffffffff";
  CHECK(last.size() <= 15);
  CHECK(t.allocator().take(uuid(1), {certain("tap", last)}, {}).leases[0].value == last);
  CHECK_THROWS_AS(t.allocator().take(uuid(1), {certain("tap", "eth0")}, {}), ConfigError);
}

TEST_CASE("a value is leased once, and the refusal names its owner") {
  Room room;
  Registry registry = Registry::open(options(room));
  {
    Transaction t = registry.begin();
    t.add_machine(row(1, "ciab"));
    t.allocator().take(uuid(1),
                       {certain("mac", "52:54:00:12:34:60"), certain("vnc", ":3"),
                        certain("volume", "/var/lib/x/disk.raw")},
                       {});
    t.commit();
  }
  for (const auto& [pool, value] :
       {std::pair{"mac", "52:54:00:12:34:60"}, {"vnc", ":3"}, {"volume", "/var/lib/x/disk.raw"}}) {
    Transaction t = registry.begin();
    auto sentence =
        error_of<Conflict>([&] { t.allocator().take(uuid(2), {certain(pool, value)}, {}); });
    CAPTURE(sentence);
    CHECK(has(sentence, "leased to ciab"));
    CHECK(has(sentence, value));
  }
  Transaction t = registry.begin();
  CHECK_NOTHROW(t.allocator().take(uuid(1), {certain("vnc", ":3")}, {}));  // the same again
  CHECK(has(error_of<Conflict>([&] { t.allocator().take(uuid(1), {certain("vnc", ":3", 1)}, {}); }),
            "twice"));
}

TEST_CASE("values asked for by name are taken before those that may be any") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  auto taken =
      t.allocator().take(uuid(1), {any("vnc"), certain("vnc", ":0", 1), any("vnc", 2)}, {});
  CHECK(taken.leases[0].value == ":1");
  CHECK(taken.leases[1].value == ":0");
  CHECK(taken.leases[2].value == ":2");
  CHECK(taken.leases[2].index == 2);
}

TEST_CASE("a value that is none, or not of the pool, is refused in a sentence") {
  Room room;
  Registry registry = Registry::open(options(room));
  for (const auto& [pool, value] : {std::pair{"mac", "52:54:00:12:34"},
                                    {"mac", "01:00:5e:00:00:01"},
                                    {"vnc", ":70000"},
                                    {"vnc", "-1"},
                                    {"vnc", "x"},
                                    {"cid", "2"},
                                    {"lan", "10.0.1.7"},
                                    {"lan", "10.0.0.2/24"},
                                    {"subnet", "10.75.0.0"},
                                    {"uid", "0"},
                                    {"mac", "52:54:00:12:34:60\n"}}) {
    Transaction t = registry.begin();
    CAPTURE(pool);
    CAPTURE(value);
    CHECK_THROWS_AS(t.allocator().take(uuid(1), {certain(pool, value)}, {}), ConfigError);
  }
  Transaction t = registry.begin();
  CHECK(has(error_of<NotFound>([&] { t.allocator().candidates("moon", 1, {}); }), "there are"));
}

TEST_CASE(
    "a MAC or display outside the pool may be asked for, is unique, and is never handed out") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  Allocator& a = t.allocator();
  a.take(uuid(1), {certain("mac", "00:16:3e:00:00:01"), certain("vnc", "150")}, {});
  a.release_value("vnc", ":150");
  a.take(uuid(1), {certain("vnc", "150")}, {});
  a.release_value("vnc", ":150");
  for (int i = 0; i < 10; ++i) CHECK(next(t, "vnc") == ":" + std::to_string(i));
  CHECK_THROWS_AS(a.take(uuid(2), {certain("mac", "00:16:3e:00:00:01")}, {}), Conflict);
}

TEST_CASE("all or none: when the last pool is exhausted the others are as before") {
  Room room;
  Registry registry = Registry::open(options(room));
  {
    Transaction t = registry.begin();
    for (int i = 0; i < 10; ++i) next(t, "vnc");
    t.commit();
  }
  std::vector<std::string> before;
  {
    Transaction t = registry.begin();
    before = t.allocator().candidates("mac", 3, {});
  }
  auto leases = registry.leases().size();
  {
    Transaction t = registry.begin();
    t.add_machine(row(7, "late"));
    auto sentence = error_of<Exhausted>([&] {
      t.allocator().take(
          uuid(7), {any("mac", 0), any("mac", 1), any("mac", 2), any("vnc", 0, Lifetime::run)}, {});
    });
    CHECK(sentence ==
          "pool vnc (:0 to :9) has nothing left; give one back with `nutshell stop`, "
          "or widen it in nutshell.toml");
    CHECK_THROWS_AS(t.commit(), std::logic_error);
  }
  CHECK(registry.leases().size() == leases);
  CHECK_FALSE(registry.machine(uuid(7)));
  Transaction t = registry.begin();
  CHECK(t.allocator().candidates("mac", 3, {}) == before);
}

TEST_CASE("release gives back one lifetime of one holder, and twice is no error") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  Allocator& a = t.allocator();
  a.take(uuid(1), {any("mac"), any("vnc", 0, Lifetime::run), any("tap", 0, Lifetime::run)}, {});
  a.take(uuid(2), {any("vnc", 0, Lifetime::run)}, {});
  a.take(Uuid{}, {any("subnet", 0, Lifetime::network)}, {});
  a.release(uuid(1), Lifetime::run);
  a.release(uuid(1), Lifetime::run);
  a.release(Uuid{}, Lifetime::network);  // nobody's leases are not everybody's
  REQUIRE(a.leases_of(uuid(1)).size() == 1);
  CHECK(a.leases_of(uuid(1))[0].pool == "mac");
  CHECK(a.leases_of(uuid(2)).size() == 1);
  CHECK(a.who("subnet", "10.75.0.0/24").has_value());
  CHECK(a.who("subnet", "10.75.0.128/25").has_value());  // part of it
  CHECK_FALSE(a.who("vnc", ":0").has_value());
}

TEST_CASE("a reservation by hand is never given, and says so") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  Allocator& a = t.allocator();
  a.reserve("vnc", ":0", "for the lab door");
  CHECK(next(t, "vnc") == ":1");
  auto held = a.who("vnc", ":0");
  REQUIRE(held);
  CHECK(held->note == "for the lab door");
  CHECK(held->foreign.empty());
  CHECK(has(error_of<Conflict>([&] { a.reserve("vnc", ":1", ""); }), "leased"));
  CHECK(has(error_of<Conflict>([&] { a.reserve("vnc", ":0", ""); }), "for the lab door"));
  a.mark_foreign("vnc", ":5", "Xvnc");
  a.reserve("vnc", ":5", "ours soon");
  CHECK(a.who("vnc", ":5")->foreign.empty());
  a.release_value("vnc", ":0");
  CHECK(next(t, "vnc") == ":0");
}

TEST_CASE("candidates are what take gives next, and cost nothing") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  Facts facts;
  facts.ips = {{Ipv4{0x0a000003}, "neighbour 10.0.0.3"}};
  auto seen = t.allocator().candidates("lan", 3, facts);
  CHECK(seen == std::vector<std::string>{"10.0.0.2", "10.0.0.4", "10.0.0.5"});
  CHECK(t.allocator().leases().empty());
  for (const auto& value : seen) CHECK(next(t, "lan", facts) == value);
  CHECK(t.allocator().candidates("vnc", 99, {}).size() == 10);
  CHECK(t.allocator().candidates("ipv4:bridge", 1, {}).empty());
}

TEST_CASE("addresses on a bridge are given by value only") {
  Room room;
  Registry registry = Registry::open(options(room));
  Transaction t = registry.begin();
  t.allocator().take(uuid(1), {certain("ipv4:bridge", "192.168.7.9")}, {});
  CHECK_THROWS_AS(t.allocator().take(uuid(2), {certain("ipv4:bridge", "192.168.7.9")}, {}),
                  Conflict);
  Transaction moved = std::move(t);
}

TEST_CASE("excluded values are never given, not even by value, and survive a giving back") {
  Room room;
  Registry::Options made = options(room);
  made.pools[1].excluded = {{0, 1}, {4, 4}};
  Registry registry = Registry::open(made);
  {
    Transaction t = registry.begin();
    std::vector<std::string> got;
    for (int i = 0; i < 7; ++i) got.push_back(next(t, "vnc"));
    CHECK(got == std::vector<std::string>{":2", ":3", ":5", ":6", ":7", ":8", ":9"});
    CHECK_THROWS_AS(next(t, "vnc"), Exhausted);
  }
  Transaction t = registry.begin();
  CHECK(has(error_of<Conflict>([&] { t.allocator().take(uuid(1), {certain("vnc", ":4")}, {}); }),
            "kept out"));
}
