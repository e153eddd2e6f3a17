// Extents instead of a row per value: a pool of sixteen million MACs is one row until it is used,
// and taking or giving back touches one or two rows however many leases there are. A queue is kept
// by turns: what comes back gets the last one. A lowest-first pool uses the value as its own turn,
// so that both orders are one query. Pieces of several values are looked for by size: extents of
// addresses by their own, those of subnets by the largest block that begins where a subnet may.
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
std::optional<Extent> FreeSpace::fitting(std::uint64_t count) {
  return read(db_.use(sql::extent_fits, pool_.id, static_cast<std::int64_t>(count) - 1));
}
std::optional<Extent> FreeSpace::fitting_after(const Extent& extent) {
  return read(db_.use(sql::extent_fits_after, pool_.id, extent.values.high - extent.values.low,
                      extent.values.low));
}
std::optional<Extent> FreeSpace::with_block(int exponent) {
  auto extent = read(db_.use(sql::extent_block_from, pool_.id, exponent));
  if (!extent) return std::nullopt;
  // An extent has less than four times its largest block: one whose largest is twice that may be
  // smaller all the same, and none beyond.
  auto other = read(db_.use(sql::extent_block, pool_.id, largest_block(extent->values) + 1));
  if (!other) return extent;
  const auto size = extent->values.size(), other_size = other->values.size();
  const bool lower = other->values.low < extent->values.low;
  return other_size < size || (other_size == size && lower) ? other : extent;
}

Intervals FreeSpace::runs(std::uint64_t count) {
  Intervals runs;
  Statement row = db_.use(sql::extents_in, pool_.id);
  while (row.step()) {
    if (runs.empty() || runs.back().high + 1 != row.integer(0)) {
      if (!runs.empty() && runs.back().size() < count) runs.pop_back();
      runs.push_back({row.integer(0), row.integer(1)});
    } else {
      runs.back().high = row.integer(1);
    }
  }
  if (!runs.empty() && runs.back().size() < count) runs.pop_back();
  std::stable_sort(runs.begin(), runs.end(),
                   [](const Interval& a, const Interval& b) { return a.size() < b.size(); });
  return runs;
}

std::optional<Extent> FreeSpace::at_or_below(std::int64_t value) {
  return read(db_.use(sql::extent_at, pool_.id, value));
}

/// What an extent is found by when more than one value is wanted.
std::optional<int> FreeSpace::block_of(const Interval& values) const {
  if (pool_.kind == PoolKind::subnet) return largest_block(values);
  return pool_.kind == PoolKind::ipv4 ? std::optional(0) : std::nullopt;
}

void FreeSpace::add(const Interval& values, std::int64_t turn) {
  db_.run(sql::extent_add, pool_.id, values.low, values.high, turn, block_of(values));
}
void FreeSpace::set_low(const Extent& extent, std::int64_t low) {
  db_.run(sql::extent_set_low, pool_.id, extent.values.low, low, extent.turn,
          block_of({low, extent.values.high}));
}
void FreeSpace::set_high(const Interval& values, std::int64_t high) {
  db_.run(sql::extent_set_high, pool_.id, values.low, high, block_of({values.low, high}));
}

void FreeSpace::measure() {
  Intervals extents;
  {
    Statement row = db_.use(sql::extents_in, pool_.id);
    while (row.step()) extents.push_back({row.integer(0), row.integer(1)});
  }
  for (const Interval& extent : extents) set_high(extent, extent.high);
}

void FreeSpace::cut(const Extent& extent, const Interval& values) {
  auto [low, high] = extent.values;
  std::int64_t next = values.high + 1;
  std::int64_t turn = pool_.lowest_first() ? next : extent.turn;
  if (low == values.low) {
    if (high == values.high) {
      db_.run(sql::extent_drop, pool_.id, low);
    } else {
      set_low({extent.values, turn}, next);
    }
    return;
  }
  set_high(extent.values, values.low - 1);
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
    set_high(last->values, values.high);
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
    set_high(left->values, values.high);
  } else {
    add(values, values.low);
  }
}

}  // namespace nutshell::store
