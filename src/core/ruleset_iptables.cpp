// iptables-save prints each rule as the words that made it, with what nft's JSON leaves out (which
// state, which port of a bridge), and it is the only one that shows what iptables-legacy made.
#include <algorithm>
#include <charconv>
#include <sstream>

#include "nutshell/ruleset.hpp"

namespace nutshell {
namespace {

using Words = std::vector<std::string>;

/// The words of one line; a text in quotes is one.
Words split(const std::string& line) {
  Words words;
  std::string word;
  bool quoted = false, any = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '\\' && quoted && i + 1 < line.size()) {
      word += line[++i];
    } else if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (c == ' ' && !quoted) {
      if (any) words.push_back(std::move(word));
      word.clear();
      any = false;
    } else {
      word += c;
      any = true;
    }
  }
  if (any) words.push_back(std::move(word));
  return words;
}

/// The packets of "[12:3456]".
std::optional<std::uint64_t> packets_of(const std::string& word) {
  std::uint64_t number = 0;
  if (word.size() < 4 || word[0] != '[') return std::nullopt;
  const auto [end, error] = std::from_chars(word.data() + 1, word.data() + word.size(), number);
  return error == std::errc() && *end == ':' ? std::optional(number) : std::nullopt;
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

/// A name pattern: iptables writes '+' where nft writes '*'.
std::string pattern(std::string name) {
  if (name.ends_with('+')) name.back() = '*';
  return name;
}

std::vector<std::string> listed(const std::string& text) {
  std::vector<std::string> values;
  std::istringstream stream(lower(text));
  for (std::string each; std::getline(stream, each, ',');) {
    std::replace(each.begin(), each.end(), ':', '-');  // a range of ports
    values.push_back(each);
  }
  return values;
}

/// "0" for a mark that is none, whatever the mask; else as it stands.
std::string mark_of(const std::string& text) {
  const std::string value = text.substr(0, text.find('/'));
  return value == "0" || value == "0x0" ? "0" : text;
}

struct Option {
  const char* word;
  About about;
  bool list = false;
};
constexpr Option options[] = {
    {"-s", About::source},
    {"-d", About::destination},
    {"-i", About::iif},
    {"-o", About::oif},
    {"-p", About::protocol, true},
    {"--dport", About::port, true},
    {"--dports", About::port, true},
    {"--dst-type", About::destination_type, true},
    {"--physdev-in", About::port_in},
    {"--physdev-out", About::port_out},
    {"--ctstate", About::state, true},
    {"--state", About::state, true},
    {"--mac-source", About::source_mac},
    {"--mark", About::mark},
};

/// Modules that say nothing without an option of theirs.
bool asks_by_options(const std::string& module) {
  static const Words known{"comment",  "conntrack", "state",  "physdev",   "tcp", "udp",
                           "icmp",     "icmp6",     "limit",  "mark",      "mac", "multiport",
                           "addrtype", "set",       "recent", "hashlimit", "hl",  "ttl"};
  return std::find(known.begin(), known.end(), module) != known.end();
}

RuleVerdict verdict_of(const std::string& target) {
  if (target == "ACCEPT") return RuleVerdict::accept;
  if (target == "DROP") return RuleVerdict::drop;
  if (target == "REJECT") return RuleVerdict::reject;
  if (target == "RETURN") return RuleVerdict::back;
  return RuleVerdict::jump;  // or LOG and the like: there is no chain of that name
}

FilterRule rule_of(const Words& words, std::size_t at) {
  FilterRule rule;
  bool negated = false;
  const auto value = [&]() -> std::string { return at + 1 < words.size() ? words[++at] : ""; };
  for (; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (word == "!") {
      negated = true;
      continue;
    }
    const auto* option = std::find_if(std::begin(options), std::end(options),
                                      [&](const Option& each) { return word == each.word; });
    if (word == "-j" || word == "-g") {
      rule.target = value();
      rule.verdict = word == "-g" ? RuleVerdict::go_to : verdict_of(rule.target);
      break;  // what follows are the target's own words
    }
    if (option != std::end(options)) {
      const std::string text = value();
      rule.conditions.push_back(
          {option->about, negated,
           option->list                         ? listed(text)
           : option->about == About::source_mac ? std::vector<std::string>{lower(text)}
           : option->about == About::mark       ? std::vector<std::string>{mark_of(text)}
                                                : std::vector<std::string>{pattern(text)}});
    } else if (word == "-m") {
      if (!asks_by_options(value())) rule.conditions.push_back({About::opaque, false, {}});
    } else if (word == "--comment") {
      rule.comment = value();
    } else if (word == "--physdev-is-bridged") {
      rule.conditions.push_back({About::bridged, negated, {"yes"}});
    } else if (word.starts_with("-")) {
      rule.conditions.push_back({word == "--ctstatus" ? About::narrow : About::opaque, false, {}});
    }
    negated = false;
  }
  return rule;
}

struct Hook {
  const char *chain, *hook;
};
constexpr Hook hooks[] = {{"PREROUTING", "prerouting"},
                          {"INPUT", "input"},
                          {"FORWARD", "forward"},
                          {"OUTPUT", "output"},
                          {"POSTROUTING", "postrouting"}};

int priority_of(const std::string& table) {
  if (table == "raw") return -300;
  if (table == "mangle") return -150;
  return table == "security" ? 50 : 0;
}

}  // namespace

void merge_iptables(Ruleset& ruleset, std::string_view text, const std::string& family,
                    bool legacy) {
  std::vector<FilterChain> chains;
  std::istringstream lines{std::string(text)};
  std::string table;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("*")) table = line.substr(1);
    const Words words = split(line);
    if (words.empty()) continue;
    if (line.starts_with(":") && words.size() >= 2) {
      FilterChain chain;
      chain.family = family;
      chain.table = table;
      chain.name = words[0].substr(1);
      chain.legacy = legacy;
      chain.iptables = true;
      chain.priority = priority_of(table);
      for (const Hook& each : hooks)
        if (chain.name == each.chain && words[1] != "-") chain.hook = each.hook;
      chain.drops_by_policy = words[1] == "DROP";
      if (words.size() >= 3) chain.policy_packets = packets_of(words[2]);
      chains.push_back(std::move(chain));
      continue;
    }
    const std::size_t at = words[0].starts_with("[") ? 1 : 0;
    if (words.size() < at + 2 || words[at] != "-A") continue;
    for (FilterChain& chain : chains) {
      if (chain.table != table || chain.name != words[at + 1]) continue;
      FilterRule rule = rule_of(words, at + 2);
      if (at) rule.packets = packets_of(words[0]);
      ruleset.marks = ruleset.marks || rule.target == "MARK" || rule.target == "CONNMARK";
      ruleset.notrack = ruleset.notrack || rule.target == "CT" || rule.target == "NOTRACK";
      if (rule.verdict != RuleVerdict::none) chain.rules.push_back(std::move(rule));
    }
  }
  if (!legacy)
    std::erase_if(ruleset.chains, [&](const FilterChain& old) {
      return old.family == family &&
             std::any_of(chains.begin(), chains.end(),
                         [&](const FilterChain& chain) { return chain.table == old.table; });
    });
  for (FilterChain& chain : chains) ruleset.chains.push_back(std::move(chain));
}

}  // namespace nutshell
