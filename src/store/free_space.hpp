// The free values of one pool, as extents in the registry. Everything here costs O(log n) in the
// number of extents and leases.
#pragma once
#include <optional>
#include <vector>

#include "store/pool.hpp"
#include "store/sqlite.hpp"

namespace nutshell::store {

struct Extent {
  Interval values;
  std::int64_t turn = 0;  ///< order of handing out; of a lowest-first pool, the lowest value
};

class FreeSpace {
 public:
  FreeSpace(Connection& db, const Pool& pool) : db_(db), pool_(pool) {}

  /// The extent whose turn it is, and the one whose turn comes after `extent`.
  [[nodiscard]] std::optional<Extent> first();
  [[nodiscard]] std::optional<Extent> after(const Extent& extent);
  /// Of a pool of addresses: the smallest extent of so many values or more, the lowest of equals,
  /// and the next larger one.
  [[nodiscard]] std::optional<Extent> fitting(std::uint64_t count);
  [[nodiscard]] std::optional<Extent> fitting_after(const Extent& extent);
  /// Of a pool of addresses: extents that lie next to one another as one, those of so many values
  /// or more, the smallest first. Reads all of the pool.
  [[nodiscard]] Intervals runs(std::uint64_t count);
  /// Of a pool of subnets: the smallest extent that holds a whole block of two to the `exponent`.
  [[nodiscard]] std::optional<Extent> with_block(int exponent);
  /// The extent with the greatest low end that is not above `value`.
  [[nodiscard]] std::optional<Extent> at_or_below(std::int64_t value);
  /// Takes `values` out of an extent that contains them.
  void cut(const Extent& extent, const Interval& values);
  /// Takes whatever is free of `values`.
  void cut_all(const Interval& values);
  /// Adds values that are in no extent, as far as the pool allows them: to the end of the queue,
  /// or joined to their neighbours where the lowest goes first.
  void give(const Interval& values);
  /// Sorts extents of an older registry by what fits into them.
  void measure();

 private:
  void append(const Interval& values);
  void join(Interval values);
  void add(const Interval& values, std::int64_t turn);
  void set_low(const Extent& extent, std::int64_t low);
  void set_high(const Interval& values, std::int64_t high);
  [[nodiscard]] std::optional<int> block_of(const Interval& values) const;

  Connection& db_;
  const Pool& pool_;
};

}  // namespace nutshell::store
