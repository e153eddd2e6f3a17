// What somebody took away while machines run: a dnsmasq that died, rules that were flushed,
// forwarding that was put off, an address of a bridge, the bridge itself. Every command that looks
// has a look at all but the last, and has little time for it: the registry's specs are parsed only
// where something is missing.
#include <fmt/format.h>

#include <algorithm>

#include "app/firewall.hpp"
#include "app/forwarding.hpp"
#include "app/guard.hpp"
#include "app/guard_standing.hpp"
#include "app/lost.hpp"
#include "app/machine_state.hpp"
#include "app/network_up.hpp"
#include "app/public_address.hpp"
#include "host/dhcp.hpp"

namespace nutshell {
namespace {

/// A machine whose QEMU lives has had its network; one that is being started has not yet.
bool is_used_by_the_living(House& house, const std::string& network) {
  const std::string wanted = fmt::format("\"network\":\"{}\"", network);
  for (const MachineSummary& row : house.registry().runs()) {
    if (!row.run || row.spec_json.find(wanted) == std::string::npos) continue;
    const auto machine = house.registry().machine(row.uuid);
    if (machine && runs_on(*machine, network) && is_alive(house, row.uuid)) return true;
  }
  return false;
}

/// True when the rules are for somebody: not while the last machine leaves.
bool needs_rules(House& house) {
  for (const NetworkRow& network : house.registry().networks())
    if (is_used_by_the_living(house, network.name)) return true;
  for (const MachineSpec& spec : lost_machines(house))
    if (is_alive(house, spec.uuid)) return true;
  return !isolated_bridges(house).empty();
}

void tend_firewall(House& house) {
  try {
    const std::vector<std::string> faults = firewall_faults(house);
    const std::vector<std::string> drift = guard_drift(house);
    if (!drift.empty() && mend_drift(house))
      for (const std::string& fault : drift)
        house.reporter.note(fmt::format("firewall: {}; it is put right", fault));
    if (faults.empty()) return;
    const bool networks = needs_rules(house) && follow_networks(house, networks_up(house, Uuid{}));
    const bool guests = mend_guests(house);
    const bool addresses = take_addresses(house, guests_up(house));
    if (!networks && !guests && !addresses && drift.empty()) return;  // another has done it
    for (const std::string& fault : faults)
      house.reporter.note(fmt::format("networks: {}; it is put right", fault));
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    house.reporter.warn(
        fmt::format("the rules of the networks cannot be seen to: {}", error.what()));
  }
}

void tend_dhcp(House& house, const NetworkRow& network) {
  if (is_served(house, network.name) || !is_used_by_the_living(house, network.name)) return;
  try {
    const host::Lock lock = lock_network(house, network.name);
    if (is_served(house, network.name) || !is_used_by_the_living(house, network.name)) return;
    make_network(house, network);
    house.reporter.note(
        fmt::format("network {}: its dnsmasq had died, and is started again", network.name));
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    house.reporter.warn(fmt::format("network {}: its dnsmasq is gone and cannot be started: {}",
                                    network.name, error.what()));
  }
}

void tend_addresses(House& house, const NetworkRow& network) {
  try {
    const std::string lost = host::lost_addresses(bridge_of(house, network));
    if (lost.empty() || !is_used_by_the_living(house, network.name)) return;
    const host::Lock lock = lock_network(house, network.name);
    if (host::lost_addresses(bridge_of(house, network)).empty()) return;
    make_network(house, network);
    house.reporter.note(fmt::format("network {}: its bridge {} had lost {}, which is put right",
                                    network.name, network.bridge, lost));
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    house.reporter.warn(
        fmt::format("network {}: its bridge {} has lost its address, which cannot be put right: {}",
                    network.name, network.bridge, error.what()));
  }
}

}  // namespace

void tend_networks(House& house) {
  if (!house.root) return;
  tend_firewall(house);
  for (const NetworkRow& network : house.registry().networks()) {
    tend_addresses(house, network);
    tend_dhcp(house, network);
  }
}

void follow_running_networks(House& house) {
  const std::vector<NetworkRow> up = networks_up(house, Uuid{});
  if (!up.empty() || has_firewall(house)) follow_networks(house, up);
}

bool make_network_again(House& house, const std::string& bridge) {
  for (const NetworkRow& network : house.registry().networks()) {
    if (network.bridge != bridge || !is_used_by_the_living(house, network.name)) continue;
    if (house.dry()) return true;
    const host::Lock lock = lock_network(house, network.name);
    make_network(house, network);
    return true;
  }
  return false;
}

std::vector<std::string> network_rule_troubles(House& house) {
  std::vector<std::string> troubles;
  if (needs_rules(house) || !guests_up(house).empty())
    for (const std::string& fault : firewall_faults(house))
      troubles.push_back(fault + "; `nutshell ls` by root puts it right");
  for (const std::string& fault : guard_drift(house))
    troubles.push_back(fault + "; `nutshell ls` by root puts it right");
  return troubles;
}

std::vector<std::string> network_troubles(House& house) {
  std::vector<std::string> troubles;
  for (const NetworkRow& network : house.registry().networks()) {
    if (!is_used_by_the_living(house, network.name)) continue;
    if (const std::string lost = host::lost_addresses(bridge_of(house, network)); !lost.empty())
      troubles.push_back(
          fmt::format("the bridge {} of the network {} has lost {}; `nutshell ls` by root puts it "
                      "right",
                      network.bridge, network.name, lost));
    const auto dhcp = host::find_dhcp(house.paths.network_dir(network.name));
    if (!dhcp)
      troubles.push_back(fmt::format(
          "the dnsmasq of {} is gone; `nutshell ls` by root starts it again", network.name));
    else if (host::is_stopped(dhcp->pid))
      troubles.push_back(
          fmt::format("the dnsmasq of {} (pid {}) is stopped and answers nobody; `kill -CONT {}` "
                      "lets it go on",
                      network.name, dhcp->pid, dhcp->pid));
  }
  return troubles;
}

}  // namespace nutshell
