// The only file that knows the TOML library: a text becomes a tree of our own, with lines. Reading
// the tree, and judging it, is config_host.cpp's and config_machine.cpp's.
#include "nutshell/config.hpp"

#include <algorithm>

#include "core/config_tree.hpp"

namespace {
/// toml++ 3.3 asserts what a hostile text can break ("[=]"), and with NDEBUG it tells the compiler
/// that this cannot be. Here such a text is an error like any other.
struct BrokenAssumption {};
[[noreturn]] void assumption_broken() { throw BrokenAssumption{}; }
}  // namespace

#undef NDEBUG
#define TOML_ASSERT(condition) \
  (static_cast<bool>(condition) ? static_cast<void>(0) : assumption_broken())
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace nutshell {
namespace {

constexpr std::size_t largest_file = 1024 * 1024;

ConfigNode copy_of(const toml::node& node) {
  using Kind = ConfigNode::Kind;
  ConfigNode copy;
  copy.line = node.source().begin.line;
  if (const auto* text = node.as_string()) {
    copy.kind = Kind::text;
    copy.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    copy.kind = Kind::integer;
    copy.integer = integer->get();
  } else if (const auto* flag = node.as_boolean()) {
    copy.kind = Kind::flag;
    copy.flag = flag->get();
  } else if (const auto* list = node.as_array()) {
    copy.kind = Kind::list;
    for (const toml::node& item : *list) copy.items.push_back(copy_of(item));
  } else if (const auto* table = node.as_table()) {
    copy.kind = Kind::table;
    for (const auto& [key, value] : *table) {
      ConfigNode member = copy_of(value);
      // The line of the key: a list or a long text may begin further down.
      if (key.source().begin.line > 0) member.line = key.source().begin.line;
      copy.members.emplace_back(std::string(key.str()), std::move(member));
    }
  }
  return copy;
}

bool breaks(std::string_view text) {
  try {
    static_cast<void>(toml::parse(text));
  } catch (const BrokenAssumption&) {
    return true;
  } catch (const toml::parse_error&) {}
  return false;
}

/// The line at which a text breaks toml++: the first that makes its beginning break it.
std::size_t breaking_line(std::string_view text) {
  std::vector<std::size_t> ends;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\n') ends.push_back(i);
  const auto fine = [&](std::size_t end, bool) { return !breaks(text.substr(0, end)); };
  const auto first = std::lower_bound(ends.begin(), ends.end(), true, fine);
  return static_cast<std::size_t>(first - ends.begin()) + 1;
}

}  // namespace

ConfigNode parse_toml(std::string_view text, const std::string& file) {
  if (text.size() > largest_file)
    throw ConfigError(file, "it is larger than 1M, which no config file is");
  try {
    return copy_of(toml::parse(text));
  } catch (const toml::parse_error& error) {
    throw ConfigError(file + ":" + std::to_string(error.source().begin.line),
                      "this is not TOML: " + std::string(error.description()));
  } catch (const BrokenAssumption&) {
    throw ConfigError(file + ":" + std::to_string(breaking_line(text)),
                      "this is not TOML: a key is missing or begins with a character that no key "
                      "may begin with");
  }
}

}  // namespace nutshell
