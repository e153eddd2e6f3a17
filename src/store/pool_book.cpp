// Pools change when the host's owner edits nutshell.toml, and leases must survive that. So a change
// is a difference of two sets: what is new becomes free (unless it is leased already), what is gone
// stops being free, and a lease outside simply never comes back to the free ones. One hash over the
// definitions tells each command whether there is anything to do.
#include "store/pool_book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "nutshell/error.hpp"
#include "store/free_space.hpp"
#include "store/statements.hpp"

namespace nutshell::store {

namespace {
constexpr const char* pool_list =
    "SELECT id, name, kind, low, high, prefix, excluded, source FROM pool ORDER BY name";
constexpr const char* pool_of_addresses =
    "SELECT id, name, kind, low, high, prefix, excluded, source FROM pool "
    "WHERE source = 'config' AND kind IN ('ipv4', 'subnet') OR name = 'ipv4:bridge'";
constexpr const char* pool_of_networks =
    "SELECT id, name, kind, low, high, prefix, excluded, source FROM pool "
    "WHERE source = 'network' AND low <= ?2 AND high >= ?1";
constexpr const char* pool_add =
    "INSERT INTO pool (name, kind, low, high, prefix, excluded, source) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
constexpr const char* pool_change =
    "UPDATE pool SET low = ?2, high = ?3, prefix = ?4, excluded = ?5, source = ?6 WHERE id = ?1";
constexpr const char* pool_drop = "DELETE FROM pool WHERE id = ?1";
constexpr const char* foreign_drop = "DELETE FROM lease WHERE pool = ?1 AND \"foreign\" <> ''";
constexpr const char* lease_held =
    "SELECT low, high, text FROM lease WHERE pool = ?1 AND \"foreign\" = '' LIMIT 1";
constexpr const char* setting_read = "SELECT value FROM setting WHERE name = ?1";
constexpr const char* setting_write =
    "INSERT OR REPLACE INTO setting (name, value) VALUES (?1, ?2)";

/// Those that every registry has and no config changes.
std::vector<Pool> fixed_pools() {
  auto fixed = [](const char* name, PoolKind kind, std::int64_t low, std::int64_t high) {
    Pool pool;
    pool.name = name;
    pool.kind = kind;
    pool.range = {low, high};
    pool.source = "fixed";
    return pool;
  };
  return {fixed("tap", PoolKind::tap, 1, 0xffffffff), fixed("volume", PoolKind::names, 0, 0),
          fixed("port", PoolKind::names, 0, 0),
          fixed("ipv4:bridge", PoolKind::ipv4, 0, 0xffffffff)};
}

std::string definition(const Pool& pool) {
  return fmt::format("{}|{}|{}|{}|{}|{}|{}\n", pool.name, to_word(pool.kind), pool.range.low,
                     pool.range.high, pool.prefix, to_text(pool.excluded), pool.source);
}

std::string fingerprint(const std::vector<Pool>& pools) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const Pool& pool : pools) {
    for (unsigned char c : definition(pool)) hash = (hash ^ c) * 0x100000001b3;
  }
  return fmt::format("{:016x}", hash);
}
}  // namespace

std::uint64_t mixed(std::uint64_t seed, std::uint64_t purpose) {
  std::uint64_t z = seed + (purpose + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

Pool network_pool(const std::string& network, const Ipv4Net& bridge) {
  Pool pool;
  pool.name = "ipv4:" + network;
  pool.kind = PoolKind::ipv4;
  pool.range = {bridge.first().value, bridge.last().value};
  if (bridge.prefix < 31) {  // RFC 3021: a /31 has neither network nor broadcast address
    ++pool.range.low;
    --pool.range.high;
  }
  pool.excluded = {{bridge.address.value, bridge.address.value}};
  pool.source = "network";
  return pool;
}

Pool PoolBook::read(Statement& row) {
  Pool pool;
  pool.id = row.integer(0);
  pool.name = row.text(1);
  auto kind = pool_kind(row.text(2));
  if (!kind) {
    throw Failed("registry " + printable(db_.path()) + ": pool " + printable(pool.name) +
                 " has an unknown kind; run `nutshell recover` to rebuild it");
  }
  pool.kind = *kind;
  pool.range = {row.integer(3), row.integer(4)};
  pool.prefix = static_cast<unsigned>(std::clamp<std::int64_t>(row.integer(5), 0, 32));
  pool.excluded = normal(intervals_from_text(row.text(6)));
  pool.source = row.text(7);
  if (pool.kind == PoolKind::tap) pool.tag = tag();
  return pool;
}

std::optional<Pool> PoolBook::find(const std::string& name) {
  Statement row = db_.use(sql::pool_named, name);
  if (!row.step()) return std::nullopt;
  return read(row);
}

std::vector<Pool> PoolBook::all() {
  std::vector<Pool> pools;
  Statement row = db_.use(pool_list);
  while (row.step()) pools.push_back(read(row));
  return pools;
}

std::vector<Pool> PoolBook::of_addresses() {
  std::vector<Pool> pools;
  Statement row = db_.use(pool_of_addresses);
  while (row.step()) pools.push_back(read(row));
  return pools;
}

std::vector<Pool> PoolBook::of_networks(const Interval& around) {
  std::vector<Pool> pools;
  Statement row = db_.use(pool_of_networks, around.low, around.high);
  while (row.step()) pools.push_back(read(row));
  return pools;
}

Pool PoolBook::named(const std::string& name) {
  if (auto pool = find(name)) return *std::move(pool);
  std::string known;
  for (const Pool& pool : all()) known += (known.empty() ? "" : ", ") + pool.name;
  throw NotFound("there is no pool " + printable(name) + "; there are " + known);
}

Pool PoolBook::numbered(std::int64_t id) {
  Statement row = db_.use(sql::pool_numbered, id);
  if (row.step()) return read(row);
  throw Failed("registry " + printable(db_.path()) +
               " has a lease of no pool; run `nutshell recover`");
}

void PoolBook::make(Pool pool, std::optional<std::int64_t> start) {
  db_.run(pool_add, pool.name, to_word(pool.kind), pool.range.low, pool.range.high, pool.prefix,
          to_text(pool.excluded), pool.source);
  pool.id = db_.last_insert_id();
  FreeSpace space(db_, pool);
  if (!start) return space.give(pool.range);
  space.give({*start, pool.range.high});
  if (*start > pool.range.low) space.give({pool.range.low, *start - 1});
}

void PoolBook::redefine(const Pool& old, const Pool& changed) {
  Pool now = changed;
  now.id = old.id;
  db_.run(pool_change, now.id, now.range.low, now.range.high, now.prefix, to_text(now.excluded),
          now.source);
  FreeSpace space(db_, now);
  for (const Interval& gone : subtract(old.allowed(), now.allowed())) space.cut_all(gone);
  for (const Interval& added : subtract(now.allowed(), old.allowed())) {
    Intervals leased;
    {
      Statement below = db_.use(sql::lease_at, now.id, added.low);
      if (below.step()) leased.push_back({below.integer(0), below.integer(1)});
    }
    Statement row = db_.use(sql::leases_between, now.id, added.low, added.high);
    while (row.step()) leased.push_back({row.integer(0), row.integer(1)});
    for (const Interval& piece : subtract({added}, normal(leased))) space.give(piece);
  }
}

std::optional<std::string> PoolBook::held(const Pool& pool) {
  Statement row = db_.use(lease_held, pool.id);
  if (!row.step()) return std::nullopt;
  return row.is_null(2) ? pool.render({row.integer(0), row.integer(1)}) : row.text(2);
}

void PoolBook::drop(const Pool& pool, const std::string& what_next) {
  if (auto value = held(pool)) {
    throw Conflict("pool " + pool.name + " still has leases (" + *value + " is one); " + what_next);
  }
  db_.run(foreign_drop, pool.id);
  db_.run(pool_drop, pool.id);
}

namespace {
/// Values that other registries on this host or wire may hand out, too: each registry begins at a
/// place of its own, so that they seldom meet.
bool starts_anywhere(PoolKind kind) { return kind == PoolKind::mac || kind == PoolKind::uid; }
}  // namespace

void PoolBook::follow(const std::vector<PoolRange>& config, std::uint64_t random) {
  std::vector<Pool> wanted = fixed_pools();
  for (const PoolRange& range : config) wanted.push_back(pool_from(range));
  std::string print = fingerprint(wanted);
  if (setting("pools") == print) return;
  for (Pool& pool : wanted) {
    pool.tag = tag();
    if (auto old = find(pool.name)) {
      if (old->kind != pool.kind) {
        drop(*old, "give them back before nutshell.toml makes another kind of pool of it");
        make(pool);
      } else if (definition(*old) != definition(pool)) {
        redefine(*old, pool);
      }
    } else if (starts_anywhere(pool.kind)) {
      auto offset = mixed(random, 1) % pool.range.size();
      make(pool, pool.range.low + static_cast<std::int64_t>(offset));
    } else {
      make(pool);
    }
  }
  for (const Pool& old : all()) {
    bool stays = old.source != "config" ||
                 std::any_of(wanted.begin(), wanted.end(),
                             [&](const Pool& pool) { return pool.name == old.name; });
    if (stays || config.empty()) continue;
    if (held(old)) {  // shrunk to nothing: its leases live on, and nothing more is given
      Pool empty = old;
      empty.excluded = {old.range};
      redefine(old, empty);
    } else {
      drop(old, "");
    }
  }
  db_.run(setting_write, "pools", print);
}

std::optional<std::string> PoolBook::setting(const char* name) {
  Statement row = db_.use(setting_read, name);
  if (!row.step()) return std::nullopt;
  return row.text(0);
}

std::string PoolBook::tag() {
  if (tag_.empty()) tag_ = setting("tag").value_or("0000");
  return tag_;
}

std::string PoolBook::born() { return setting("born").value_or(""); }

std::int64_t PoolBook::kept() {
  const auto text = setting("kept");
  return text ? std::strtoll(text->c_str(), nullptr, 10) : 0;
}
void PoolBook::count_kept() { db_.run(setting_write, "kept", std::to_string(kept() + 1)); }

}  // namespace nutshell::store
