// The only file that knows the TOML library: a text becomes a tree of our own, with lines. Reading
// the tree, and judging it, is config_host.cpp's and config_machine.cpp's.
#include "nutshell/config.hpp"

#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include "core/config_tree.hpp"

namespace nutshell {
namespace {

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

}  // namespace

ConfigNode parse_toml(std::string_view text, const std::string& file) {
  try {
    return copy_of(toml::parse(text));
  } catch (const toml::parse_error& error) {
    throw ConfigError(file + ":" + std::to_string(error.source().begin.line),
                      "this is not TOML: " + std::string(error.description()));
  }
}

}  // namespace nutshell
