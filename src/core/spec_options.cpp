// Splitting KEY=VALUE lists. The comma rule is QEMU's own (two commas are one), so that a path that
// works there works here.
#include "core/spec_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nutshell {

std::string quoted(std::string_view text) {
  return fmt::format("\"{}{}\"", printable(text.substr(0, 60)), text.size() > 60 ? "..." : "");
}

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  const auto guess = nearest(word, known);
  return guess ? "; did you mean " + *guess + "?" : "";
}

OptionList::OptionList(std::string_view text, std::string where, Problems& problems)
    : where_(std::move(where)), problems_(problems) {
  std::vector<std::string> words(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ',') {
      words.back() += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == ',') {
      words.back() += ',';
      ++i;
    } else {
      words.emplace_back();
    }
  }
  for (const std::string& word : words) {
    if (word.empty()) {
      complain(text.empty() ? "the value is empty"
                            : "there is nothing between two commas or at the end");
      continue;
    }
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) {
      items_.push_back({word, "", false});
    } else {
      items_.push_back({word.substr(0, equals), word.substr(equals + 1), true});
    }
  }
}

void OptionList::complain(const std::string& what) { problems_.push_back({where_, what}); }

std::optional<std::string> OptionList::take_leading_word(const std::vector<std::string>& known) {
  if (items_.empty() || items_.front().has_value) return std::nullopt;
  if (std::find(known.begin(), known.end(), items_.front().key) != known.end()) return std::nullopt;
  std::string word = std::move(items_.front().key);
  items_.erase(items_.begin());
  return word;
}

bool OptionList::has(std::string_view key) const {
  return std::any_of(items_.begin(), items_.end(),
                     [&](const Item& item) { return item.key == key; });
}

std::optional<OptionList::Item> OptionList::extract(std::string_view key) {
  const auto is_key = [&](const Item& item) { return item.key == key; };
  const auto found = std::find_if(items_.begin(), items_.end(), is_key);
  if (found == items_.end()) return std::nullopt;
  Item item = std::move(*found);
  items_.erase(found);
  if (std::find_if(items_.begin(), items_.end(), is_key) != items_.end()) {
    complain(std::string(key) + " is given twice");
    items_.erase(std::remove_if(items_.begin(), items_.end(), is_key), items_.end());
  }
  return item;
}

std::optional<std::string> OptionList::take(std::string_view key) {
  auto item = extract(key);
  if (!item) return std::nullopt;
  if (item->value.empty()) {
    complain(std::string(key) + " needs a value: " + std::string(key) + "=...");
    return std::nullopt;
  }
  return std::move(item->value);
}

std::optional<bool> OptionList::take_switch(std::string_view key) {
  const auto item = extract(key);
  if (!item) return std::nullopt;
  if (!item->has_value || item->value == "on") return true;
  if (item->value == "off") return false;
  complain(std::string(key) + "=" + quoted(item->value) + " is not known; use on or off");
  return std::nullopt;
}

void OptionList::refuse_the_rest(const std::vector<std::string>& known) {
  for (const Item& item : items_)
    complain("unknown key " + quoted(item.key) + suggestion(item.key, known));
  items_.clear();
}

}  // namespace nutshell
