// A TOML text as a tree of our own that knows its lines, and a reader of tables to which every
// mistake is a line in a list. Whoever reads a table asks for the keys it knows; what was never
// asked for is refused with the nearest key that was.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/spec_options.hpp"
#include "nutshell/error.hpp"

namespace nutshell {

struct ConfigNode {
  enum class Kind { text, integer, flag, list, table, other };
  Kind kind = Kind::other;
  unsigned line = 0;
  std::string text;
  std::int64_t integer = 0;
  bool flag = false;
  std::vector<ConfigNode> items;                            ///< kind list
  std::vector<std::pair<std::string, ConfigNode>> members;  ///< kind table
};

/// Throws ConfigError with FILE:LINE where the text is not TOML.
ConfigNode parse_toml(std::string_view text, const std::string& file);

class TableReader {
 public:
  TableReader(const ConfigNode& table, const std::string& file, Problems& problems)
      : table_(table), file_(file), problems_(problems) {}

  /// "FILE:LINE" of a node.
  [[nodiscard]] std::string place(const ConfigNode& node) const;
  void complain(const ConfigNode& node, const std::string& what);
  /// The same at the table that is read.
  void complain(const std::string& what) { complain(table_, what); }
  [[nodiscard]] const ConfigNode& table() const { return table_; }

  /// The value of a key; nullptr when it is missing.
  const ConfigNode* take(const std::string& key);
  /// The same, but only a text that can be used (not empty, no control characters).
  const ConfigNode* take_text(const std::string& key);
  /// A whole number from `low` to `high`.
  const ConfigNode* take_integer(const std::string& key, std::int64_t low, std::int64_t high);
  /// true or false.
  const ConfigNode* take_flag(const std::string& key);
  /// The texts of a list; a list is asked for even where one text would do.
  std::vector<const ConfigNode*> take_texts(const std::string& key);
  /// The table [key].
  const ConfigNode* take_table(const std::string& key);
  /// The tables of [[key]].
  std::vector<const ConfigNode*> take_tables(const std::string& key);
  /// A word of an enum, into `value`; nullptr when missing or unknown.
  template <class E>
  const ConfigNode* take_word(const std::string& key, E& value) {
    const ConfigNode* node = take_text(key);
    if (!node || from_word(node->text, value)) return node;
    complain(*node, key + " = " + quoted(node->text) + " is not known; use " + words_of(value));
    return nullptr;
  }
  /// A size, written as a text with its suffix.
  std::optional<std::pair<Bytes, const ConfigNode*>> take_size(const std::string& key);
  void refuse_the_rest();

 private:
  const ConfigNode* usable_text(const ConfigNode& node, const std::string& key);

  const ConfigNode& table_;
  const std::string& file_;
  Problems& problems_;
  std::vector<std::string> known_;
};

}  // namespace nutshell
