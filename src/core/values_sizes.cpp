// Sizes in and out. A size is a whole number with at most one binary suffix; every other way to
// write one (1.5G, 2GB, -1) is refused with the way that works, because a disk of the wrong size is
// found out late.
#include <fmt/format.h>

#include <array>
#include <limits>

#include "nutshell/error.hpp"
#include "nutshell/values.hpp"

namespace nutshell {
namespace {

constexpr std::string_view suffixes = "KMGT";
constexpr std::array<Bytes, 4> units{kibi, mebi, gibi, tebi};
constexpr Bytes largest = std::numeric_limits<std::int64_t>::max();

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::string quoted(std::string_view text) {
  return fmt::format("\"{}{}\"", printable(text.substr(0, 40)), text.size() > 40 ? "..." : "");
}

/// What "1.5G" is in whole numbers of the next smaller unit ("1536M"), when that is exact.
std::string whole_form(std::string_view text) {
  const std::size_t dot = text.find('.');
  const std::size_t index =
      text.empty() ? std::string_view::npos : suffixes.find(upper(text.back()));
  if (dot == std::string_view::npos || index == std::string_view::npos || dot > 6) return "";
  const std::string_view after = text.substr(dot + 1, text.size() - dot - 2);
  if (after.empty() || after.size() > 3) return "";
  Bytes tenths = 0, scale = 1;
  for (const char c : text.substr(0, dot)) {
    if (!is_digit(c)) return "";
    tenths = tenths * 10 + static_cast<Bytes>(c - '0');
  }
  for (const char c : after) {
    if (!is_digit(c)) return "";
    tenths = tenths * 10 + static_cast<Bytes>(c - '0');
    scale *= 10;
  }
  if (tenths == 0 || tenths * 1024 % scale != 0) return "";
  const std::string number = std::to_string(tenths * 1024 / scale);
  return index == 0 ? number : number + suffixes[index - 1];
}

[[noreturn]] void no_size(std::string_view text, const std::string& where) {
  const std::string shown = quoted(text);
  if (text.empty())
    throw ConfigError(where, "the size is missing; write a whole number with K, M, G or T: 100G");
  if (text.front() == '-')
    throw ConfigError(where, shown + " is negative; a size is at least 1 byte: 100G");
  if (text.find('.') != std::string_view::npos) {
    const std::string whole = whole_form(text);
    throw ConfigError(where, shown + " is not a whole number; write " +
                                 (whole.empty() ? "one in a smaller unit: 1536M" : whole));
  }
  std::size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  const std::string_view tail = text.substr(digits);
  if (digits > 0 && suffixes.find(upper(tail.front())) != std::string_view::npos &&
      (upper(tail.back()) == 'B'))
    throw ConfigError(where,
                      fmt::format("{} has the suffix {}; sizes are binary and take K, M, G "
                                  "or T alone: {}{}",
                                  shown, printable(tail), text.substr(0, digits).substr(0, 20),
                                  upper(tail.front())));
  throw ConfigError(where, shown + " is no size; write a whole number with K, M, G or T: 100G");
}

}  // namespace

Bytes parse_size(std::string_view text, const std::string& where) {
  std::string_view number = text;
  Bytes unit = 1;
  if (!number.empty()) {
    if (const auto index = suffixes.find(upper(number.back())); index != std::string_view::npos) {
      unit = units[index];
      number.remove_suffix(1);
    }
  }
  if (number.empty()) no_size(text, where);
  for (const char c : number)
    if (!is_digit(c)) no_size(text, where);
  Bytes value = 0;
  for (const char c : number) {
    const auto digit = static_cast<Bytes>(c - '0');
    if (value > (largest / unit - digit) / 10)
      throw ConfigError(where, quoted(text) + " is too large; a size is below 8388608T");
    value = value * 10 + digit;
  }
  if (value == 0) throw ConfigError(where, "a size of 0 is no size; write at least 1 byte: 100G");
  return value * unit;
}

std::string format_size(Bytes size) {
  for (std::size_t i = units.size(); i-- > 0;)
    if (size != 0 && size % units[i] == 0) return fmt::format("{}{}", size / units[i], suffixes[i]);
  return std::to_string(size);
}

std::string format_size_roughly(Bytes size) {
  if (size < kibi) return std::to_string(size);
  for (std::size_t i = 0; i < units.size(); ++i) {
    // Tenths of the unit, rounded; the remainder is scaled alone so that nothing overflows.
    const Bytes unit = units[i];
    const Bytes tenths = size / unit * 10 + (size % unit * 10 + unit / 2) / unit;
    if (tenths >= 10240 && i + 1 < units.size()) continue;
    return tenths % 10 == 0 ? fmt::format("{}{}", tenths / 10, suffixes[i])
                            : fmt::format("{}.{}{}", tenths / 10, tenths % 10, suffixes[i]);
  }
  return std::to_string(size);
}

}  // namespace nutshell
