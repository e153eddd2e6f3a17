// A machine's rules are elements of sets that stand in the tables from the beginning; chains are
// made only for what few machines have (a rate, further addresses) and for what many share (a
// cloud, a group). nft reads all chains and sets of a table before it adds anything, but not their
// elements: so the thousandth machine costs what the tenth does.
#include "nutshell/guard.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/guard_parts.hpp"

namespace nutshell {
namespace {

std::string quote(const std::string& name) { return "\"" + name + "\""; }
std::string on(const GuestNic& nic, const std::string& value) {
  return quote(nic.tap) + " . " + value;
}
std::string limit_chain(const GuestNic& nic, const char* direction) {
  return fmt::format("{}-{}", direction, nic.tap);
}
std::string also_chain(const GuestNic& nic) { return "also-" + nic.tap; }

/// A tenth of a second's worth, and never less than two of the largest packets that a tap takes.
std::uint64_t burst_of(std::uint64_t bytes) { return std::max<std::uint64_t>(bytes / 10, 131072); }

struct Element {
  std::string set, key, value;
};

/// The machine's side of its published ports, once each: two ports of the host may lead to one.
std::vector<Element> published_elements(const GuestNic& nic) {
  std::vector<Element> all;
  if (!nic.routed || !nic.ip) return all;
  for (const PublishedPort& port : nic.publish) {
    const std::string key =
        fmt::format("{} . {} . {}", to_string(*nic.ip), port.udp ? "udp" : "tcp", port.to);
    if (std::none_of(all.begin(), all.end(), [&](const Element& one) { return one.key == key; }))
      all.push_back({"published_to", key, ""});
  }
  return all;
}

/// All elements of a NIC in the table of the bridges.
std::vector<Element> bridge_elements(const GuestNic& nic) {
  std::vector<Element> all;
  const std::string tap = quote(nic.tap), half = eui64(nic.mac);
  if (nic.rate) {
    all.push_back({"limits_from", tap, " : jump " + limit_chain(nic, "from")});
    all.push_back({"limits_to", tap, " : jump " + limit_chain(nic, "to")});
  }
  if (nic.guarded) {
    all.push_back({"macs", on(nic, to_string(nic.mac)), ""});
    if (nic.ip) all.push_back({"addresses", on(nic, to_string(*nic.ip)), ""});
    all.push_back({"addresses6", on(nic, "fe80::" + half), ""});
    for (const std::string& own : routed_ipv6(nic)) all.push_back({"addresses6", on(nic, own), ""});
    if (!nic.routed) all.push_back({"hosts6", on(nic, "::" + half), ""});
    const std::uint64_t low = ((nic.mac.value ^ 0x020000000000) >> 24 << 40) | 0xfffe000000ULL |
                              (nic.mac.value & 0xffffff);
    all.push_back({"targets6", on(nic, fmt::format("0x{:016x}", low)), ""});
    if (!nic.also.empty()) all.push_back({"also", tap, " : jump " + also_chain(nic)});
    all.push_back({"guarded", tap, nic.tagged ? " : goto tagged" : " : goto untagged"});
  }
  if (nic.isolated) {
    all.push_back({"taps", tap, ""});
    all.push_back({cloud_chain(nic.cloud), tap, ""});
    all.push_back({"clouds", tap, " : jump " + cloud_chain(nic.cloud)});
    all.push_back({"across", tap, " : jump across_" + nic.cloud});
    if (nic.ip) {
      all.push_back({"guests", to_string(*nic.ip), ""});
      all.push_back({"cloud4_" + nic.cloud, to_string(*nic.ip), ""});
    }
  }
  if (!nic.groups.empty()) all.push_back({"groups", tap, " : goto " + filter_chain(nic)});
  for (Element& open : published_elements(nic)) all.push_back(std::move(open));
  if (nic.ip && !nic.publics.empty()) all.push_back({"reachable", to_string(*nic.ip), ""});
  return all;
}

std::vector<Element> inet_elements(const GuestNic& nic) {
  std::vector<Element> all;
  if (!nic.routed || !nic.ip) return all;
  const std::string ip = to_string(*nic.ip);
  const auto both = [&](const std::string& set, const std::string& value) {
    all.push_back({set, ip, value});
    for (const std::string& own : routed_ipv6(nic)) all.push_back({set + "6", own, value});
  };
  if (nic.isolated) {
    both("guests", "");
    all.push_back({cloud_chain(nic.cloud), ip, ""});
    for (const std::string& own : routed_ipv6(nic)) all.push_back({"cloud6_" + nic.cloud, own, ""});
    both("clouds", " : jump " + cloud_chain(nic.cloud));
  }
  if (!nic.groups.empty()) both("groups", " : goto " + filter_chain(nic));
  for (const PublishedPort& port : nic.publish) {
    const char* protocol = port.udp ? "udp" : "tcp";
    const std::string at = fmt::format("{} . {}", protocol, port.port);
    const std::string to = fmt::format(" : {} . {}", ip, port.to);
    if (port.address)
      all.push_back({"published_at", to_string(*port.address) + " . " + at, to});
    else
      all.push_back({"published", at, to});
  }
  for (Element& open : published_elements(nic)) all.push_back(std::move(open));
  for (const Ipv4 address : nic.publics) {
    all.push_back({"public", to_string(address), " : " + ip});
    all.push_back({"publics", to_string(address), ""});
  }
  if (!nic.publics.empty()) all.push_back({"private", ip, " : " + to_string(nic.publics.front())});
  return all;
}

void put_limit(TableScript& script, const GuestNic& nic, const char* direction) {
  const std::string chain = limit_chain(nic, direction);
  const std::uint64_t bytes = nic.rate / 8;
  script.renew_chain(chain);
  script.add_rule(chain, fmt::format("limit rate over {} bytes/second burst {} bytes counter drop "
                                     "comment \"{}\"",
                                     bytes, burst_of(bytes), nic.mark));
}

void put_also(TableScript& script, const GuestNic& nic) {
  const std::string chain = also_chain(nic);
  script.renew_chain(chain);
  for (const AddressRange& range : nic.also) {
    const std::string words =
        range.first == range.last
            ? to_string(range.first)
            : fmt::format("{}-{}", to_string(range.first), to_string(range.last));
    script.add_rule(chain, fmt::format("arp saddr ip {} accept comment \"{}\"", words, nic.mark));
    script.add_rule(chain, fmt::format("ip saddr {} accept comment \"{}\"", words, nic.mark));
  }
}

void put_cloud(TableScript& script, const std::string& cloud) {
  const std::string name = cloud_chain(cloud), six = "cloud6_" + cloud;
  const std::string dropped =
      fmt::format("counter drop comment \"nutshell:{}: another cloud\"", cloud);
  const bool bridge = script.family() == Family::bridge;
  script.add_set(name, bridge ? "ifname" : "ipv4_addr");
  if (!bridge) script.add_set(six, "ipv6_addr");
  script.renew_chain(name);
  if (bridge) {
    script.add_rule(name, fmt::format("oifname @{} return", name));
    const std::string across = "across_" + cloud, own = "cloud4_" + cloud;
    script.add_set(own, "ipv4_addr");
    script.renew_chain(across);
    script.add_rule(across, fmt::format("ip daddr @{} return", own));
    for (const std::string& chain : {name, across}) {
      script.add_rule(chain, "ip daddr . meta l4proto . th dport @published_to return");
      script.add_rule(chain, "ip daddr @reachable return");
    }
    // Answers of what is published: with br_netfilter they go from port to port, too. A connection
    // that it begins itself is none, as far as TCP tells.
    for (const char* from :
         {"ip saddr . meta l4proto . th sport @published_to", "ip saddr @reachable"})
      for (const char* answer : {"tcp flags & (syn | ack) != syn", "meta l4proto != tcp"})
        script.add_rule(name, fmt::format("{} {} return", from, answer));
    script.add_rule(name, "oifname @taps " + dropped);
    script.add_rule(across, "ip daddr @guests " + dropped);
    return;
  }
  // What came by a published port or a public address was meant to come.
  script.add_rule(name, "ct status dnat return");
  script.add_rule(name, fmt::format("ip daddr @{} return", name));
  script.add_rule(name, "ip daddr @guests " + dropped);
  script.add_rule(name, fmt::format("ip6 daddr @{} return", six));
  script.add_rule(name, "ip6 daddr @guests6 " + dropped);
}

void put(TableScript& script, const GuestNic& nic, const Groups& groups, BridgeTracking tracking) {
  const bool bridge = script.family() == Family::bridge;
  if (!bridge && (!nic.routed || !nic.ip)) return;
  if (nic.isolated) put_cloud(script, nic.cloud);
  put_groups(script, nic, groups, tracking);
  if (bridge && nic.rate) {
    put_limit(script, nic, "from");
    put_limit(script, nic, "to");
  }
  if (bridge && nic.guarded && !nic.also.empty()) put_also(script, nic);
  for (const Element& element : bridge ? bridge_elements(nic) : inet_elements(nic))
    script.add_element(element.set, element.key, nic.mark, element.value);
}

struct Parts {
  std::vector<std::string> chains, sets;
};

Parts parts_of(Family family, const std::vector<GuestNic>& nics, const Groups& groups) {
  Parts parts;
  for (const GuestNic& nic : nics) {
    if (family == Family::inet && (!nic.routed || !nic.ip)) continue;
    name_group_parts(nic, groups, parts.chains, parts.sets);
    if (nic.isolated) {
      parts.chains.push_back(cloud_chain(nic.cloud));
      parts.sets.push_back(cloud_chain(nic.cloud));
      if (family == Family::inet) {
        parts.sets.push_back("cloud6_" + nic.cloud);
      } else {
        parts.chains.push_back("across_" + nic.cloud);
        parts.sets.push_back("cloud4_" + nic.cloud);
      }
    }
    if (family == Family::inet) continue;
    if (nic.rate)
      for (const char* direction : {"from", "to"})
        parts.chains.push_back(limit_chain(nic, direction));
    if (nic.guarded && !nic.also.empty()) parts.chains.push_back(also_chain(nic));
  }
  return parts;
}

/// What is in the first list and not in the second, once each, in the order of the first.
std::vector<std::string> without(const std::vector<std::string>& all,
                                 const std::vector<std::string>& kept) {
  std::vector<std::string> left;
  for (const std::string& one : all)
    if (std::find(kept.begin(), kept.end(), one) == kept.end() &&
        std::find(left.begin(), left.end(), one) == left.end())
      left.push_back(one);
  return left;
}

void take_out(TableScript& script, const std::vector<GuestNic>& nics,
              const std::vector<GuestNic>& rest, const Groups& groups, Shared shared) {
  const bool bridge = script.family() == Family::bridge;
  for (const GuestNic& nic : nics) {
    if (!bridge && (!nic.routed || !nic.ip)) continue;
    for (const Element& element : bridge ? bridge_elements(nic) : inet_elements(nic))
      script.drop_element(element.set, element.key);
    for (const std::string& group : nic.groups) {
      if (nic.ip) script.drop_element(group_chain(nic.cloud, group), to_string(*nic.ip));
      std::vector<std::string> own = routed_ipv6(nic);
      own.push_back("fe80::" + eui64(nic.mac));
      for (const std::string& address : own)
        script.drop_element(group_set6(nic.cloud, group), address);
    }
    if (bridge && nic.guarded) {
      // There if it ever sent what it may not.
      script.add_element("forged", quote(nic.tap), nic.mark);
      script.drop_element("forged", quote(nic.tap));
    }
  }
  Parts all = parts_of(script.family(), nics, groups);
  const Parts kept = parts_of(script.family(), rest, groups);
  if (shared == Shared::keep) {
    all.sets.clear();
    std::erase_if(all.chains, [](const std::string& chain) {
      return chain.find('_') != std::string::npos;  // a tap's own have none
    });
  }
  const auto chains = without(all.chains, kept.chains);
  for (const std::string& chain : chains) script.flush_chain(chain);
  for (const std::string& chain : chains) script.drop_chain(chain);
  for (const std::string& set : without(all.sets, kept.sets)) script.drop_set(set);
}

std::string scripts(const GuardTables& tables, const auto& filling, const auto& write) {
  std::string text;
  for (const auto& [family, table] :
       {std::pair{Family::bridge, tables.bridge}, std::pair{Family::inet, tables.inet}}) {
    if (table.empty()) continue;
    TableScript script(family, table, filling(family));
    write(script);
    text += script.text();
  }
  return text;
}

}  // namespace

std::string render_guests(const GuardTables& tables, const std::vector<GuestNic>& nics,
                          const Groups& groups, const std::vector<GuestNic>& others) {
  const auto filling = [&](Family family) {
    const auto chains = parts_of(family, others, groups).chains;
    return Filling{true, {chains.begin(), chains.end()}};
  };
  return scripts(tables, filling, [&](TableScript& script) {
    for (const GuestNic& nic : nics) put(script, nic, groups, tables.tracking);
  });
}

std::string render_guests_removal(const GuardTables& tables, const std::vector<GuestNic>& nics,
                                  const std::vector<GuestNic>& rest, const Groups& groups,
                                  Shared shared) {
  // First everything is there, so that it can be taken away by name.
  const auto filling = [](Family) { return Filling{false, {}}; };
  return scripts(tables, filling, [&](TableScript& script) {
    for (const GuestNic& nic : nics) put(script, nic, groups, tables.tracking);
    take_out(script, nics, rest, groups, shared);
  });
}

}  // namespace nutshell
