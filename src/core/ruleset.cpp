// A packet meets every base chain of its hook, in the order of their priorities; one that accepts
// says nothing for the next, one that drops has the last word. A rule that looks at something that
// is not known of the packet is taken to leave it alone, and what it would drop is told as a
// perhaps.
#include "nutshell/ruleset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "nutshell/values.hpp"

namespace nutshell {
namespace {

constexpr unsigned deepest_jump = 16;  // NFT_JUMP_STACK_SIZE

/// How far a rule is about the packet: not at all; about some of its kind; it cannot be told; yes.
enum class Fit { no, some, unclear, yes };

bool name_fits(const std::string& pattern, const std::string& name) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == name;
}

bool address_fits(const std::string& text, const std::string& known) {
  const auto address = parse_ipv4(known);
  if (!address) return false;
  if (const auto net = parse_ipv4_net(text)) return net->contains(*address);
  return text == known;
}

bool port_fits(const std::string& text, const std::string& known) {
  const auto number = [](std::string_view digits, unsigned fallback) {
    unsigned value = fallback;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  };
  const std::size_t dash = text.find('-');
  if (dash == std::string::npos) return text == known;
  const unsigned port = number(known, 0);
  return number(text.substr(0, dash), 0) <= port && port <= number(text.substr(dash + 1), 65535);
}

bool value_fits(About about, const std::string& value, const std::string& known) {
  switch (about) {
    case About::iif:
    case About::oif:
    case About::port_in:
    case About::port_out: return name_fits(value, known);
    case About::source:
    case About::destination: return address_fits(value, known);
    case About::port: return port_fits(value, known);
    default: return value == known;
  }
}

Fit fit_of(const RuleCondition& condition, const Crossing& crossing) {
  if (condition.about == About::opaque) return Fit::unclear;
  const auto known = crossing.known.find(condition.about);
  if (condition.about == About::narrow || known == crossing.known.end()) return Fit::some;
  const bool fits = std::any_of(
      condition.values.begin(), condition.values.end(),
      [&](const std::string& value) { return value_fits(condition.about, value, known->second); });
  return fits != condition.negated ? Fit::yes : Fit::no;
}

Fit fit_of(const FilterRule& rule, const Crossing& crossing) {
  Fit least = Fit::yes;
  for (const RuleCondition& condition : rule.conditions)
    least = std::min(least, fit_of(condition, crossing));
  return least;
}

class Walk {
 public:
  Walk(const Ruleset& ruleset, const Crossing& crossing) : ruleset_(ruleset), crossing_(crossing) {}

  void through(const FilterChain& base) {
    base_ = &base;
    clear_ = true;
    if (visit(base, Fit::yes, 0) == End::fell_through && base.drops_by_policy)
      hits_.push_back({base_, base_, nullptr, clear_});
  }
  std::vector<FilterHit> hits_;

 private:
  enum class End { fell_through, decided };

  End visit(const FilterChain& chain, Fit scope, unsigned depth) {
    for (const FilterRule& rule : chain.rules) {
      const Fit fit = std::min(scope, fit_of(rule, crossing_));
      if (fit == Fit::no) continue;
      switch (rule.verdict) {
        case RuleVerdict::none: break;
        case RuleVerdict::accept:
          if (fit == Fit::yes) return End::decided;
          if (fit == Fit::unclear) clear_ = false;
          break;
        case RuleVerdict::drop:
        case RuleVerdict::reject:
          hits_.push_back({base_, &chain, &rule, fit == Fit::yes && clear_});
          if (fit == Fit::yes) return End::decided;
          break;
        case RuleVerdict::back:
          if (fit == Fit::yes) return End::fell_through;
          if (fit == Fit::unclear) clear_ = false;
          break;
        case RuleVerdict::jump:
        case RuleVerdict::go_to: {
          const FilterChain* target = ruleset_.find(chain, rule.target);
          if (!target || depth >= deepest_jump) break;
          if (visit(*target, fit, depth + 1) == End::decided && fit == Fit::yes)
            return End::decided;
          if (rule.verdict == RuleVerdict::go_to && fit == Fit::yes) return End::fell_through;
          break;
        }
      }
    }
    return End::fell_through;
  }

  const Ruleset& ruleset_;
  const Crossing& crossing_;
  const FilterChain* base_ = nullptr;
  bool clear_ = true;
};

bool is_met(const FilterChain& chain, const Crossing& crossing) {
  if (chain.hook != crossing.hook) return false;
  const bool ip = crossing.family == "ip" || crossing.family == "ip6";
  if (chain.family != crossing.family && !(ip && chain.family == "inet")) return false;
  return crossing.family != "netdev" || std::find(chain.devices.begin(), chain.devices.end(),
                                                  crossing.device) != chain.devices.end();
}

}  // namespace

const FilterChain* Ruleset::find(const FilterChain& beside, std::string_view name) const {
  for (const FilterChain& each : chains)
    if (each.family == beside.family && each.table == beside.table &&
        each.legacy == beside.legacy && each.name == name)
      return &each;
  return nullptr;
}

bool Ruleset::has_iptables(std::string_view family) const {
  return std::any_of(chains.begin(), chains.end(), [&](const FilterChain& chain) {
    return chain.family == family && chain.iptables;
  });
}

void add_devices(Ruleset& ruleset, std::string_view listing) {
  std::istringstream lines{std::string(listing)};
  std::string table, chain;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first, second, third;
    words >> first >> second >> third;
    if (first == "table") table = third;
    if (first == "chain") chain = second;
    const std::size_t from = line.find(" device"), to = line.find(" priority ");
    if (first != "type" || from == std::string::npos || to == std::string::npos) continue;
    // `device "em1"`, or `devices = { em1, em2 }`.
    std::string names = line.substr(from + 7, to - from - 7);
    std::replace_if(
        names.begin(), names.end(),
        [](char c) { return c == '"' || c == ',' || c == '{' || c == '}' || c == '='; }, ' ');
    std::istringstream each(names);
    for (FilterChain& known : ruleset.chains)
      if (known.family == "netdev" && known.table == table && known.name == chain &&
          known.devices.empty())
        for (std::string name; each >> name;)
          if (name != "s") known.devices.push_back(name);
  }
}

std::vector<FilterHit> find_drops(const Ruleset& ruleset, const Crossing& crossing) {
  std::vector<const FilterChain*> met;
  for (const FilterChain& chain : ruleset.chains)
    if (is_met(chain, crossing)) met.push_back(&chain);
  std::stable_sort(met.begin(), met.end(), [](const FilterChain* a, const FilterChain* b) {
    return a->priority < b->priority;
  });
  Walk walk(ruleset, crossing);
  for (const FilterChain* base : met) walk.through(*base);
  return std::move(walk.hits_);
}

std::string describe(const FilterHit& hit) {
  const FilterChain& chain = *hit.chain;
  const std::string where = fmt::format("{}{} {} {}", chain.legacy ? "iptables-legacy " : "",
                                        chain.family, chain.table, chain.name);
  if (!hit.rule) return where + ", whose policy is drop";
  return fmt::format(
      "{}, by a rule that {}{}", where,
      hit.rule->verdict == RuleVerdict::drop ? "drops" : "rejects",
      hit.rule->comment.empty() ? "" : fmt::format(" ({})", printable(hit.rule->comment)));
}

std::optional<std::uint64_t> count_of(const FilterHit& hit) {
  return hit.rule ? hit.rule->packets : hit.chain->policy_packets;
}

}  // namespace nutshell
