// Intervals of integers, both ends included, and the little set arithmetic that pools need.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nutshell::store {

struct Interval {
  std::int64_t low = 0, high = 0;
  bool operator==(const Interval&) const = default;
  [[nodiscard]] bool overlaps(const Interval& other) const {
    return low <= other.high && other.low <= high;
  }
  [[nodiscard]] bool contains(const Interval& other) const {
    return low <= other.low && other.high <= high;
  }
  [[nodiscard]] std::uint64_t size() const { return static_cast<std::uint64_t>(high - low) + 1; }
};
/// Sorted and disjoint, where a function says so.
using Intervals = std::vector<Interval>;

/// Sorted, disjoint, neighbours joined; empty ones (high < low) dropped.
Intervals normal(Intervals intervals);
/// What is in `all` and not in `without`; both normal.
Intervals subtract(const Intervals& all, const Intervals& without);
/// What is in both; both normal.
Intervals intersect(const Intervals& one, const Intervals& other);
/// The exponent of the largest block of two's power in it that begins at a multiple of its size;
/// only of an interval from 0 upwards.
int largest_block(const Interval& values);
/// The block of two to the `exponent` whose loss leaves the largest blocks in `values`; nullopt:
/// none fits.
std::optional<Interval> block_in(const Interval& values, int exponent);
/// How many integers are in them.
std::uint64_t count(const Intervals& intervals);
/// "1-5,9-9", as the registry keeps them, and back (anything else gives what could be read).
std::string to_text(const Intervals& intervals);
Intervals intervals_from_text(std::string_view text);

}  // namespace nutshell::store
