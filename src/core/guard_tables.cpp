// The two tables as they stand before any machine: what is decided about a packet, once for all
// machines, by what the sets hold of its tap and addresses.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "nutshell/guard.hpp"

namespace nutshell {
namespace {

constexpr const char* bridge_base =
    "\tset macs { type ifname . ether_addr; }\n"
    "\tset addresses { type ifname . ipv4_addr; }\n"
    "\tset addresses6 { type ifname . ipv6_addr; }\n"
    // The lower half of an IPv6 address, and that of the address which an advertisement is about.
    "\tset hosts6 { type ifname . ipv6_addr; }\n"
    "\tset targets6 { typeof iifname . @th,128,64; }\n"
    "\tset taps { type ifname; }\n"
    // Ports that are published, and machines with a public address: with br_netfilter, what comes
    // to them from their own bridge goes on from port to port.
    "\tset published_to { type ipv4_addr . inet_proto . inet_service; }\n"
    "\tset reachable { type ipv4_addr; }\n"
    "\tset forged { type ifname; size 65535; flags dynamic; }\n"
    "\tmap limits_from { type ifname : verdict; }\n"
    "\tmap limits_to { type ifname : verdict; }\n"
    "\tmap guarded { type ifname : verdict; }\n"
    "\tmap also { type ifname : verdict; }\n"
    "\tmap clouds { type ifname : verdict; }\n"
    // The way round by the host, where it forwards.
    "\tset guests { type ipv4_addr; }\n"
    "\tmap across { type ifname : verdict; }\n"
    "\tmap groups { type ifname : verdict; }\n"
    "\n\tchain prerouting {\n"
    "\t\ttype filter hook prerouting priority -300; policy accept;\n"
    "\t\tiifname vmap @limits_from\n"
    "\t\tiifname vmap @guarded\n"
    "\t}\n"
    "\n\tchain untagged {\n"
    "\t\tether type != { arp, ip, ip6 } goto forgery\n"
    "\t\tgoto tagged\n"
    "\t}\n"
    "\n\tchain tagged {\n"
    "\t\tiifname . ether saddr != @macs goto forgery\n"
    "\t\tmeta protocol vmap { arp : goto arp_sender, ip : goto source, ip6 : goto source6 }\n"
    "\t\tgoto forgery\n"
    "\t}\n"
    "\n\tchain arp_sender {\n"
    "\t\tiifname . arp saddr ether @macs goto arp_address\n"
    "\t\tgoto forgery\n"
    "\t}\n"
    // 0.0.0.0 asks whether an address is free (RFC 5227).
    "\n\tchain arp_address {\n"
    "\t\tiifname . arp saddr ip @addresses accept\n"
    "\t\tarp saddr ip 0.0.0.0 accept\n"
    "\t\tiifname vmap @also\n"
    "\t\tgoto forgery\n"
    "\t}\n"
    "\n\tchain source {\n"
    "\t\tudp sport 67 goto forgery\n"
    "\t\tiifname . ip saddr @addresses accept\n"
    "\t\tip saddr 0.0.0.0 udp sport 68 udp dport 67 accept\n"
    "\t\tiifname vmap @also\n"
    "\t\tgoto forgery\n"
    "\t}\n"
    "\n\tchain source6 {\n"
    "\t\ticmpv6 type { nd-router-advert, nd-redirect } goto forgery\n"
    "\t\tudp sport 547 goto forgery\n"
    "\t\ticmpv6 type nd-neighbor-advert iifname . @th,128,64 != @targets6 goto forgery\n"
    // Nobody else's address may be asked for in its name before it has it (RFC 4862, 5.4).
    "\t\tip6 saddr :: icmpv6 type nd-neighbor-solicit iifname . @th,128,64 @targets6 accept\n"
    "\t\tip6 saddr :: icmpv6 type { nd-router-solicit, mld-listener-report, "
    "mld2-listener-report } accept\n"
    "\t\tiifname . ip6 saddr @addresses6 accept\n"
    "\t\tiifname . (ip6 saddr & ::ffff:ffff:ffff:ffff) @hosts6 accept\n"
    "\t\tgoto forgery\n"
    "\t}\n"
    "\n\tchain forgery {\n"
    "\t\tadd @forged { iifname counter } counter drop\n"
    "\t}\n"
    "\n\tchain forward {\n"
    "\t\ttype filter hook forward priority filter; policy accept;\n"
    "\t\tiifname vmap @clouds\n"
    "\t\toifname vmap @groups\n"
    "\t}\n"
    "\n\tchain input {\n"
    "\t\ttype filter hook input priority filter; policy accept;\n"
    "\t\tiifname vmap @across\n"
    "\t}\n"
    "\n\tchain postrouting {\n"
    "\t\ttype filter hook postrouting priority 300; policy accept;\n"
    "\t\toifname vmap @limits_to\n"
    "\t}\n";

// Clouds and groups have base chains of their own, before the networks': what they accept is not
// yet accepted there. A port is published on the host's own addresses, a public address is a
// machine's whole; what is for the loopback cannot leave the host.
constexpr const char* inet_parts =
    "\tset guests { type ipv4_addr; }\n"
    "\tset guests6 { type ipv6_addr; }\n"
    "\tset published_to { type ipv4_addr . inet_proto . inet_service; }\n"
    "\tset publics { type ipv4_addr; }\n"
    "\tmap clouds { type ipv4_addr : verdict; }\n"
    "\tmap clouds6 { type ipv6_addr : verdict; }\n"
    "\tmap groups { type ipv4_addr : verdict; }\n"
    "\tmap groups6 { type ipv6_addr : verdict; }\n"
    "\tmap published { type inet_proto . inet_service : ipv4_addr . inet_service; }\n"
    "\tmap published_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; "
    "}\n"
    "\tmap public { type ipv4_addr : ipv4_addr; }\n"
    "\tmap private { type ipv4_addr : ipv4_addr; }\n"
    "\n\tchain clouds {\n"
    "\t\ttype filter hook forward priority filter - 2; policy accept;\n"
    "\t\tip saddr vmap @clouds\n"
    "\t\tip6 saddr vmap @clouds6\n"
    "\t}\n"
    "\n\tchain groups {\n"
    "\t\ttype filter hook forward priority filter - 1; policy accept;\n"
    "\t\tip daddr vmap @groups\n"
    "\t\tip6 daddr vmap @groups6\n"
    "\t}\n"
    "\n\tchain prerouting {\n"
    "\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
    "\t\tjump inward\n"
    "\t}\n"
    "\n\tchain output {\n"
    "\t\ttype nat hook output priority -100; policy accept;\n"
    "\t\tip daddr != 127.0.0.0/8 jump inward\n"
    "\t}\n"
    "\n\tchain inward {\n"
    "\t\tdnat ip to ip daddr map @public\n"
    "\t\tmeta l4proto != { tcp, udp } return\n"
    "\t\tdnat ip to ip daddr . meta l4proto . th dport map @published_at\n"
    "\t\tfib daddr type local dnat ip to meta l4proto . th dport map @published\n"
    "\t}\n";

}  // namespace

std::string render_bridge_base(const std::string& table) {
  return fmt::format("table bridge {} {{\n{}}}\n", table, bridge_base);
}

bool comes_and_goes(std::string_view name) {
  constexpr std::string_view beginnings[] = {"cloud_",  "cloud4_", "cloud6_", "across_", "group_",
                                             "group6_", "filter_", "also-nt", "from-nt", "to-nt"};
  return std::any_of(std::begin(beginnings), std::end(beginnings),
                     [&](std::string_view each) { return name.starts_with(each); });
}

std::string render_guest_parts() { return inet_parts; }

}  // namespace nutshell
