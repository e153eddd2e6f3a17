// A packet meets every base chain of its hook, in the order of their priorities; one that accepts
// says nothing for the next, one that drops has the last word. A rule that looks at something that
// is not known of the packet is taken to leave it alone, and what it would drop is told as a
// perhaps.
#include "nutshell/ruleset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "nutshell/values.hpp"

namespace nutshell {
namespace {

constexpr unsigned deepest_jump = 16;    // NFT_JUMP_STACK_SIZE
constexpr unsigned most_rules = 300000;  // looked at, each time that a jump leads to them

/// How far a rule is about the packet: not at all; about some of its kind; it cannot be told; yes.
enum class Fit { no, some, unclear, yes };

Fit yes_or_no(bool yes) { return yes ? Fit::yes : Fit::no; }

/// A known name that ends in '*' is one of several.
Fit name_fit(const std::string& pattern, const std::string& name) {
  const auto stem = [](const std::string& text) { return text.substr(0, text.size() - 1); };
  if (pattern.ends_with('*') && name.starts_with(stem(pattern))) return Fit::yes;
  if (name.ends_with('*') && pattern.starts_with(stem(name))) return Fit::unclear;
  return yes_or_no(pattern == name);
}

/// A known address may be a net.
Fit address_fit(const std::string& text, const std::string& known) {
  const auto net = parse_ipv4_net(known.find('/') == known.npos ? known + "/32" : known);
  const auto rule = parse_ipv4_net(text.find('/') == text.npos ? text + "/32" : text);
  if (!net || !rule) return text.find('-') == text.npos ? Fit::no : Fit::unclear;
  if (rule->contains(net->address)) return rule->prefix <= net->prefix ? Fit::yes : Fit::unclear;
  return net->contains(rule->address) ? Fit::unclear : Fit::no;
}

Fit port_fit(const std::string& text, const std::string& known) {
  const auto number = [](std::string_view digits, unsigned fallback) {
    unsigned value = fallback;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  };
  const std::size_t dash = text.find('-');
  if (dash == std::string::npos) return yes_or_no(text == known);
  const unsigned port = number(known, 0);
  return yes_or_no(number(text.substr(0, dash), 0) <= port &&
                   port <= number(text.substr(dash + 1), 65535));
}

Fit value_fit(About about, const std::string& value, const std::string& known) {
  switch (about) {
    case About::iif:
    case About::oif:
    case About::port_in:
    case About::port_out: return name_fit(value, known);
    case About::source:
    case About::destination: return address_fit(value, known);
    case About::port: return port_fit(value, known);
    default: return yes_or_no(value == known);
  }
}

/// Single ports are few of all that there are, whichever of them a packet goes to.
bool names_few(const RuleCondition& condition) {
  return condition.about == About::port && !condition.negated &&
         std::none_of(
             condition.values.begin(), condition.values.end(),
             [](const std::string& value) { return value.find('-') != std::string::npos; });
}

Fit fit_of(const RuleCondition& condition, const Crossing& crossing) {
  if (condition.about == About::opaque) return Fit::unclear;
  if (condition.about == About::narrow) return Fit::some;
  const auto known = crossing.known.find(condition.about);
  if (known == crossing.known.end()) return names_few(condition) ? Fit::some : Fit::unclear;
  Fit best = Fit::no;
  for (const std::string& value : condition.values)
    best = std::max(best, value_fit(condition.about, value, known->second));
  if (best == Fit::unclear) return best;
  if ((best == Fit::yes) != condition.negated) return Fit::yes;
  // Something beyond these rules may have set a mark.
  return condition.about == About::mark ? Fit::unclear : Fit::no;
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
      if (++looked_at_ > most_rules) {
        clear_ = false;
        return End::fell_through;
      }
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
  unsigned looked_at_ = 0;
};

/// One kind of packet of those that a question is about. TCP and UDP together decide, ARP alone.
struct Sample {
  Crossing crossing;
  unsigned weight = 2;
};
constexpr unsigned decisive = 2;

std::vector<Sample> samples_of(const Ruleset& ruleset, Crossing crossing) {
  if (!ruleset.marks) crossing.known.emplace(About::mark, "0");
  if (ruleset.notrack) crossing.known.erase(About::state);
  if (crossing.known.contains(About::protocol)) return {{crossing, decisive}};
  std::vector<Sample> samples;
  const auto sample = [&](const char* protocol, unsigned weight) {
    Crossing one = crossing;
    one.known[About::protocol] = protocol;
    samples.push_back({std::move(one), weight});
  };
  sample("tcp", 1);
  sample("udp", 1);
  sample(crossing.family == "ip6" ? "ipv6-icmp" : "icmp", 0);
  if (crossing.family == "bridge" || crossing.family == "netdev") {
    for (const About about :
         {About::source, About::destination, About::state, About::destination_mac})
      crossing.known.erase(about);
    crossing.known[About::family] = "arp";
    sample("none", decisive);
  }
  return samples;
}

struct Sum {
  FilterHit hit;
  unsigned weight = 0;
};

void add(std::vector<Sum>& sums, const FilterHit& hit, const Sample& sample) {
  const auto same = std::find_if(sums.begin(), sums.end(), [&](const Sum& sum) {
    return sum.hit.base == hit.base && sum.hit.chain == hit.chain && sum.hit.rule == hit.rule;
  });
  Sum& sum = same == sums.end() ? sums.emplace_back(Sum{hit, 0}) : *same;
  if (hit.certain) sum.weight += sample.weight;
}

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

std::vector<FilterHit> find_drops(const Ruleset& ruleset, const Crossing& crossing) {
  std::vector<const FilterChain*> met;
  for (const FilterChain& chain : ruleset.chains)
    if (is_met(chain, crossing)) met.push_back(&chain);
  std::stable_sort(met.begin(), met.end(), [](const FilterChain* a, const FilterChain* b) {
    return a->priority < b->priority;
  });
  std::vector<Sum> sums;
  for (const FilterChain* base : met)
    for (const Sample& sample : samples_of(ruleset, crossing)) {
      Walk walk(ruleset, sample.crossing);
      walk.through(*base);
      for (const FilterHit& hit : walk.hits_) add(sums, hit, sample);
    }
  std::vector<FilterHit> hits;
  for (Sum& sum : sums) {
    sum.hit.certain = sum.weight >= decisive;
    hits.push_back(sum.hit);
  }
  return hits;
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
