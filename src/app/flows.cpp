// Which open connections go when an address or a port changes hands. What leads to nobody else
// stays: the host's own connections, and those of other machines.
#include "app/flows.hpp"

#include <algorithm>

#include "app/public_address.hpp"
#include "host/conntrack.hpp"

namespace nutshell {
namespace {

bool leads_to(const PublishedPort& port, const host::Flow& flow) {
  return flow.port == port.port && (port.udp ? flow.udp : flow.tcp) && flow.to_us &&
         (!port.address || *port.address == flow.destination);
}

bool has(const std::vector<Ipv4>& all, Ipv4 one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

void end_flows_of(const std::vector<Ipv4>& addresses) {
  if (addresses.empty()) return;
  host::end_flows([&](const host::Flow& flow) {
    return std::any_of(addresses.begin(), addresses.end(),
                       [&](Ipv4 address) { return flow.names(address); });
  });
}

void end_flows_before(const std::vector<GuestNic>& nics) {
  const std::vector<Ipv4> addresses = publics_of(nics);
  std::vector<PublishedPort> ports;
  for (const GuestNic& nic : nics)
    ports.insert(ports.end(), nic.publish.begin(), nic.publish.end());
  if (addresses.empty() && ports.empty()) return;
  host::end_flows([&](const host::Flow& flow) {
    return has(addresses, flow.source) || has(addresses, flow.destination) ||
           std::any_of(ports.begin(), ports.end(),
                       [&](const PublishedPort& port) { return leads_to(port, flow); });
  });
}

void end_flows_after(const std::vector<GuestNic>& nics) {
  std::vector<Ipv4> addresses = publics_of(nics);
  for (const GuestNic& nic : nics)
    if (nic.routed && nic.ip) addresses.push_back(*nic.ip);
  end_flows_of(addresses);
}

void end_flows_between(const std::vector<GuestNic>& before, const std::vector<GuestNic>& after) {
  const std::vector<Ipv4> old = publics_of(before), now = publics_of(after);
  std::vector<Ipv4> changed;
  for (const Ipv4 address : old)
    if (!has(now, address)) changed.push_back(address);
  for (const Ipv4 address : now)
    if (!has(old, address)) changed.push_back(address);
  end_flows_of(changed);
}

}  // namespace nutshell
