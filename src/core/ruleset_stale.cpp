// A link that becomes a port of a bridge hands its addresses to the bridge, and the packets of IP
// come in by the bridge from then on. Rules that somebody wrote about the link stay where they are
// and match nothing any more: what they let in is shut out, what they kept out gets in.
#include <fmt/format.h>

#include <algorithm>

#include "nutshell/ruleset.hpp"

namespace nutshell {
namespace {

bool is_about(const RuleCondition& condition, const std::string& link) {
  return (condition.about == About::iif || condition.about == About::oif) &&
         std::find(condition.values.begin(), condition.values.end(), link) !=
             condition.values.end();
}

bool is_about(const FilterRule& rule, const std::string& link) {
  return std::any_of(rule.conditions.begin(), rule.conditions.end(),
                     [&](const RuleCondition& each) { return is_about(each, link); });
}

bool stands_for_bridge(const FilterChain& chain, const FilterRule& rule, const std::string& port,
                       const std::string& bridge) {
  std::vector<RuleCondition> renamed = rule.conditions;
  for (RuleCondition& condition : renamed)
    if (is_about(condition, port))
      std::replace(condition.values.begin(), condition.values.end(), port, bridge);
  return std::any_of(chain.rules.begin(), chain.rules.end(), [&](const FilterRule& other) {
    return other.verdict == rule.verdict && other.target == rule.target &&
           other.conditions == renamed;
  });
}

/// A rule that names both as `{ "em1", "br0" }` is about the bridge, too.
bool names_both(const FilterRule& rule, const std::string& port, const std::string& bridge) {
  return std::any_of(
      rule.conditions.begin(), rule.conditions.end(),
      [&](const RuleCondition& each) { return is_about(each, port) && is_about(each, bridge); });
}

FilterOwner owner_of_table(const Ruleset& ruleset, const FilterChain& beside) {
  for (const FilterChain& each : ruleset.chains)
    if (!each.hook.empty() && each.family == beside.family && each.table == beside.table &&
        each.legacy == beside.legacy)
      if (const FilterOwner owner = owner_of(ruleset, each); owner != FilterOwner::unknown)
        return owner;
  return FilterOwner::unknown;
}

bool by_iptables(const Ruleset& ruleset, const FilterChain& beside) {
  return std::any_of(ruleset.chains.begin(), ruleset.chains.end(), [&](const FilterChain& each) {
    return each.family == beside.family && each.table == beside.table && each.iptables;
  });
}

}  // namespace

std::vector<StaleRules> find_stale(const Ruleset& ruleset, const std::string& port,
                                   const std::string& bridge) {
  std::vector<StaleRules> found;
  for (const FilterChain& chain : ruleset.chains) {
    if (chain.family != "ip" && chain.family != "ip6" && chain.family != "inet") continue;
    const auto count = static_cast<unsigned>(
        std::count_if(chain.rules.begin(), chain.rules.end(), [&](const FilterRule& rule) {
          return is_about(rule, port) && !names_both(rule, port, bridge) &&
                 !stands_for_bridge(chain, rule, port, bridge);
        }));
    if (!count) continue;
    const auto same = std::find_if(found.begin(), found.end(), [&](const StaleRules& each) {
      return each.chain->family == chain.family && each.chain->table == chain.table &&
             each.chain->legacy == chain.legacy;
    });
    if (same == found.end())
      found.push_back({&chain, count});
    else
      same->count += count;
  }
  return found;
}

std::string cure_for_stale(const Ruleset& ruleset, const StaleRules& stale, const std::string& port,
                           const std::string& bridge, bool iptables) {
  // Names that a shell or sed would read otherwise are left to their owner.
  for (const std::string& name : {port, bridge})
    if (name.find_first_not_of(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") !=
        std::string::npos)
      return "";
  const FilterChain& chain = *stale.chain;
  switch (owner_of_table(ruleset, chain)) {
    case FilterOwner::ufw:
      return fmt::format(
          "sed -i 's/\\(in_\\|out_\\|-[io] \\){}\\b/\\1{}/g' /etc/ufw/user.rules "
          "/etc/ufw/user6.rules && ufw reload",
          port, bridge);
    case FilterOwner::firewalld:
      return fmt::format(
          "firewall-cmd --permanent --zone=$(firewall-cmd --get-zone-of-interface={}) "
          "--change-interface={} && firewall-cmd --reload",
          port, bridge);
    case FilterOwner::docker:
    case FilterOwner::unknown: break;
  }
  if (chain.legacy || (iptables && by_iptables(ruleset, chain))) {
    const std::string program = fmt::format(
        "{}{}", chain.family == "ip6" ? "ip6tables" : "iptables", chain.legacy ? "-legacy" : "");
    return fmt::format(
        "{0}-save -t {1} | sed 's/ \\(-[io]\\) {2} / \\1 {3} /g' | {0}-restore -T {1}", program,
        chain.table, port, bridge);
  }
  return fmt::format(
      "{{ echo delete table {0} {1}; nft -s list table {0} {1} | sed 's/\"{2}\"/\"{3}\"/g'; }} | "
      "nft -f -",
      chain.family, chain.table, port, bridge);
}

}  // namespace nutshell
