// Each address is noted before it is put on a link, and only what is noted is ever taken away: the
// host's own addresses are none of ours.
#include "app/public_address.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "app/cloud_ranges.hpp"
#include "app/firewall_note.hpp"
#include "app/flows.hpp"
#include "app/guard.hpp"
#include "app/start.hpp"
#include "host/network.hpp"
#include "host/observe.hpp"
#include "host/probe.hpp"

namespace nutshell {
namespace {

/// The link that has the address's subnet; empty: none. `held` is true when the host has the very
/// address.
std::string link_for(const Facts& facts, Ipv4 address, bool& held) {
  std::string name;
  unsigned longest = 0;
  for (const AddressFact& fact : facts.addresses) {
    held = held || fact.net.address == address;
    if (fact.net.prefix >= 32 || fact.net.prefix < longest || !fact.net.contains(address)) continue;
    for (const LinkFact& link : facts.links)
      if (link.index == fact.link) name = link.name;
    longest = fact.net.prefix;
  }
  return name;
}

/// Takes away a noted one. The caller has the lock.
void let_go(const House& house, FirewallNote& note, Ipv4 address) {
  const auto noted =
      std::find_if(note.addresses.begin(), note.addresses.end(),
                   [&](const HeldAddress& one) { return one.address == to_string(address); });
  if (noted == note.addresses.end()) return;
  host::let_address(noted->link, address);
  note.addresses.erase(noted);
  write_firewall_note(house, note);
}

bool has(const std::vector<Ipv4>& all, Ipv4 one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

std::vector<Ipv4> publics_of(const std::vector<GuestNic>& nics) {
  std::vector<Ipv4> all;
  for (const GuestNic& nic : nics) all.insert(all.end(), nic.publics.begin(), nic.publics.end());
  return all;
}

bool take_addresses(House& house, const std::vector<GuestNic>& nics) {
  const std::vector<Ipv4> addresses = publics_of(nics);
  if (addresses.empty()) return false;
  bool put = false;
  const host::Lock lock = lock_firewall(house);
  FirewallNote note = read_firewall_note(house);
  const Facts facts = observe_parts(house, host::part::links | host::part::addresses);
  for (const Ipv4 address : addresses) {
    bool held = false;
    const std::string link = link_for(facts, address, held);
    if (link.empty() || held) continue;
    const HeldAddress one{to_string(address), link};
    if (std::find(note.addresses.begin(), note.addresses.end(), one) == note.addresses.end()) {
      note.addresses.push_back(one);
      write_firewall_note(house, note);
    }
    host::hold_address(link, address);
    put = true;
  }
  return put;
}

void give_addresses(House& house, const std::vector<GuestNic>& nics,
                    const std::vector<GuestNic>& kept) {
  const std::vector<Ipv4> addresses = publics_of(nics), staying = publics_of(kept);
  if (addresses.empty()) return;
  const host::Lock lock = lock_firewall(house);
  FirewallNote note = read_firewall_note(house);
  for (const Ipv4 address : addresses)
    if (!has(staying, address)) let_go(house, note, address);
}

void drop_stray_addresses(House& house) {
  std::vector<Ipv4> strays;
  {
    const host::Lock lock = lock_firewall(house);
    FirewallNote note = read_firewall_note(house);
    const std::vector<Ipv4> wanted = publics_of(guests_up(house));
    for (const HeldAddress& one : std::vector<HeldAddress>(note.addresses)) {
      const auto address = parse_ipv4(one.address);
      if (!address || has(wanted, *address)) continue;
      let_go(house, note, *address);
      strays.push_back(*address);
    }
    for (const PublicAddress& row : house.registry().addresses())
      if (!has(wanted, row.address)) strays.push_back(row.address);
  }
  end_flows_of(strays);
}

std::vector<std::string> address_faults(House& house) {
  const FirewallNote note = read_firewall_note(house);
  std::vector<std::string> faults;
  if (note.addresses.empty()) return faults;
  const Facts facts = observe_parts(house, host::part::links | host::part::addresses);
  for (const HeldAddress& one : note.addresses)
    if (std::none_of(facts.addresses.begin(), facts.addresses.end(), [&](const AddressFact& fact) {
          return to_string(fact.net.address) == one.address;
        }))
      faults.push_back(
          fmt::format("the public address {} is not on {} any more", one.address, one.link));
  return faults;
}

void probe_public_addresses(Facts& facts, const std::vector<Ipv4>& addresses) {
  std::map<std::string, std::vector<Ipv4>> by_link;
  for (const Ipv4 address : addresses) {
    bool held = false;
    const std::string link = link_for(facts, address, held);
    if (!link.empty() && !held) by_link[link].push_back(address);
  }
  for (const auto& [link, asked] : by_link) {
    const LinkFact* fact = facts.link(link);
    if (!fact || fact->mac.value == 0) continue;  // no Ethernet: nobody can be asked
    for (IpFact& answer : host::probe_addresses(link, asked))
      facts.ips.push_back(std::move(answer));
  }
}

void refuse_network(House& house, const std::string& pool, const std::string& cloud,
                    const std::optional<Ipv4>& wanted) {
  std::vector<AddressRange> asked;
  if (wanted)
    asked = {{*wanted, *wanted}};
  else if (pool == "public:" + cloud)
    asked = ranges_of(house, cloud).publics;
  for (const NetworkRow& row : house.registry().networks()) {
    const Ipv4Net net{row.address.first(), row.address.prefix};
    const bool has_all =
        !asked.empty() && net.contains(asked.front().first) && net.contains(asked.back().last);
    if (has_all)
      throw Conflict(
          fmt::format("{} is the network {}'s ({}), whose machines are given its addresses; launch "
                      "a machine there with --nic network={}, or choose an address elsewhere",
                      to_string(asked), row.name, to_string(net), row.name));
  }
}

void add_network_ranges(House& house, Facts& facts) {
  for (const NetworkRow& row : house.registry().networks())
    facts.ranges.push_back({row.address.first(), row.address.last(), "the network " + row.name});
}

}  // namespace nutshell
