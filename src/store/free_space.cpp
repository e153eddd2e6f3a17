// Extents instead of a row per value: a pool of sixteen million MACs is one row until it is used,
// and taking or giving back touches one or two rows however many leases there are. A queue is kept
// by turns: what comes back gets the last one. A lowest-first pool uses the value as its own turn,
// so that both orders are one query.
#include "store/free_space.hpp"

#include <algorithm>

#include "store/statements.hpp"

namespace nutshell::store {

namespace {
std::optional<Extent> read(Statement row) {
  if (!row.step()) return std::nullopt;
  return Extent{{row.integer(0), row.integer(1)}, row.integer(2)};
}
}  // namespace

std::optional<Extent> FreeSpace::first() { return read(db_.use(sql::extent_first, pool_.id)); }
std::optional<Extent> FreeSpace::after(const Extent& extent) {
  return read(db_.use(sql::extent_after, pool_.id, extent.turn, extent.values.low));
}
std::optional<Extent> FreeSpace::at_or_below(std::int64_t value) {
  return read(db_.use(sql::extent_at, pool_.id, value));
}

void FreeSpace::add(const Interval& values, std::int64_t turn) {
  db_.run(sql::extent_add, pool_.id, values.low, values.high, turn);
}

void FreeSpace::cut(const Extent& extent, const Interval& values) {
  auto [low, high] = extent.values;
  std::int64_t next = values.high + 1;
  std::int64_t turn = pool_.lowest_first() ? next : extent.turn;
  if (low == values.low) {
    if (high == values.high) {
      db_.run(sql::extent_drop, pool_.id, low);
    } else {
      db_.run(sql::extent_set_low, pool_.id, low, next, turn);
    }
    return;
  }
  db_.run(sql::extent_set_high, pool_.id, low, values.low - 1);
  if (high != values.high) add({next, high}, turn);
}

void FreeSpace::cut_all(const Interval& values) {
  // From the top down: each round removes all that is free at or below `high` in one extent.
  for (std::int64_t high = values.high; high >= values.low;) {
    auto extent = at_or_below(high);
    if (!extent || extent->values.high < values.low) return;
    cut(*extent, {std::max(extent->values.low, values.low), std::min(extent->values.high, high)});
    high = extent->values.low - 1;
  }
}

void FreeSpace::give(const Interval& values) {
  for (const Interval& piece : intersect({values}, pool_.allowed())) {
    if (pool_.lowest_first()) {
      join(piece);
    } else {
      append(piece);
    }
  }
}

void FreeSpace::append(const Interval& values) {
  auto last = read(db_.use(sql::extent_last, pool_.id));
  if (last && last->values.high + 1 == values.low) {  // the same order in one row
    db_.run(sql::extent_set_high, pool_.id, last->values.low, values.high);
  } else {
    add(values, last ? last->turn + 1 : 1);
  }
}

void FreeSpace::join(Interval values) {
  auto right = at_or_below(values.high + 1);
  if (right && right->values.low == values.high + 1) {
    db_.run(sql::extent_drop, pool_.id, right->values.low);
    values.high = right->values.high;
  }
  auto left = at_or_below(values.low);
  if (left && left->values.high + 1 == values.low) {
    db_.run(sql::extent_set_high, pool_.id, left->values.low, values.high);
  } else {
    add(values, values.low);
  }
}

}  // namespace nutshell::store
