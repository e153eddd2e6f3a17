// A rule is a few words in a fixed order: PROTOCOL [PORTS] [from SOURCE]. What each word may be is
// what `nutshell group allow` takes.
#include "core/cloud_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/spec_options.hpp"
#include "nutshell/guard.hpp"

namespace nutshell {
namespace {

constexpr std::string_view examples =
    "\"tcp 22 from 10.0.0.0/8\", \"udp 8000-8100 from group web\", \"icmp\" or \"all\"";

std::vector<std::string> words_in(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) words.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::optional<unsigned> port_number(std::string_view text) {
  if (text.empty() || text.size() > 5) return std::nullopt;
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value >= 1 && value <= 65535 ? std::optional(value) : std::nullopt;
}

class RuleReader {
 public:
  RuleReader(std::string_view text, const std::string& where, Problems& problems)
      : text_(text), where_(where), problems_(problems), words_(words_in(text)) {}

  std::optional<GroupRule> read() {
    const std::size_t before = problems_.size();
    if (words_.empty()) {
      complain("is empty");
      return std::nullopt;
    }
    protocol();
    if (at_ < words_.size() && words_[at_] != "from") ports();
    if (at_ < words_.size()) source();
    return problems_.size() == before ? std::optional(rule_) : std::nullopt;
  }

 private:
  std::string_view text_;
  const std::string& where_;
  Problems& problems_;
  std::vector<std::string> words_;
  std::size_t at_ = 0;
  GroupRule rule_;

  void complain(const std::string& why) {
    problems_.push_back(
        {where_, fmt::format("the rule {} {}; write one like {}", quoted(text_), why, examples)});
    at_ = words_.size();
  }

  void protocol() {
    static const std::vector<std::string> known{"tcp", "udp", "icmp", "all"};
    rule_.protocol = words_[at_++];
    if (std::find(known.begin(), known.end(), rule_.protocol) == known.end())
      complain("begins with no protocol");
  }

  void ports() {
    const std::string_view text = words_[at_++];
    const std::size_t dash = text.find('-');
    const auto low = port_number(text.substr(0, dash));
    const auto high = dash == text.npos ? low : port_number(text.substr(dash + 1));
    if (!low || !high || *high < *low) return complain("has no port or range from 1 to 65535");
    if (rule_.protocol != "tcp" && rule_.protocol != "udp")
      return complain("names ports, which only tcp and udp have");
    rule_.low = *low;
    rule_.high = *high;
  }

  void source() {
    if (words_[at_] != "from" || at_ + 1 == words_.size())
      return complain("does not say from where it lets in");
    const bool group = words_[at_ + 1] == "group" && at_ + 2 < words_.size();
    at_ += group ? 2 : 1;
    const std::string& word = words_[at_++];
    if (at_ < words_.size()) return complain("has words that mean nothing there");
    if (!group) {
      if (word != "anywhere") rule_.from = parse_source(word, where_, problems_);
    } else if (const std::string fault = name_fault(word); !fault.empty()) {
      complain("names no group: " + fault);
    } else {
      rule_.from_group = word;
    }
  }
};

}  // namespace

std::optional<GroupRule> parse_rule(std::string_view text, const std::string& where,
                                    Problems& problems) {
  return RuleReader(text, where, problems).read();
}

std::string rule_words(const GroupRule& rule) {
  std::string words = rule.protocol;
  if (rule.low) words += fmt::format(" {}", rule.low);
  if (rule.high > rule.low) words += fmt::format("-{}", rule.high);
  if (!rule.from_group.empty()) return words + " from group " + rule.from_group;
  return rule.from.empty() ? words : words + " from " + rule.from;
}

}  // namespace nutshell
