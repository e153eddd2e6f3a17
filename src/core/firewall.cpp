// One table, made whole each time: small enough to be read in one piece, and no rule of it can be
// left from an earlier day. It decides about packets of our own bridges only; everything else falls
// through to the policy, which is accept, and to the tables of others, which still have their word.
#include "nutshell/firewall.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace nutshell {
namespace {

using Networks = std::vector<FirewallNetwork>;

Networks sorted(Networks networks) {
  std::sort(networks.begin(), networks.end(),
            [](const FirewallNetwork& a, const FirewallNetwork& b) { return a.name < b.name; });
  return networks;
}

std::string subnet_of(const FirewallNetwork& network) {
  return to_string(Ipv4Net{network.subnet.first(), network.subnet.prefix});
}

/// `		WORD vmap { "bridge" : jump PREFIXname, ... }`, for the networks that are meant;
/// nothing for none.
std::string dispatch(const Networks& networks, const std::string& word, const std::string& prefix,
                     const std::function<bool(const FirewallNetwork&)>& meant) {
  std::string entries;
  for (const FirewallNetwork& each : networks)
    if (meant(each))
      entries += fmt::format("{}\"{}\" : jump {}{}", entries.empty() ? "" : ", ", each.bridge,
                             prefix, each.name);
  return entries.empty() ? "" : fmt::format("\t\t{} vmap {{ {} }}\n", word, entries);
}

bool is_isolated(const FirewallNetwork& network) { return network.mode == NetworkMode::isolated; }

/// What may come to a network. Where br_netfilter is on, frames from port to port of a bridge pass
/// here too, with the bridge on both sides.
std::string chain_to(const FirewallNetwork& network) {
  std::string rules = fmt::format("\t\tiifname \"{}\" accept\n", network.bridge);
  switch (network.mode) {
    case NetworkMode::nat:
      rules += "\t\tct state established,related accept\n\t\tct status dnat accept\n\t\tdrop\n";
      break;
    case NetworkMode::routed: rules += "\t\taccept\n"; break;
    case NetworkMode::isolated: rules += "\t\tdrop\n"; break;
  }
  return fmt::format("\n\tchain to-{} {{\n{}\t}}\n", network.name, rules);
}

std::string chain_from(const FirewallNetwork& network) {
  return fmt::format("\n\tchain from-{} {{\n\t\toifname \"{}\" accept\n\t\tdrop\n\t}}\n",
                     network.name, network.bridge);
}

/// What an isolated network may ask of the host: an address, a name, and who has which IPv6
/// address.
constexpr const char* services =
    "\n\tchain services {\n"
    "\t\tct state established,related accept\n"
    "\t\tudp dport { 53, 67 } accept\n"
    "\t\ttcp dport 53 accept\n"
    "\t\ticmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept\n"
    "\t\tdrop\n"
    "\t}\n";

std::string chain_input(const Networks& networks) {
  std::string entries;
  for (const FirewallNetwork& each : networks)
    if (is_isolated(each))
      entries += fmt::format("{}\"{}\" : jump services", entries.empty() ? "" : ", ", each.bridge);
  if (entries.empty()) return "";
  return fmt::format(
      "\n\tchain input {{\n\t\ttype filter hook input priority filter; policy accept;\n"
      "\t\tiifname vmap {{ {} }}\n\t}}\n{}",
      entries, services);
}

/// Out under the machine's public address, or the host's of whichever link it is; what the host
/// says to itself stays as it is. What came back to its own network by a published port must be
/// answered by the way it came.
std::string chain_masquerade(const Networks& networks) {
  std::string rules;
  for (const FirewallNetwork& each : networks) {
    if (is_isolated(each)) continue;
    const std::string subnet = subnet_of(each);
    const std::string beyond = fmt::format("oifname != {{ \"lo\", \"{}\" }}", each.bridge);
    rules += fmt::format("\t\tip saddr {0} ip daddr {0} ct status dnat masquerade\n", subnet);
    rules += fmt::format("\t\tip saddr {} {} snat ip to ip saddr map @private\n", subnet, beyond);
    if (each.mode != NetworkMode::nat) continue;
    rules += fmt::format("\t\tip saddr {} {} masquerade\n", subnet, beyond);
    if (!each.ipv6.empty())
      rules += fmt::format("\t\tip6 saddr {} {} masquerade\n", each.ipv6, beyond);
  }
  if (rules.empty()) return "";
  return "\n\tchain postrouting {\n\t\ttype nat hook postrouting priority srcnat; policy "
         "accept;\n" +
         rules + "\t}\n";
}

/// The setting of the link keeps IPv4 from being forwarded, and nothing keeps IPv6 (Linux:
/// ip6_forward looks at the one setting for all links).
std::string rules_of_closed(std::vector<std::string> bridges) {
  std::sort(bridges.begin(), bridges.end());
  std::string rules;
  for (const std::string& each : bridges)
    rules += fmt::format(
        "\t\tiifname \"{0}\" oifname != \"{0}\" drop\n"
        "\t\toifname \"{0}\" iifname != \"{0}\" drop\n",
        each);
  return rules;
}

std::string chains(const Firewall& firewall) {
  const Networks networks = sorted(firewall.networks);
  std::string text = "\n" + render_guest_parts();
  text += "\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n" +
          rules_of_closed(firewall.closed) + dispatch(networks, "iifname", "from-", is_isolated) +
          dispatch(networks, "oifname", "to-", [](const FirewallNetwork&) { return true; }) +
          "\t}\n";
  for (const FirewallNetwork& each : networks) {
    if (is_isolated(each)) text += chain_from(each);
    text += chain_to(each);
  }
  return text + chain_input(networks) + chain_masquerade(networks);
}

/// FNV-1a, 64 bits: it only has to differ when the text does.
std::uint64_t digest(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return value;
}

}  // namespace

std::string firewall_mark(std::string_view tag) { return fmt::format("nutshell:{}", tag); }

std::string firewall_comment(const Firewall& firewall) {
  return fmt::format("{} {:016x}{}{}", firewall.mark, digest(chains(firewall)),
                     firewall.forwards_ipv4 ? " ipv4" : "", firewall.forwards_ipv6 ? " ipv6" : "");
}

bool has_word(std::string_view comment, std::string_view word) {
  const std::string wanted = " " + std::string(word) + " ";
  return (std::string(comment) + " ").find(wanted) != std::string::npos;
}

bool has_mark(std::string_view comment, std::string_view mark) {
  return comment == mark || (comment.starts_with(mark) && comment[mark.size()] == ' ');
}

std::string render_firewall(const Firewall& firewall, std::optional<std::uint64_t> instead_of) {
  // `create` makes the table alone, whatever stands in its braces (nft 1.0.6): the chains are
  // added.
  return fmt::format(
      "{}create table inet {} {{ comment \"{}\"; }}\ntable inet {} {{{}}}\n{}",
      instead_of ? render_removal(*instead_of) : "", firewall.table, firewall_comment(firewall),
      firewall.table, chains(firewall),
      render_guests({"", firewall.table, BridgeTracking::no}, firewall.guests, firewall.groups));
}

std::string bridge_firewall_comment(const Firewall& firewall) {
  return fmt::format("{} {:016x}", firewall.mark, digest(render_bridge_base("")));
}

std::string render_bridge_firewall(const Firewall& firewall, BridgeTracking tracking,
                                   std::optional<std::uint64_t> instead_of) {
  return fmt::format(
      "{}create table bridge {} {{ comment \"{}\"; }}\n{}{}",
      instead_of ? render_removal(*instead_of, "bridge") : "", firewall.table,
      bridge_firewall_comment(firewall), render_bridge_base(firewall.table),
      render_guests({firewall.table, "", tracking}, firewall.guests, firewall.groups));
}

std::string render_removal(std::uint64_t handle, std::string_view family) {
  return fmt::format("delete table {} handle {}\n", family, handle);
}

}  // namespace nutshell
