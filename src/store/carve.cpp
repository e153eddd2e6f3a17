// Pieces of several values out of the free space, so that few fragments are left. A subnet comes
// out of the smallest aligned block that has room for it, so that large blocks stay whole for as
// long as there are small ones; addresses come out of the smallest extent that is large enough.
// What was given back in pieces and is not taken for one is only looked at as one when all else
// fails: it stays in the order in which it came.
#include "store/lease_book.hpp"

namespace nutshell::store {

Interval LeaseBook::pass_over(const Pool& pool, const Interval& room, const Foreign::Holding& other,
                              const Interval& values, std::vector<Skipped>& skipped) {
  // All that the holder has here is marked at once, so that it is met once only.
  const Interval held = intersect({room}, {other.values}).front();
  Lease mark;
  mark.foreign = other.holder;
  mark.since = now_;
  FreeSpace(db_, pool).cut_all(held);
  add(pool, held, mark, false, false);
  skipped.push_back({pool.name, pool.render(values), other.holder});
  return held;
}

Interval LeaseBook::find_block(Known& known, const Want& want, std::vector<Skipped>& skipped) {
  const Pool& pool = known.pool;
  const int exponent = 32 - static_cast<int>(want.prefix != 0 ? want.prefix : pool.prefix);
  FreeSpace space(db_, pool);
  while (auto extent = space.with_block(exponent)) {
    const Interval values = block_in(extent->values, exponent).value();
    const auto other = other_in(known, values);
    if (!other) {
      space.cut(*extent, values);
      return values;
    }
    pass_over(pool, extent->values, *other, values, skipped);
  }
  exhausted(pool, want);
}

Interval LeaseBook::find_piece(Known& known, const Want& want, std::vector<Skipped>& skipped) {
  const Pool& pool = known.pool;
  if (want.count > pool.range.size()) exhausted(pool, want);
  const auto more = static_cast<std::int64_t>(want.count - 1);
  FreeSpace space(db_, pool);
  bool marked = false;
  auto place_in = [&](const Interval& room) -> std::optional<Interval> {
    for (Interval values{room.low, room.low + more}; values.high <= room.high;) {
      if (const auto other = other_in(known, values)) {
        pass_over(pool, room, *other, values, skipped);
        marked = true;
        return std::nullopt;
      }
      const auto* net = known.foreign.cutting(values);
      if (!net) {
        space.cut_all(values);
        return values;
      }
      // Not marked, as single addresses of the net may be given: so the piece goes into it or
      // behind it.
      const bool before = values.low < net->values.low;
      values.low = before ? net->values.low : net->values.high + 1;
      values.high = values.low + more;
    }
    return std::nullopt;
  };
  do {  // a mark has changed which extent is the smallest
    marked = false;
    for (auto extent = space.fitting(want.count); extent && !marked;
         extent = space.fitting_after(*extent)) {
      if (auto values = place_in(extent->values)) return *values;
    }
  } while (marked);
  do {
    marked = false;
    for (const Interval& run : space.runs(want.count)) {
      if (auto values = place_in(run)) return *values;
      if (marked) break;
    }
  } while (marked);
  exhausted(pool, want);
}

}  // namespace nutshell::store
