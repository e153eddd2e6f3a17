// VLANs as a user writes them, "100-110+200", and as one way to write them: in order, joined where
// they touch, so that two specs that mean the same are the same. A comma would end the option.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nutshell/spec.hpp"

namespace nutshell {
namespace {

constexpr unsigned highest_vlan = 4094;  // IEEE 802.1Q; 0 and 4095 are reserved

std::optional<unsigned> vlan_number(std::string_view text) {
  if (text.empty() || text.size() > 4 || text.find_first_not_of("0123456789") != text.npos)
    return std::nullopt;
  unsigned value = 0;
  for (const char c : text) value = value * 10 + static_cast<unsigned>(c - '0');
  if (value < 1 || value > highest_vlan) return std::nullopt;
  return value;
}

std::optional<VlanRange> range_of(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = vlan_number(text.substr(0, dash));
  const auto last = dash == text.npos ? first : vlan_number(text.substr(dash + 1));
  if (!first || !last || *first > *last) return std::nullopt;
  return VlanRange{*first, *last};
}

}  // namespace

std::optional<std::vector<VlanRange>> parse_vlans(std::string_view text) {
  std::vector<VlanRange> ranges;
  for (bool more = true; more;) {
    const auto plus = text.find('+');
    const auto range = range_of(text.substr(0, plus));
    if (!range) return std::nullopt;
    ranges.push_back(*range);
    more = plus != text.npos;
    if (more) text.remove_prefix(plus + 1);
  }
  std::sort(ranges.begin(), ranges.end());
  std::vector<VlanRange> joined;
  for (const VlanRange& range : ranges) {
    if (!joined.empty() && range.first <= joined.back().last + 1)
      joined.back().last = std::max(joined.back().last, range.last);
    else
      joined.push_back(range);
  }
  return joined;
}

std::string to_string(const std::vector<VlanRange>& vlans) {
  std::string text;
  for (const VlanRange& range : vlans) {
    text += (text.empty() ? "" : "+") + std::to_string(range.first);
    if (range.last != range.first) text += "-" + std::to_string(range.last);
  }
  return text;
}

}  // namespace nutshell
