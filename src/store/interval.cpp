// Set arithmetic on intervals, pure. A pool is a range without its exclusions, and changing a pool
// is a difference of two such sets; with this, neither needs a case of its own.
#include "store/interval.hpp"

#include <algorithm>
#include <bit>
#include <charconv>

namespace nutshell::store {

namespace {
/// Calls `see` with each of the blocks that an interval falls into, with the block's exponent: the
/// fewest there can be, from the lowest up.
template <class See>
void each_block(const Interval& values, See&& see) {
  for (std::int64_t low = values.low; low <= values.high;) {
    const auto rest = static_cast<std::uint64_t>(values.high - low) + 1;
    int exponent = std::bit_width(rest) - 1;
    if (low != 0) exponent = std::min(exponent, std::countr_zero(static_cast<std::uint64_t>(low)));
    see(low, exponent);
    low += std::int64_t{1} << exponent;
  }
}
}  // namespace

int largest_block(const Interval& values) {
  int largest = 0;
  each_block(values, [&](std::int64_t, int exponent) { largest = std::max(largest, exponent); });
  return largest;
}

std::optional<Interval> block_in(const Interval& values, int exponent) {
  std::optional<std::int64_t> best;
  int smallest = 64;
  each_block(values, [&](std::int64_t low, int block) {
    if (block < exponent || block >= smallest) return;
    smallest = block;
    best = low;
  });
  if (!best) return std::nullopt;
  return Interval{*best, *best + (std::int64_t{1} << exponent) - 1};
}

Intervals normal(Intervals intervals) {
  std::erase_if(intervals, [](const Interval& i) { return i.high < i.low; });
  std::sort(intervals.begin(), intervals.end(),
            [](const Interval& a, const Interval& b) { return a.low < b.low; });
  Intervals joined;
  for (const Interval& next : intervals) {
    if (!joined.empty() && next.low <= joined.back().high + 1) {
      joined.back().high = std::max(joined.back().high, next.high);
    } else {
      joined.push_back(next);
    }
  }
  return joined;
}

Intervals subtract(const Intervals& all, const Intervals& without) {
  Intervals rest;
  auto hole = without.begin();
  for (Interval piece : all) {
    while (hole != without.end() && hole->high < piece.low) ++hole;
    for (auto cut = hole; cut != without.end() && cut->low <= piece.high; ++cut) {
      if (piece.low < cut->low) rest.push_back({piece.low, cut->low - 1});
      piece.low = cut->high + 1;
    }
    if (piece.low <= piece.high) rest.push_back(piece);
  }
  return rest;
}

Intervals intersect(const Intervals& one, const Intervals& other) {
  Intervals both;
  auto a = one.begin();
  auto b = other.begin();
  while (a != one.end() && b != other.end()) {
    Interval common{std::max(a->low, b->low), std::min(a->high, b->high)};
    if (common.low <= common.high) both.push_back(common);
    if (a->high < b->high) {
      ++a;
    } else {
      ++b;
    }
  }
  return both;
}

std::uint64_t count(const Intervals& intervals) {
  std::uint64_t sum = 0;
  for (const Interval& i : intervals) sum += i.size();
  return sum;
}

std::string to_text(const Intervals& intervals) {
  std::string text;
  for (const Interval& i : intervals) {
    if (!text.empty()) text += ',';
    text += std::to_string(i.low) + "-" + std::to_string(i.high);
  }
  return text;
}

Intervals intervals_from_text(std::string_view text) {
  Intervals read;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end) {
    Interval next;
    auto low = std::from_chars(at, end, next.low);
    if (low.ec != std::errc() || low.ptr == end || *low.ptr != '-') break;
    auto high = std::from_chars(low.ptr + 1, end, next.high);
    if (high.ec != std::errc()) break;
    read.push_back(next);
    at = high.ptr + 1;
  }
  return read;
}

}  // namespace nutshell::store
