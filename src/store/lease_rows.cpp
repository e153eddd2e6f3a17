// Lease rows between the table and the values that callers see: reading, rendering, and the plain
// bookkeeping (reservations, marks, giving back). Who gets what is decided in allocator.cpp.
#include <ctime>
#include <limits>

#include "nutshell/error.hpp"
#include "store/lease_book.hpp"
#include "store/statements.hpp"

namespace nutshell::store {

namespace {
LeaseRow read(Statement& row) {
  LeaseRow made;
  made.values = {row.integer(0), row.integer(1)};
  made.named = !row.is_null(2);
  if (made.named) made.lease.value = row.text(2);
  made.lease.holder.text = row.text(3);
  made.lease.index = static_cast<int>(row.integer(4));
  made.lease.lifetime = static_cast<Lifetime>(row.integer(5));
  made.reserved = row.integer(6) != 0;
  made.lease.foreign = row.text(7);
  made.tried = row.integer(8) != 0;
  made.lease.since = row.text(9);
  made.lease.note = row.text(10);
  made.lease.cloud = row.text(11);
  made.lease.machine = row.text(12);
  made.pool = row.integer(13);
  // What a cloud has as a whole (a public address) is no machine's.
  constexpr std::string_view of_cloud = "cloud:";
  if (made.lease.holder.text.starts_with(of_cloud))
    made.lease.cloud = made.lease.holder.text.substr(of_cloud.size());
  return made;
}

std::optional<LeaseRow> read_one(Statement row) {
  if (!row.step()) return std::nullopt;
  return read(row);
}
}  // namespace

std::string utc_now() {
  std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::vector<LeaseRow> LeaseBook::rows(Statement statement) {
  std::vector<LeaseRow> all;
  while (statement.step()) all.push_back(read(statement));
  return all;
}

std::vector<Lease> LeaseBook::rendered(std::vector<LeaseRow> rows) {
  std::map<std::int64_t, Pool> pools;
  std::vector<Lease> leases;
  leases.reserve(rows.size());
  for (LeaseRow& row : rows) {
    auto pool = pools.find(row.pool);
    if (pool == pools.end()) pool = pools.emplace(row.pool, pools_.numbered(row.pool)).first;
    row.lease.pool = pool->second.name;
    if (!row.named) row.lease.value = pool->second.render(row.values);
    leases.push_back(std::move(row.lease));
  }
  return leases;
}

/// The row that overlaps `values`: rows of a pool never overlap one another, so the nearest one at
/// or below the upper end is the only one that can.
std::optional<LeaseRow> LeaseBook::row_at(const Pool& pool, const Interval& values) {
  auto row = read_one(db_.use(sql::lease_at, pool.id, values.high));
  if (row && row->values.overlaps(values)) return row;
  return std::nullopt;
}
std::optional<LeaseRow> LeaseBook::row_named(const Pool& pool, const std::string& name) {
  return read_one(db_.use(sql::lease_text, pool.id, name));
}
std::optional<LeaseRow> LeaseBook::row_of(const Pool& pool, const std::string& value) {
  if (pool.kind == PoolKind::names) return row_named(pool, value);
  // What was given stays given when nutshell.toml makes the pool smaller, and goes back all the
  // same.
  Pool wide = pool;
  wide.range = {0, std::numeric_limits<std::int64_t>::max()};
  const Interval values = wide.parse(value);
  auto row = row_at(pool, values);
  return row && row->values.contains(values) ? row : std::nullopt;
}

void LeaseBook::add(const Pool& pool, const Interval& values, const Lease& lease, bool reserved,
                    bool tried) {
  Interval at = values;
  std::optional<std::string> text;
  if (pool.kind == PoolKind::names) {
    text = lease.value;
    Statement last = db_.use(sql::lease_last, pool.id);
    at.low = at.high = last.step() ? last.integer(0) + 1 : 1;
  }
  db_.run(sql::lease_add, pool.id, at.low, at.high, text, lease.holder.text, lease.index,
          static_cast<int>(lease.lifetime), reserved ? 1 : 0, lease.foreign, tried ? 1 : 0,
          lease.since, lease.note);
}

void LeaseBook::give_back(const LeaseRow& row) {
  db_.run(sql::lease_drop, row.pool, row.values.low);
  if (row.named) return;
  Pool pool = pools_.numbered(row.pool);
  FreeSpace(db_, pool).give(row.values);
}

void LeaseBook::release(const Uuid& holder, Lifetime lifetime) {
  for (const LeaseRow& row : rows(db_.use(sql::leases_of, holder.text))) {
    if (row.lease.lifetime == lifetime) give_back(row);
  }
}
void LeaseBook::release_all(const Uuid& holder) {
  for (const LeaseRow& row : rows(db_.use(sql::leases_of, holder.text))) give_back(row);
}

void LeaseBook::drop_marks(const std::string& holder) {
  for (const Pool& pool : pools_.all())
    for (const LeaseRow& row : rows(db_.use(sql::leases_foreign, pool.id)))
      if (row.lease.foreign == holder) give_back(row);
}

void LeaseBook::release_value(const std::string& pool_name, const std::string& value) {
  Pool pool = known(pool_name).pool;
  auto row = row_of(pool, value);
  if (!row) return;
  if (pool.kind != PoolKind::ipv4) return give_back(*row);
  pool.range = {0, 0xffffffff};
  const Interval gone = pool.parse(value);
  db_.run(sql::lease_drop, row->pool, row->values.low);
  for (const Interval& rest : subtract({row->values}, {gone}))
    add(pool, rest, row->lease, row->reserved, row->tried);
  FreeSpace(db_, known(pool_name).pool).give(gone);
}

void LeaseBook::reserve(const std::string& pool_name, const std::string& value,
                        const std::string& note) {
  const Pool& pool = known(pool_name).pool;
  Lease lease;
  lease.value = value;
  lease.note = note;
  lease.since = now_;
  Interval values;
  if (pool.kind == PoolKind::names) {
    if (auto row = row_named(pool, value)) refuse(pool, value, *row);
  } else {
    values = pool.parse(value);
    // A mark gives way: what the owner of the host says outlives what was seen.
    for (auto row = row_at(pool, values); row; row = row_at(pool, values)) {
      if (row->lease.foreign.empty()) refuse(pool, value, *row);
      give_back(*row);
    }
    FreeSpace(db_, pool).cut_all(values);
  }
  add(pool, values, lease, true, false);
}

void LeaseBook::mark_foreign(const std::string& pool_name, const std::string& value,
                             const std::string& holder) {
  const Pool& pool = known(pool_name).pool;
  Interval values;
  if (pool.kind != PoolKind::names) values = pool.parse(value);
  auto row = pool.kind == PoolKind::names ? row_named(pool, value) : row_at(pool, values);
  if (row) {  // ours stays ours; a mark is brought up to date
    if (row->lease.foreign.empty()) return;
    db_.run(sql::lease_set_foreign, pool.id, row->values.low, holder, 1, now_);
    return;
  }
  Lease lease;
  lease.value = value;
  lease.foreign = holder;
  lease.since = now_;
  if (pool.kind != PoolKind::names) FreeSpace(db_, pool).cut_all(values);
  add(pool, values, lease, false, true);
}

std::vector<Lease> LeaseBook::leases_of(const Uuid& holder) {
  return rendered(rows(db_.use(sql::leases_of, holder.text)));
}

std::vector<Lease> LeaseBook::leases() {
  std::vector<Lease> all;
  for (const Pool& pool : pools_.all()) {
    for (Lease& lease : rendered(rows(db_.use(sql::leases_in, pool.id)))) {
      all.push_back(std::move(lease));
    }
  }
  return all;
}

std::vector<Lease> LeaseBook::leases_in(const std::string& pool_name) {
  const auto pool = pools_.find(pool_name);
  if (!pool) return {};
  return rendered(rows(db_.use(sql::leases_in, pool->id)));
}

std::optional<Lease> LeaseBook::who(const std::string& pool_name, const std::string& value) {
  auto row = row_of(known(pool_name).pool, value);
  if (!row) return std::nullopt;
  return rendered({*row}).front();
}

}  // namespace nutshell::store
