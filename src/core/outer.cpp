// The line is made for the smallest of machines: whoever reads it may be anything, and what it
// reads may be anybody's, so nothing in it is trusted further than that fewer addresses are chosen.
#include "nutshell/outer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>

namespace nutshell {
namespace {

constexpr std::string_view stem = "nutshell.outer:";
constexpr unsigned deepest = 99;
constexpr std::uint64_t widest = std::uint64_t{1} << 24;  // addresses of a /8

std::uint64_t size_of(const AddressRange& range) {
  return std::uint64_t{range.last.value} - range.first.value + 1;
}

std::vector<AddressRange> joined(std::vector<AddressRange> ranges) {
  std::sort(ranges.begin(), ranges.end());
  std::vector<AddressRange> all;
  for (const AddressRange& range : ranges) {
    if (!all.empty() && range.first.value <= std::uint64_t{all.back().last.value} + 1)
      all.back().last = std::max(all.back().last, range.last);
    else
      all.push_back(range);
  }
  return all;
}

std::string words_of(const AddressRange& range) {
  const std::uint64_t size = size_of(range);
  if (size == 1) return to_string(range.first);
  if (std::has_single_bit(size) && range.first.value % size == 0)
    return fmt::format("{}/{}", to_string(range.first), 32 - std::countr_zero(size));
  return fmt::format("{}-{}", to_string(range.first), to_string(range.last));
}

std::string words_of(const Outer& outer) {
  std::string text = fmt::format("{}{}:", stem, outer.depth);
  for (const AddressRange& range : outer.ranges)
    text += (text.back() == ':' ? "" : "+") + words_of(range);
  return text;
}

/// One range less: two neighbours become one, or the smallest is given up.
void coarsen(std::vector<AddressRange>& ranges) {
  std::size_t best = ranges.size();
  std::uint64_t gap = widest;
  for (std::size_t i = 0; i + 1 < ranges.size(); ++i) {
    const std::uint64_t between = ranges[i + 1].first.value - ranges[i].last.value;
    if (size_of({ranges[i].first, ranges[i + 1].last}) > widest || between >= gap) continue;
    best = i;
    gap = between;
  }
  if (best == ranges.size()) {
    ranges.erase(std::min_element(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) {
      return size_of(a) < size_of(b);
    }));
    return;
  }
  ranges[best].last = ranges[best + 1].last;
  ranges.erase(ranges.begin() + static_cast<std::ptrdiff_t>(best) + 1);
}

std::optional<Outer> outer_in_strings(std::string_view strings) {
  while (!strings.empty() && strings.front() != '\0') {
    const std::string_view text = strings.substr(0, strings.find('\0'));
    if (auto outer = decode_outer(text)) return outer;
    strings.remove_prefix(std::min(strings.size(), text.size() + 1));
  }
  return std::nullopt;
}

}  // namespace

std::string encode_outer(const Outer& outer, std::size_t limit) {
  Outer told{std::min(outer.depth, deepest), joined(outer.ranges)};
  std::erase_if(told.ranges, [](const AddressRange& range) { return size_of(range) > widest; });
  std::string text = words_of(told);
  while (text.size() > limit && !told.ranges.empty()) {
    coarsen(told.ranges);
    text = words_of(told);
  }
  return text;
}

std::optional<Outer> decode_outer(std::string_view text) {
  if (!text.starts_with(stem) || text.size() > 4 * longest_outer) return std::nullopt;
  text.remove_prefix(stem.size());
  Outer outer;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), outer.depth);
  if (error != std::errc() || outer.depth == 0 || outer.depth > deepest) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.empty() && text.front() != ':') return std::nullopt;
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::string_view word = text.substr(0, text.find('+'));
    if (const auto ranges = parse_ranges(word))
      for (const AddressRange& range : *ranges)
        if (size_of(range) <= widest) outer.ranges.push_back(range);
    text.remove_prefix(word.size());
  }
  return outer;
}

std::optional<Outer> outer_in_dmi(std::string_view table) {
  // A structure: type, length of its formatted part (at least these four bytes), handle, and after
  // that part its strings, each ended by a zero byte, all of them by one more (SMBIOS 3.6, 6.1).
  constexpr std::size_t header = 4;
  constexpr char oem_strings = 11, end_of_table = 127;
  constexpr std::string_view over("\0\0", 2);
  while (table.size() >= header && table[0] != end_of_table) {
    const std::size_t length = static_cast<unsigned char>(table[1]);
    if (length < header || length > table.size()) break;
    const std::string_view strings = table.substr(length);
    if (table[0] == oem_strings)
      if (auto outer = outer_in_strings(strings)) return outer;
    const std::size_t end = strings.find(over);
    if (end == std::string_view::npos) break;
    table = strings.substr(end + over.size());
  }
  return std::nullopt;
}

}  // namespace nutshell
