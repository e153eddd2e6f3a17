// What was held before the registry was lost is held again, whatever nutshell.toml says of its pool
// by now: an exclusion, a narrower range, a pool that is not declared any more. So the pool has the
// values among its own for the moment in which they are taken; after that the lease lies outside of
// what the pool gives, as one does whose pool was changed under it.
#include <algorithm>

#include "nutshell/registry.hpp"
#include "store/core.hpp"

namespace nutshell {

using store::Interval;
using store::Pool;
using store::PoolBook;
using store::PoolKind;

namespace {
constexpr const char* reserved_all =
    "SELECT pool, low, high, text, since, note FROM lease WHERE reserved = 1 ORDER BY pool, low";

/// The same kind of pool with room for every value of it.
Pool wide(Pool pool) {
  if (!pool.open_ended()) pool.range = {0, 0xffffffff};
  pool.excluded.clear();
  return pool;
}

/// One that nutshell.toml has no more: it gives nothing.
Pool past_pool(const std::string& name, const std::string& value) {
  Pool pool;
  pool.name = name;
  pool.kind = value.find('/') == value.npos ? PoolKind::ipv4 : PoolKind::subnet;
  pool.range = {0, 0xffffffff};
  pool.range = pool.parse(value);
  pool.excluded = {pool.range};
  pool.source = "config";
  return pool;
}

/// Does `take` while the pool allows the value. What fails is rolled back with the transaction.
template <class Take>
void with_room(store::Connection& db, store::LeaseBook& book, const std::string& name,
               const std::string& value, Take take) {
  PoolBook pools(db);
  if (!pools.find(name) && name.find(':') == name.npos) pools.make(past_pool(name, value));
  const Pool pool = pools.named(name);
  if (pool.source != "config" && pool.source != "cloud") return take();
  const Interval values = wide(pool).parse(value);
  Pool now = pool;
  now.range = {std::min(pool.range.low, values.low), std::max(pool.range.high, values.high)};
  const auto allowed = store::subtract(store::normal({pool.range}), pool.excluded);
  now.excluded = store::subtract(store::subtract({now.range}, allowed), {values});
  if (now.range == pool.range && now.excluded == pool.excluded) return take();
  pools.redefine(pool, now);
  book.forget(name);
  take();
  pools.redefine(now, pool);
  book.forget(name);
}
}  // namespace

void Transaction::take_again(const Uuid& holder, const std::vector<Want>& wants) {
  for (const Want& want : wants)
    // Nothing is foreign here: what the host shows is the holder.
    with_room(state_->db(), *state_->book, want.pool, want.value.value(),
              [&] { state_->book->take(holder, {want}, Facts{}); });
}

void Transaction::reserve_again(const Lease& lease) {
  with_room(state_->db(), *state_->book, lease.pool, lease.value,
            [&] { state_->book->reserve(lease.pool, lease.value, lease.note); });
}

std::vector<Lease> Registry::reservations() {
  auto& db = state_->core->db;
  PoolBook pools(db);
  std::vector<Lease> all;
  store::Statement row = db.use(reserved_all);
  while (row.step()) {
    const Pool pool = pools.numbered(row.integer(0));
    Lease lease;
    lease.pool = pool.name;
    lease.value = row.is_null(3) ? pool.render({row.integer(1), row.integer(2)}) : row.text(3);
    lease.since = row.text(4);
    lease.note = row.text(5);
    all.push_back(std::move(lease));
  }
  return all;
}

}  // namespace nutshell
