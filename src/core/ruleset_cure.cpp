// Each keeper of a firewall has a place where the host's owner may put a word that it will not
// overwrite: Docker the chain DOCKER-USER, ufw its `route` rules, firewalld its zones. The cure is
// written there, and only where nobody keeps the chain, into the chain itself.
#include <fmt/format.h>

#include <set>

#include "nutshell/ruleset.hpp"

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

std::string both(const std::string& form, const char* in, const char* out,
                 const std::string& name) {
  return fmt::format("{0} {1} {2} -j ACCEPT && {0} {3} {2} -j ACCEPT", form, in, name, out);
}

std::string by_iptables(const FilterChain& base, const std::string& chain, const Passage& passage) {
  std::string program = base.family == "ip6" ? "ip6tables" : "iptables";
  if (base.legacy) program += "-legacy";
  const std::string form =
      fmt::format("{}{} -I {}", program, base.table == "filter" ? "" : " -t " + base.table, chain);
  if (passage.kind == Passage::Kind::bridged)
    return fmt::format("{0} -i {1} -o {1} -j ACCEPT", form, passage.bridge);
  if (passage.kind == Passage::Kind::host)
    return fmt::format("{} {} {} -j ACCEPT", form, base.hook == "output" ? "-o" : "-i",
                       passage.bridge);
  return both(form, "-i", "-o", passage.bridge);
}

std::string by_nft(const FilterChain& base, const Passage& passage) {
  const std::string form =
      fmt::format("nft insert rule {} {} {}", base.family, base.table, base.name);
  const auto each_way = [&](const std::string& name) {
    return fmt::format("{0} iifname '\"{1}\"' accept && {0} oifname '\"{1}\"' accept", form, name);
  };
  switch (passage.kind) {
    case Passage::Kind::bridged:
      return fmt::format("{0} iifname {1} oifname {1} accept", form, passage.bridge);
    case Passage::Kind::host:
      return fmt::format("{} {} {} accept", form, base.hook == "output" ? "oifname" : "iifname",
                         passage.bridge);
    case Passage::Kind::routed: return each_way(passage.bridge);
    case Passage::Kind::ports: return each_way(passage.ports);
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
  const FilterOwner owner = by_link ? owner_of(ruleset, base) : FilterOwner::unknown;
  switch (owner) {
    case FilterOwner::docker:
      if (iptables || base.legacy) return by_iptables(base, "DOCKER-USER", passage);
      if (const FilterChain* user = ruleset.find(base, "DOCKER-USER"))
        return by_nft(*user, passage);
      break;
    case FilterOwner::ufw:
      if (passage.kind == Passage::Kind::host)
        return fmt::format("ufw allow {} on {}", base.hook == "output" ? "out" : "in",
                           passage.bridge);
      if (passage.kind == Passage::Kind::bridged)
        return fmt::format("ufw route allow in on {0} out on {0}", passage.bridge);
      return fmt::format("ufw route allow in on {0} && ufw route allow out on {0}", passage.bridge);
    case FilterOwner::firewalld:
      return fmt::format(
          "firewall-cmd --permanent --zone=trusted --add-interface={} && firewall-cmd --reload",
          passage.bridge);
    case FilterOwner::unknown: break;
  }
  if (base.legacy || (base.iptables && iptables)) return by_iptables(base, base.name, passage);
  return by_nft(base, passage);
}

}  // namespace nutshell
