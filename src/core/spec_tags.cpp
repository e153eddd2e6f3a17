// Tags: words that mean something to the user alone. They go into lists, JSON and filters, so a key
// is short and plain, and a value is a line of text.
#include <fmt/format.h>

#include <algorithm>

#include "core/spec_options.hpp"
#include "nutshell/spec.hpp"

namespace nutshell {
namespace {

constexpr std::size_t longest_key = 63, longest_value = 255;

bool is_key_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-' || c == '/';
}

}  // namespace

void parse_tag(std::string_view text, const std::string& where,
               std::map<std::string, std::string>& tags, Problems& problems) {
  const auto complain = [&](const std::string& what) { problems.push_back({where, what}); };
  const std::size_t equals = text.find('=');
  const std::string key(text.substr(0, equals));
  if (equals == text.npos || key.empty())
    return complain("the tag " + quoted(text) + " is not KEY=VALUE; write one like role=node");
  const std::string value(text.substr(equals + 1));
  if (!std::all_of(key.begin(), key.end(), is_key_byte) || key.size() > longest_key)
    return complain(
        fmt::format("the tag's key {} is not possible; use at most {} letters, digits, '.', '_', "
                    "'-' and '/'",
                    quoted(key), longest_key));
  if (value.size() > longest_value)
    return complain(fmt::format("the tag {} has a value of {} bytes; at most {} are possible", key,
                                value.size(), longest_value));
  if (const std::string fault = text_fault(value); !fault.empty())
    return complain(fmt::format("the tag {} = {} cannot be used: {}", key, quoted(value), fault));
  tags[key] = value;
}

}  // namespace nutshell
