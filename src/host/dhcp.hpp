// The dnsmasq of a managed network: the only thing of ours that stays while machines run. It hands
// each MAC the address that the registry leased to it, and nobody else anything.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "host/proc.hpp"
#include "nutshell/values.hpp"

namespace nutshell::host {

struct DhcpHost {
  Mac mac;
  Ipv4 ip;
  std::string name{}, cloud{};  ///< known in DNS as dns_name(name, cloud); empty: not known there
  unsigned mtu = 0;             ///< told to this host alone; 0: the network's
  bool operator==(const DhcpHost&) const = default;
};

struct DhcpNetwork {
  std::string folder;  ///< paths.network_dir(name); made (0711) where missing
  std::string bridge;
  Ipv4Net address;       ///< the bridge's own: the addresses that are served
  bool gateway = true;   ///< the bridge's address is the way out of the network
  bool dns = false;      ///< it answers for names, too
  bool upstream = true;  ///< and asks the host's resolvers for those that it does not know
  unsigned mtu = 0;      ///< told to the hosts; 0: not told
  std::string ipv6{};    ///< advertised /64 prefix; empty: none
};

/// What the files of such a server say. Pure. The configuration depends on the hosts only where
/// there are IPv6 and DNS.
std::string render_dhcp_config(const DhcpNetwork& network, std::vector<DhcpHost> hosts);
/// Who may have an address, and to which cloud he belongs; by address.
std::string render_dhcp_hosts(const DhcpNetwork& network, std::vector<DhcpHost> hosts);
/// What is told to some hosts and not to others.
std::string render_dhcp_options(const std::vector<DhcpHost>& hosts);
/// Names and addresses, as in hosts(5).
std::string render_dhcp_names(std::vector<DhcpHost> hosts);

/// From here on dnsmasq answers on the bridge for exactly these hosts. Starts it, or tells the one
/// that runs; it is restarted (a few milliseconds) where an address that it has leased to another
/// MAC is to be taken back, and where its configuration is another now. Call it under the network's
/// lock. Throws Failed: dnsmasq is not installed (which package), or died at its start (with what
/// it said); Conflict: a port of it is held (by whom).
void start_dhcp(const DhcpNetwork& network, const std::vector<DhcpHost>& hosts);
/// Ends it and removes its files and folder; gone already is done. Throws Failed when it does not
/// end.
void stop_dhcp(const std::string& folder);
/// The dnsmasq that serves from that folder; nullopt when none runs. Found even when its launcher
/// was killed before it could note the pid.
std::optional<Identity> find_dhcp(const std::string& folder);
/// The folders below `run` that a dnsmasq of ours serves from, gone or not, by the command lines of
/// all processes.
std::vector<std::string> served_folders(const std::string& run);

/// True when a dnsmasq lease file gives an address to another MAC than `hosts` does. Pure.
bool has_stale_lease(const std::string& leases, const std::vector<DhcpHost>& hosts);
/// Its lines without the leases of who is not in `hosts` with that very address and a name: a lease
/// would bring back the name that it was given under. Pure.
std::string leases_of_hosts(const std::string& leases, const std::vector<DhcpHost>& hosts);

}  // namespace nutshell::host
