// Reading one table of a config file: types are checked and mistakes collected, each with its line,
// so that a file with seven mistakes is corrected in one go.
#include <fmt/format.h>

#include <algorithm>

#include "core/config_tree.hpp"

namespace nutshell {
namespace {

using Kind = ConfigNode::Kind;

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::text: return "a text";
    case Kind::integer: return "a whole number";
    case Kind::flag: return "true or false";
    case Kind::list: return "a list";
    case Kind::table: return "a table";
    case Kind::other: return "a value of another type";
  }
  return "a value of another type";
}

}  // namespace

std::string TableReader::place(const ConfigNode& node) const {
  return file_ + ":" + std::to_string(node.line);
}

void TableReader::complain(const ConfigNode& node, const std::string& what) {
  problems_.push_back({place(node), what});
}

const ConfigNode* TableReader::take(const std::string& key) {
  known_.push_back(key);
  const auto found = std::find_if(table_.members.begin(), table_.members.end(),
                                  [&](const auto& member) { return member.first == key; });
  return found == table_.members.end() ? nullptr : &found->second;
}

const ConfigNode* TableReader::usable_text(const ConfigNode& node, const std::string& key) {
  if (node.kind != Kind::text) {
    complain(node, key + " is " + name_of(node.kind) + " and should be a text in quotes");
  } else if (node.text.empty()) {
    complain(node, key + " is empty; give it a value or leave it out");
  } else if (const std::string fault = text_fault(node.text); !fault.empty()) {
    complain(node, key + " = " + quoted(node.text) + " cannot be used: " + fault);
  } else {
    return &node;
  }
  return nullptr;
}

const ConfigNode* TableReader::take_text(const std::string& key) {
  const ConfigNode* node = take(key);
  return node ? usable_text(*node, key) : nullptr;
}

const ConfigNode* TableReader::take_integer(const std::string& key, std::int64_t low,
                                            std::int64_t high) {
  const ConfigNode* node = take(key);
  if (!node) return nullptr;
  if (node->kind != Kind::integer) {
    complain(*node, key + " is " + name_of(node->kind) + " and should be a whole number");
  } else if (node->integer < low || node->integer > high) {
    complain(*node,
             fmt::format("{} = {} is not possible; use {} to {}", key, node->integer, low, high));
  } else {
    return node;
  }
  return nullptr;
}

const ConfigNode* TableReader::take_flag(const std::string& key) {
  const ConfigNode* node = take(key);
  if (!node || node->kind == Kind::flag) return node;
  complain(*node, key + " is " + name_of(node->kind) + " and should be true or false");
  return nullptr;
}

std::vector<const ConfigNode*> TableReader::take_texts(const std::string& key) {
  std::vector<const ConfigNode*> texts;
  const ConfigNode* node = take(key);
  if (!node) return texts;
  if (node->kind != Kind::list) {
    complain(*node, fmt::format("{0} is {1} and should be a list of texts: {0} = [\"...\"]", key,
                                name_of(node->kind)));
    return texts;
  }
  for (const ConfigNode& item : node->items)
    if (usable_text(item, key + "[" + std::to_string(&item - node->items.data()) + "]"))
      texts.push_back(&item);
  return texts;
}

const ConfigNode* TableReader::take_table(const std::string& key) {
  const ConfigNode* node = take(key);
  if (!node || node->kind == Kind::table) return node;
  complain(*node, fmt::format("{0} is {1} and should be a table, which begins with [{0}]", key,
                              name_of(node->kind)));
  return nullptr;
}

std::vector<const ConfigNode*> TableReader::take_tables(const std::string& key) {
  std::vector<const ConfigNode*> tables;
  const ConfigNode* node = take(key);
  if (!node) return tables;
  if (node->kind != Kind::list) {
    complain(*node, fmt::format("{0} is {1} and should be written [[{0}]], once for each", key,
                                name_of(node->kind)));
    return tables;
  }
  for (const ConfigNode& item : node->items) {
    if (item.kind == Kind::table)
      tables.push_back(&item);
    else
      complain(item, fmt::format("{0} holds {1} and should be written [[{0}]], once for each", key,
                                 name_of(item.kind)));
  }
  return tables;
}

std::optional<std::pair<Bytes, const ConfigNode*>> TableReader::take_size(const std::string& key) {
  const ConfigNode* node = take(key);
  if (!node) return std::nullopt;
  if (node->kind == Kind::integer) {
    complain(*node, fmt::format("{} = {} has no unit; write it as a text: {} = \"2G\"", key,
                                node->integer, key));
    return std::nullopt;
  }
  if (!usable_text(*node, key)) return std::nullopt;
  try {
    return std::pair(parse_size(node->text, place(*node)), node);
  } catch (const ConfigError& error) {
    for (const Problem& problem : error.problems())
      problems_.push_back({problem.where, key + ": " + problem.what});
    return std::nullopt;
  }
}

void TableReader::refuse_the_rest() {
  for (const auto& [key, node] : table_.members)
    if (std::find(known_.begin(), known_.end(), key) == known_.end())
      complain(node, "unknown key " + quoted(key) + suggestion(key, known_));
}

}  // namespace nutshell
