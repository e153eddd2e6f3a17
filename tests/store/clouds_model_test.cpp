// Ten thousand random steps in the life of clouds, beside a model that is a plain list of who has
// which value. After each step the file is read: nothing overlaps, nothing is lost, what is free is
// exactly what nobody has. Some steps are dropped before their commit, some are done by a process
// that is killed before it, or at any moment.
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
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
using nutshell::store::Statement;

namespace {
constexpr int steps = 10'000, clouds = 6, machines = 40;
constexpr int nobody = 0, excluded = -1, by_hand = 1000;
constexpr std::int64_t lan_low = 0x0a000000, subnet_low = 0x0a4b0000;

void must(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

/// Who has which value of a pool.
struct Cells {
  std::int64_t low = 0;
  std::vector<int> owner;
  [[nodiscard]] std::int64_t high() const {
    return low + static_cast<std::int64_t>(owner.size()) - 1;
  }
  int& at(std::int64_t value) { return owner.at(static_cast<std::size_t>(value - low)); }
  bool all(const Interval& values, int who) {
    for (auto v = values.low; v <= values.high; ++v)
      if (at(v) != who) return false;
    return true;
  }
  void paint(const Interval& values, int who) {
    for (auto v = values.low; v <= values.high; ++v) at(v) = who;
  }
  /// What is free, as long pieces as there are.
  [[nodiscard]] std::vector<Interval> runs() const {
    std::vector<Interval> found;
    for (std::size_t i = 0; i < owner.size(); ++i) {
      if (owner[i] != nobody) continue;
      const auto v = low + static_cast<std::int64_t>(i);
      if (!found.empty() && found.back().high + 1 == v)
        found.back().high = v;
      else
        found.push_back({v, v});
    }
    return found;
  }
  bool operator==(const Cells&) const = default;
};

struct Model {
  Cells lan{lan_low, std::vector<int>(400, nobody)};
  Cells subnet{subnet_low, std::vector<int>(1024, nobody)};
  std::array<std::set<std::int64_t>, clouds + 1> given;  ///< out of the pool of each cloud
  std::set<int> there;                                   ///< machines
  bool operator==(const Model&) const = default;
};

std::vector<PoolRange> pools() {
  PoolRange lan = pool("ipv4", lan_low, lan_low + 399),
            subnet = pool("subnet", subnet_low, subnet_low + 1023);
  lan.name = "lan";
  lan.excluded = {{lan_low + 50, lan_low + 52}, {lan_low + 399, lan_low + 399}};
  subnet.prefix = 28;
  subnet.excluded = {{subnet_low + 256, subnet_low + 271}};
  return {lan, subnet};
}

Interval values_of(const std::string& text) {
  if (text.find('/') != text.npos) {
    const auto net = parse_ipv4_net(text).value();
    return {net.first().value, net.last().value};
  }
  const auto range = parse_ranges(text).value().at(0);
  return {range.first.value, range.last.value};
}
std::string text_of(const Interval& values) {
  return to_string(std::vector<AddressRange>{
      {{static_cast<std::uint32_t>(values.low)}, {static_cast<std::uint32_t>(values.high)}}});
}

std::string cloud_name(int cloud) { return "c" + std::to_string(cloud); }
Uuid holder(int owner) {
  return owner <= clouds ? Uuid{"cloud:" + cloud_name(owner)} : uuid(static_cast<unsigned>(owner));
}
int owner_of(const Lease& lease) {
  if (lease.holder.text.empty()) return by_hand;
  if (lease.holder.text.starts_with("cloud:c")) return std::atoi(lease.holder.text.c_str() + 7);
  return static_cast<int>(std::stoul(lease.holder.text.substr(0, 8), nullptr, 16));
}

/// What the file says, as the model would; dies when two leases, two extents, or one of each meet,
/// or a value is in neither.
Model in_file(Registry& registry, Connection& db) {
  Model found;
  for (const PoolRange& range : pools())
    for (const auto& [low, high] : range.excluded)
      (range.name == "lan" ? found.lan : found.subnet)
          .paint({static_cast<std::int64_t>(low), static_cast<std::int64_t>(high)}, excluded);
  Cells lan_free{lan_low, std::vector<int>(400, nobody)},
      subnet_free{subnet_low, std::vector<int>(1024, nobody)};
  {
    Statement extent = db.use(
        "SELECT pool.name, extent.low, extent.high FROM extent JOIN pool ON pool.id = extent.pool "
        "WHERE pool.name IN ('lan', 'subnet')");
    while (extent.step()) {
      Cells& cells = extent.text(0) == "lan" ? lan_free : subnet_free;
      const Interval values{extent.integer(1), extent.integer(2)};
      if (!cells.all(values, nobody)) throw std::runtime_error("two extents at " + text_of(values));
      cells.paint(values, 1);
    }
  }
  for (const Lease& lease : registry.leases()) {
    const Interval values = values_of(lease.value);
    if (lease.pool.starts_with("public:c")) {
      found.given.at(static_cast<std::size_t>(owner_of(lease))).insert(values.low);
      continue;
    }
    Cells& cells = lease.pool == "lan" ? found.lan : found.subnet;
    must(cells.all(values, nobody), "two leases meet at " + lease.value);
    cells.paint(values, owner_of(lease));
  }
  for (auto [cells, open] : {std::pair{&found.lan, &lan_free}, {&found.subnet, &subnet_free}})
    for (auto v = cells->low; v <= cells->high(); ++v)
      if ((cells->at(v) == nobody) != (open->at(v) == 1))
        throw std::runtime_error(text_of({v, v}) + " is lost, or held and free");
  for (const MachineSummary& machine : registry.summaries())
    found.there.insert(static_cast<int>(std::stoul(machine.uuid.text.substr(0, 8), nullptr, 16)));
  return found;
}

class Player {
 public:
  Player(Transaction& t, Model& model, unsigned seed)
      : t_(t), a_(t.allocator()), model_(model), random_(seed) {}

  /// One step; false when it was refused, and nothing may be kept of it.
  bool step() {
    const int cloud = 1 + below(clouds);
    switch (below(12)) {
      case 0:
      case 1: return piece(cloud);
      case 2:
      case 3: return block(cloud);
      case 4: return range(cloud);
      case 5:
      case 6: return shrink(cloud);
      case 7: return below(6) == 0 ? remove(cloud) : publish(cloud);
      case 8: return reserve();
      case 9: return release();
      case 10: return machine();
      default: return give(cloud);
    }
  }

 private:
  int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }
  Interval some(const Cells& cells, int longest) {
    const auto low = cells.low + below(static_cast<int>(cells.owner.size()));
    return {low, std::min<std::int64_t>(cells.high(), low + below(longest))};
  }
  std::optional<std::string> take(int owner, const Want& want) {
    try {
      return a_.take(holder(owner), {want}, {}).leases.at(0).value;
    } catch (const Exhausted&) {
    } catch (const Conflict&) {}
    return std::nullopt;
  }
  /// The taken values were free, and are the owner's now.
  Interval got(Cells& cells, const std::string& value, int owner) {
    const Interval values = values_of(value);
    must(cells.all(values, nobody), value + " was not free");
    cells.paint(values, owner);
    return values;
  }

  bool piece(int cloud) {
    Want want{"lan", 0, Lifetime::cloud, std::nullopt};
    want.count = static_cast<std::uint64_t>(1 + below(24));
    bool fits = false;
    for (const Interval& run : model_.lan.runs()) fits = fits || run.size() >= want.count;
    const auto value = take(cloud, want);
    must(value.has_value() == fits, "a piece of " + std::to_string(want.count));
    if (!value) return false;
    must(got(model_.lan, *value, cloud).size() == want.count, *value + " is of another size");
    return true;
  }

  bool block(int cloud) {
    Want want{"subnet", 0, Lifetime::cloud, std::nullopt};
    want.prefix = static_cast<unsigned>(24 + below(7));
    const int exponent = 32 - static_cast<int>(want.prefix);
    std::optional<std::uint64_t> smallest;
    const auto runs = model_.subnet.runs();
    for (const Interval& run : runs)
      if (nutshell::store::largest_block(run) >= exponent)
        smallest = std::min(smallest.value_or(run.size()), run.size());
    const auto value = take(cloud, want);
    must(value.has_value() == smallest.has_value(), "a /" + std::to_string(want.prefix));
    if (!value) return false;
    const Interval values = got(model_.subnet, *value, cloud);
    must(value->ends_with("/" + std::to_string(want.prefix)), *value + " is of another size");
    for (const Interval& run : runs)
      if (run.contains(values)) must(run.size() == *smallest, *value + " is not of the smallest");
    return true;
  }

  bool range(int cloud) {
    const Interval values = some(model_.lan, 20);
    const bool open = model_.lan.all(values, nobody);
    Want want{"lan", 7, Lifetime::cloud, text_of(values)};
    const auto held = a_.who("lan", *want.value);
    const bool same =
        held && held->value == *want.value && held->index == 7 && held->holder == holder(cloud);
    must(take(cloud, want).has_value() == (open || same), "the range " + *want.value);
    if (open) model_.lan.paint(values, cloud);
    return open || same;
  }

  bool shrink(int cloud) {
    const auto leases = a_.leases_of(holder(cloud));
    if (leases.empty()) return true;
    const Lease& lease =
        leases.at(static_cast<std::size_t>(below(static_cast<int>(leases.size()))));
    if (lease.pool.starts_with("public:")) return true;
    Interval values = values_of(lease.value);
    if (lease.pool == "lan") {
      values.low += below(static_cast<int>(values.size()));
      values.high = values.low + below(static_cast<int>(values.high - values.low + 1));
    }
    for (const auto given : model_.given.at(static_cast<std::size_t>(cloud)))
      if (lease.pool == "lan" && values.low <= given && given <= values.high) return true;
    a_.release_value(lease.pool, lease.pool == "lan" ? text_of(values) : lease.value);
    (lease.pool == "lan" ? model_.lan : model_.subnet).paint(values, nobody);
    return true;
  }

  /// The pool of its addresses is what it has of the host's; now and then less.
  bool publish(int cloud) {
    std::vector<AddressRange> ranges;
    std::set<std::int64_t> inside;
    for (const Lease& lease : a_.leases_of(holder(cloud))) {
      if (lease.pool != "lan" || below(8) == 0) continue;
      const Interval values = values_of(lease.value);
      for (auto v = values.low; v <= values.high; ++v) inside.insert(v);
      ranges.push_back(
          {{static_cast<std::uint32_t>(values.low)}, {static_cast<std::uint32_t>(values.high)}});
    }
    bool allowed = true;
    for (const auto given : model_.given.at(static_cast<std::size_t>(cloud)))
      allowed = allowed && inside.count(given) == 1;
    try {
      t_.set_public_pool(cloud_name(cloud), ranges);
    } catch (const Conflict&) {
      must(!allowed, "a pool of public addresses was refused");
      return false;
    }
    must(allowed, "an allocated address left its pool");
    return true;
  }

  bool give(int cloud) {
    auto& given = model_.given.at(static_cast<std::size_t>(cloud));
    const std::string pool = "public:" + cloud_name(cloud);
    if (!given.empty() && below(2) == 0) {
      a_.release_value(pool, text_of({*given.begin(), *given.begin()}));
      given.erase(given.begin());
      return true;
    }
    try {
      const auto value = take(cloud, {pool, 0, Lifetime::machine, std::nullopt});
      if (!value) return false;
      const Interval values = values_of(*value);
      must(given.insert(values.low).second, *value + " is given twice");
    } catch (const NotFound&) {
      return false;
    }
    return true;
  }

  bool remove(int cloud) {
    auto& given = model_.given.at(static_cast<std::size_t>(cloud));
    try {
      t_.remove_cloud(cloud_name(cloud));
    } catch (const Conflict&) {
      must(!given.empty(), "a cloud without addresses was not removed");
      return false;
    }
    must(given.empty(), "a cloud with addresses was removed");
    for (Cells* cells : {&model_.lan, &model_.subnet})
      for (int& owner : cells->owner)
        if (owner == cloud) owner = nobody;
    return true;
  }

  bool reserve() {
    const Interval values = some(model_.lan, 5);
    bool open = true;
    for (auto v = values.low; v <= values.high; ++v)
      open = open && (model_.lan.at(v) == nobody || model_.lan.at(v) == excluded);
    for (auto v = values.low; v <= values.high; ++v)
      if (model_.lan.at(v) == excluded) return true;
    try {
      a_.reserve("lan", text_of(values), "by hand");
    } catch (const Conflict&) {
      must(!open, "a reservation of " + text_of(values) + " was refused");
      return false;
    }
    must(open, text_of(values) + " was reserved over a lease");
    model_.lan.paint(values, by_hand);
    return true;
  }

  bool release() {
    const Interval values = some(model_.lan, 1);
    if (model_.lan.at(values.low) != by_hand) return true;
    const std::string whole = a_.who("lan", text_of(values)).value().value;
    const std::string gone = below(2) == 0 ? whole : text_of(values);
    a_.release_value("lan", gone);
    model_.lan.paint(values_of(gone), nobody);
    return true;
  }

  bool machine() {
    const int me = 100 + below(machines);
    if (model_.there.erase(me) == 1) {
      t_.remove_machine(uuid(static_cast<unsigned>(me)));
      for (int& owner : model_.lan.owner)
        if (owner == me) owner = nobody;
      return true;
    }
    const auto value = take(me, any("lan"));
    must(value.has_value() == !model_.lan.runs().empty(), "an address for a machine");
    if (!value) return false;
    t_.add_machine(row(static_cast<unsigned>(me), "m" + std::to_string(me)));
    model_.there.insert(me);
    got(model_.lan, *value, me);
    return true;
  }

  Transaction& t_;
  Allocator& a_;
  Model& model_;
  std::mt19937 random_;
};

void play(unsigned seed) {
  CAPTURE(seed);
  Room room(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  Registry::Options made = options(room);
  made.pools = pools();
  auto registry = std::make_unique<Registry>(Registry::open(made));
  registry->begin().commit();
  auto db =
      std::make_unique<Connection>(room.file(), Connection::Access::read, nutshell::store::Wait{});
  Model model = in_file(*registry, *db);
  std::mt19937 random(seed);
  int kept = 0, dropped = 0, killed = 0;
  for (int i = 0; i < steps; ++i) {
    CAPTURE(i);
    const unsigned step_seed = static_cast<unsigned>(random());
    const Model before = model;
    const bool kill = random() % 250 == 0, late = random() % 2 == 0, drop = random() % 12 == 0;
    bool done = false;
    auto step = [&](Registry& where, Model& its, const std::function<void()>& pause) {
      Transaction t = where.begin();
      done = Player(t, its, step_seed).step();
      pause();
      if (done && !drop) t.commit();
    };
    if (kill) {
      Model after = before;  // if it comes as far as its commit
      bool lasts = false;
      {
        Transaction t = registry->begin();
        lasts = Player(t, after, step_seed).step();
      }
      db.reset();
      registry.reset();  // a connection does not outlive a fork
      Child child([&](const std::function<void()>& pause) {
        Registry own = Registry::open(made);
        step(own, model, pause);
        return "";
      });
      child.paused();
      if (late) {
        child.let_go();
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 400));
      }
      child.kill_it();
      ++killed;
      registry = std::make_unique<Registry>(Registry::open(made));
      db = std::make_unique<Connection>(room.file(), Connection::Access::read,
                                        nutshell::store::Wait{});
      model = in_file(*registry, *db);
      const bool told = late && lasts && !drop && model == after;
      REQUIRE((told || model == before));
      continue;
    }
    step(*registry, model, [] {});
    done && !drop ? ++kept : ++dropped;
    if (!done || drop) model = before;
    REQUIRE(in_file(*registry, *db) == model);
  }
  MESSAGE("seed " << seed << ": " << kept << " kept, " << dropped << " dropped, " << killed
                  << " killed");
  CHECK(kept > steps / 3);
  CHECK(killed > 10);
}
}  // namespace

TEST_CASE("clouds come, grow, shrink and go: never an overlap, never a lost value") {
  for (const unsigned seed : {1U, std::random_device{}()}) play(seed);
}
