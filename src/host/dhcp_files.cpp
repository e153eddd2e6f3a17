// What dnsmasq is told, as text. The configuration is read once; `hosts`, `options` and `names` are
// read again at SIGHUP, so what changes with the machines is in those. What is told to some hosts
// only (the domain of their cloud, an MTU of their own) goes by tags. With IPv6 the domain of each
// host is in the configuration, too: dnsmasq makes names of addresses that hosts gave themselves
// (ra-names: of the lease's MAC, once the address answers a ping) in no other way.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "host/dhcp.hpp"
#include "nutshell/network.hpp"

namespace nutshell::host {
namespace {

constexpr const char* lease_time = "1h";

std::string tag_of_cloud(const DhcpHost& host) { return "cloud-" + host.cloud; }
std::string tag_of_mtu(const DhcpHost& host) { return fmt::format("mtu-{}", host.mtu); }

void sort_by_address(std::vector<DhcpHost>& hosts) {
  std::sort(hosts.begin(), hosts.end(),
            [](const DhcpHost& a, const DhcpHost& b) { return a.ip < b.ip; });
}

std::string render_dns(const DhcpNetwork& network) {
  if (!network.dns) return "port=0\nno-resolv\nno-poll\n";
  // `local` ends the question here: what nobody has in our domain is asked of nobody else.
  return fmt::format("local=/{}/\ndomain-needed\nbogus-priv\naddn-hosts=names\n{}", "nutshell",
                     network.upstream ? "" : "no-resolv\nno-poll\n");
}

/// Names for IPv6 come from leases, by the name and domain of each.
bool names_by_lease(const DhcpNetwork& network) { return network.dns && !network.ipv6.empty(); }

std::string render_ipv6(const DhcpNetwork& network, const std::vector<DhcpHost>& hosts) {
  if (network.ipv6.empty()) return "";
  const std::string prefix = network.ipv6.substr(0, network.ipv6.find('/'));
  std::string text = fmt::format("enable-ra\ndhcp-range={},{},64,{}\n", prefix,
                                 network.dns ? "ra-names" : "ra-only", lease_time);
  // A router with a lifetime of 0 is none: addresses come from it, and no way out (RFC 4861, 4.2).
  if (!network.gateway) text += fmt::format("ra-param={},0,0\n", network.bridge);
  if (!names_by_lease(network)) return text;
  text += "dhcp-fqdn\ndomain=nutshell\n";
  for (const DhcpHost& host : hosts)
    if (!host.name.empty())
      text += fmt::format("domain={},{}\n", dns_domain(host.cloud), to_string(host.ip));
  return text;
}

}  // namespace

std::string render_dhcp_config(const DhcpNetwork& network, std::vector<DhcpHost> hosts) {
  sort_by_address(hosts);
  // bind-dynamic looks at the link that a question came by; bind-interfaces would answer whoever
  // reaches the bridge's address, by any link. A host has the name that we gave it, whatever it
  // calls itself.
  std::string text = fmt::format(
      "# Written by nutshell. Addresses for the hosts in `hosts` only.\n"
      "interface={}\nexcept-interface=lo\nbind-dynamic\n"
      "no-hosts\n"
      "log-facility=-\nquiet-dhcp\nquiet-ra\n"
      "dhcp-range={},static,{},{}\n"
      "dhcp-authoritative\ndhcp-ignore-clid\ndhcp-ignore-names\nno-ping\n"
      "dhcp-hostsfile=hosts\ndhcp-optsfile=options\ndhcp-leasefile=leases\n",
      network.bridge, to_string(network.address.first()), to_string(network.address.netmask()),
      lease_time);
  text += render_dns(network);
  if (!network.gateway) text += "dhcp-option=option:router\n";
  if (network.mtu) text += fmt::format("dhcp-option=option:mtu,{}\n", network.mtu);
  return text + render_ipv6(network, hosts);
}

std::string render_dhcp_hosts(const DhcpNetwork& network, std::vector<DhcpHost> hosts) {
  sort_by_address(hosts);
  std::string text;
  for (const DhcpHost& host : hosts) {
    text += to_string(host.mac);
    if (!host.cloud.empty()) text += ",set:" + tag_of_cloud(host);
    if (host.mtu) text += ",set:" + tag_of_mtu(host);
    text += "," + to_string(host.ip);
    if (names_by_lease(network) && !host.name.empty()) text += "," + host.name;
    text += "\n";
  }
  return text;
}

std::string render_dhcp_options(const std::vector<DhcpHost>& hosts) {
  std::set<std::string> lines;
  for (const DhcpHost& host : hosts) {
    if (!host.cloud.empty()) {
      for (const char* option : {"domain-name", "domain-search"})
        lines.insert(fmt::format("tag:{},option:{},{}\n", tag_of_cloud(host), option,
                                 dns_domain(host.cloud)));
    }
    if (host.mtu) lines.insert(fmt::format("tag:{},option:mtu,{}\n", tag_of_mtu(host), host.mtu));
  }
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

std::string render_dhcp_names(std::vector<DhcpHost> hosts) {
  sort_by_address(hosts);
  std::string text;
  for (const DhcpHost& host : hosts)
    if (!host.name.empty())
      text += fmt::format("{} {}\n", to_string(host.ip), dns_name(host.name, host.cloud));
  return text;
}

}  // namespace nutshell::host
