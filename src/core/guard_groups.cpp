// Security groups. A group is a chain of its own, so that a changed rule is one chain made anew and
// each machine that is in the group follows at once. Established is what answers the machine: a
// connection that came in must be allowed with each packet, and so ends with the rule that allowed
// it.
#include <fmt/format.h>

#include <algorithm>

#include "core/guard_parts.hpp"

namespace nutshell {
namespace {

/// FNV-1a, 64 bits.
std::uint64_t digest(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return value;
}

std::string words_of_groups(const GuestNic& nic) {
  std::string words;
  for (const std::string& group : nic.groups) words += (words.empty() ? "" : "+") + group;
  return words;
}

std::string port_words(const GroupRule& rule) {
  const std::string ports =
      rule.low == rule.high ? std::to_string(rule.low) : fmt::format("{}-{}", rule.low, rule.high);
  if (rule.protocol == "icmp") return "meta l4proto { icmp, icmpv6 } ";
  if (rule.protocol == "all") return "";
  return rule.low ? fmt::format("{} dport {} ", rule.protocol, ports)
                  : fmt::format("meta l4proto {} ", rule.protocol);
}

/// What comes in although no rule says so, as far as the kernel can tell.
std::vector<std::string> answers(Family family, BridgeTracking tracking) {
  const std::string neighbours =
      "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept";
  if (family == Family::inet)
    return {"ct direction reply ct state established accept", "ct state related accept",
            "ct status dnat ct original ip daddr != @publics ip daddr . meta l4proto . th dport "
            "@published_to accept",
            neighbours};
  // A DHCP server's answer is to a request that had no address; no machine of ours may send one.
  const std::string dhcp = "udp sport . udp dport { 67 . 68, 547 . 546 } accept";
  if (tracking == BridgeTracking::yes)
    return {"meta protocol arp accept", neighbours, dhcp,
            "ct direction reply ct state established accept", "ct state related accept"};
  return {"meta protocol arp accept",
          neighbours,
          dhcp,
          "tcp flags & (syn | ack) != syn accept",
          "icmp type { echo-reply, destination-unreachable, time-exceeded, parameter-problem } "
          "accept",
          "icmpv6 type { echo-reply, destination-unreachable, packet-too-big, time-exceeded, "
          "parameter-problem } accept"};
}

void put_sets(TableScript& script, const std::string& cloud, const std::string& group) {
  script.add_set(group_chain(cloud, group), "ipv4_addr");
  script.add_set(group_set6(cloud, group), "ipv6_addr");
}

const GroupRow* find(const Groups& groups, const std::string& cloud, const std::string& name) {
  const auto found = groups.find({cloud, name});
  return found == groups.end() ? nullptr : &found->second;
}

}  // namespace

std::string cloud_chain(const std::string& cloud) { return "cloud_" + cloud; }
std::string group_chain(const std::string& cloud, const std::string& group) {
  return fmt::format("group_{}_{}", cloud, group);
}
std::string group_set6(const std::string& cloud, const std::string& group) {
  return fmt::format("group6_{}_{}", cloud, group);
}
std::string filter_chain(const GuestNic& nic) {
  return fmt::format("filter_{}_{:016x}", nic.cloud, digest(words_of_groups(nic)));
}

Groups groups_of(const std::vector<GroupRow>& rows) {
  Groups groups;
  for (const GroupRow& row : rows) groups[{row.cloud, row.name}] = row;
  return groups;
}

void put_group_rules(TableScript& script, const GroupRow& group) {
  const std::string chain = group_chain(group.cloud, group.name);
  put_sets(script, group.cloud, group.name);
  for (const GroupRule& rule : group.rules)
    if (!rule.from_group.empty()) put_sets(script, group.cloud, rule.from_group);
  script.renew_chain(chain);
  for (const GroupRule& rule : group.rules) {
    const std::string rest = port_words(rule) + "accept";
    if (!rule.from_group.empty()) {
      script.add_rule(
          chain, fmt::format("ip saddr @{} {}", group_chain(group.cloud, rule.from_group), rest));
      script.add_rule(
          chain, fmt::format("ip6 saddr @{} {}", group_set6(group.cloud, rule.from_group), rest));
    } else if (!rule.from.empty()) {
      script.add_rule(chain, fmt::format("{} saddr {} {}",
                                         rule.from.find(':') == std::string::npos ? "ip" : "ip6",
                                         rule.from, rest));
    } else {
      script.add_rule(chain, rest);
    }
  }
}

std::vector<std::string> routed_ipv6(const GuestNic& nic) {
  if (nic.ipv6.empty()) return {};
  const std::string prefix = nic.ipv6.substr(0, nic.ipv6.find("::"));
  // Of four groups and four, none is left for "::" to stand for.
  const bool whole = std::count(prefix.begin(), prefix.end(), ':') == 3;
  return {prefix + (whole ? ":" : "::") + eui64(nic.mac)};
}

void put_groups(TableScript& script, const GuestNic& nic, const Groups& groups,
                BridgeTracking tracking) {
  if (nic.groups.empty()) return;
  const std::string filter = filter_chain(nic);
  for (const std::string& name : nic.groups) {
    // A group that is gone lets nobody in.
    const GroupRow* group = find(groups, nic.cloud, name);
    put_group_rules(script, group ? *group : GroupRow{nic.cloud, name, "", {}});
  }
  script.renew_chain(filter);
  for (const std::string& rule : answers(script.family(), tracking)) script.add_rule(filter, rule);
  for (const std::string& name : nic.groups)
    script.add_rule(filter, "jump " + group_chain(nic.cloud, name));
  script.add_rule(filter, fmt::format("counter drop comment \"nutshell:{}: closed by {}\"",
                                      nic.cloud, words_of_groups(nic).substr(0, 60)));
  for (const std::string& name : nic.groups) {
    if (nic.ip) script.add_element(group_chain(nic.cloud, name), to_string(*nic.ip), nic.mark);
    std::vector<std::string> own = routed_ipv6(nic);
    own.push_back("fe80::" + eui64(nic.mac));
    for (const std::string& address : own)
      script.add_element(group_set6(nic.cloud, name), address, nic.mark);
  }
}

void name_group_parts(const GuestNic& nic, const Groups& groups, std::vector<std::string>& chains,
                      std::vector<std::string>& sets) {
  if (nic.groups.empty()) return;
  chains.push_back(filter_chain(nic));
  const auto name_sets = [&](const std::string& group) {
    sets.push_back(group_chain(nic.cloud, group));
    sets.push_back(group_set6(nic.cloud, group));
  };
  for (const std::string& name : nic.groups) {
    chains.push_back(group_chain(nic.cloud, name));
    name_sets(name);
    const GroupRow* group = find(groups, nic.cloud, name);
    if (!group) continue;
    for (const GroupRule& rule : group->rules)
      if (!rule.from_group.empty()) name_sets(rule.from_group);
  }
}

std::string render_group(const GuardTables& tables, const GroupRow& group,
                         const std::vector<GuestNic>& guests) {
  bool bridged = false, routed = false;
  for (const GuestNic& nic : guests) {
    if (nic.cloud != group.cloud ||
        std::find(nic.groups.begin(), nic.groups.end(), group.name) == nic.groups.end())
      continue;
    bridged = true;
    routed = routed || nic.routed;
  }
  std::string text;
  for (const auto& [family, table] : {std::pair{Family::bridge, bridged ? tables.bridge : ""},
                                      std::pair{Family::inet, routed ? tables.inet : ""}}) {
    if (table.empty()) continue;
    TableScript script(family, table);
    put_group_rules(script, group);
    // Its rules may name groups whose machines had no set until now.
    for (const GroupRule& rule : group.rules)
      for (const GuestNic& nic : guests)
        if (!rule.from_group.empty() && nic.cloud == group.cloud && nic.ip &&
            std::find(nic.groups.begin(), nic.groups.end(), rule.from_group) != nic.groups.end())
          script.add_element(group_chain(group.cloud, rule.from_group), to_string(*nic.ip),
                             nic.mark);
    text += script.text();
  }
  return text;
}

}  // namespace nutshell
