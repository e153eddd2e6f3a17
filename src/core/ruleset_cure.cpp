// Each keeper of a firewall has a place where the host's owner may put a word that it will not
// overwrite: Docker the chain DOCKER-USER, ufw its `route` rules, firewalld its zones. The cure is
// written there, and only where nobody keeps the chain, into the chain itself.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "nutshell/ruleset.hpp"
#include "nutshell/values.hpp"

namespace nutshell {
namespace {

/// The names of the chains that a base chain leads to.
void reach(const Ruleset& ruleset, const FilterChain& chain, std::set<std::string>& names) {
  if (!names.insert(chain.name).second) return;
  for (const FilterRule& rule : chain.rules)
    if (const FilterChain* target =
            rule.target.empty() ? nullptr : ruleset.find(chain, rule.target))
      reach(ruleset, *target, names);
}

bool before_routing(const FilterChain& base) { return base.hook == "prerouting"; }
bool after_routing(const FilterChain& base) { return base.hook == "postrouting"; }

/// The chain does not know the link by which the packet is told from others: before routing the one
/// that it leaves by, after it (but for packets that were routed, and not in iptables) the one that
/// it came by.
bool knows_too_little(const FilterChain& base, const Passage& passage, bool iptables) {
  using Kind = Passage::Kind;
  if (passage.kind != Kind::routed && passage.kind != Kind::ports) return false;
  if (before_routing(base)) return passage.inward;
  return after_routing(base) && !passage.inward && (iptables || passage.kind == Kind::ports);
}

/// Of "in" and "out" words, those that the chain's hook can look at.
std::string each_way(const FilterChain& base, const Passage& passage, const std::string& in,
                     const std::string& out) {
  if (base.hook == "forward") return in + " && " + out;
  const bool leaves = base.hook == "output" || (after_routing(base) && passage.inward);
  return leaves ? out : in;
}

std::string by_iptables(const FilterChain& base, const std::string& chain, const Passage& passage) {
  std::string program = base.family == "ip6" ? "ip6tables" : "iptables";
  if (base.legacy) program += "-legacy";
  const std::string form = fmt::format(
      "{}{} -I {}", program, base.table == "filter" ? "" : " -t " + shell_quote(base.table), chain);
  const std::string bridge = shell_quote(passage.bridge);
  const std::string in = fmt::format("{} -i {} -j ACCEPT", form, bridge),
                    out = fmt::format("{} -o {} -j ACCEPT", form, bridge);
  if (passage.kind == Passage::Kind::bridged) {
    if (before_routing(base)) return in;
    if (after_routing(base)) return out;
    return fmt::format("{0} -i {1} -o {1} -j ACCEPT", form, bridge);
  }
  return each_way(base, passage, in, out);
}

/// A name as nft reads it, for a shell: it takes a plain word as it stands.
std::string nft_name(const std::string& name) {
  const bool plain = !name.empty() && std::isalpha(static_cast<unsigned char>(name.front())) &&
                     std::all_of(name.begin(), name.end(), [](unsigned char c) {
                       return std::isalnum(c) || c == '-' || c == '_' || c == '.';
                     });
  return plain ? name : shell_quote('"' + name + '"');
}

std::string by_nft(const FilterChain& base, const Passage& passage) {
  const std::string form = fmt::format("nft insert rule {} {} {}", base.family,
                                       shell_quote(base.table), shell_quote(base.name));
  const auto ways = [&](const std::string& name) {
    return each_way(base, passage, fmt::format("{} iifname {} accept", form, name),
                    fmt::format("{} oifname {} accept", form, name));
  };
  const std::string bridge = nft_name(passage.bridge);
  switch (passage.kind) {
    case Passage::Kind::bridged:
      if (before_routing(base)) return fmt::format("{} iifname {} accept", form, bridge);
      if (after_routing(base)) return fmt::format("{} oifname {} accept", form, bridge);
      return fmt::format("{0} iifname {1} oifname {1} accept", form, bridge);
    case Passage::Kind::host:
    case Passage::Kind::routed: return ways(bridge);
    case Passage::Kind::ports: return ways(shell_quote('"' + passage.ports + '"'));
    case Passage::Kind::device: return form + " accept";
  }
  return "";
}

}  // namespace

FilterOwner owner_of(const Ruleset& ruleset, const FilterChain& base) {
  if (base.table == "firewalld" || base.table.starts_with("firewalld_"))
    return FilterOwner::firewalld;
  std::set<std::string> names;
  reach(ruleset, base, names);
  if (names.contains("DOCKER-USER")) return FilterOwner::docker;
  for (const std::string& name : names)
    if (name.starts_with("ufw-before-") || name.starts_with("ufw6-before-"))
      return FilterOwner::ufw;
  for (const std::string& name : names)
    if (name.starts_with("FORWARD_direct") || name.starts_with("FWDI_") ||
        name.starts_with("FWD_") || name.starts_with("INPUT_direct") || name.starts_with("IN_"))
      return FilterOwner::firewalld;
  return FilterOwner::unknown;
}

std::string possessive(FilterOwner owner) {
  switch (owner) {
    case FilterOwner::docker: return "Docker's ";
    case FilterOwner::ufw: return "ufw's ";
    case FilterOwner::firewalld: return "firewalld's ";
    case FilterOwner::unknown: return "";
  }
  return "";
}

std::string cure_for(const Ruleset& ruleset, const FilterHit& hit, const Passage& passage,
                     bool iptables) {
  const FilterChain& base = *hit.base;
  const bool by_link =
      passage.kind != Passage::Kind::ports && passage.kind != Passage::Kind::device;
  FilterOwner owner = by_link ? owner_of(ruleset, base) : FilterOwner::unknown;
  const bool with_iptables = base.legacy || (base.iptables && iptables);
  if (knows_too_little(base, passage, with_iptables)) return "";
  if (before_routing(base) || after_routing(base)) {
    // Their owners keep a place for words of others in forward and input alone.
    if (owner == FilterOwner::firewalld) return "";
    owner = FilterOwner::unknown;
  }
  const std::string bridge = shell_quote(passage.bridge);
  switch (owner) {
    case FilterOwner::docker:
      if (iptables || base.legacy) return by_iptables(base, "DOCKER-USER", passage);
      if (const FilterChain* user = ruleset.find(base, "DOCKER-USER"))
        return by_nft(*user, passage);
      break;
    case FilterOwner::ufw:
      if (passage.kind == Passage::Kind::host)
        return fmt::format("ufw allow {} on {}", base.hook == "output" ? "out" : "in", bridge);
      if (passage.kind == Passage::Kind::bridged)
        return fmt::format("ufw route allow in on {0} out on {0}", bridge);
      return fmt::format("ufw route allow in on {0} && ufw route allow out on {0}", bridge);
    case FilterOwner::firewalld:
      return fmt::format(
          "firewall-cmd --permanent --zone=trusted --add-interface={} && firewall-cmd --reload",
          bridge);
    case FilterOwner::unknown: break;
  }
  if (with_iptables) return by_iptables(base, base.name, passage);
  return by_nft(base, passage);
}

}  // namespace nutshell
