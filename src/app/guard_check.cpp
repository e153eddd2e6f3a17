// What a machine asks of the firewall, from its spec: which NIC gets what, and what is refused
// before anything is changed, in words.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "app/firewall_kept.hpp"
#include "app/guard.hpp"
#include "host/listen.hpp"
#include "host/nft.hpp"
#include "host/tool.hpp"
#include "nutshell/error.hpp"

namespace nutshell {
namespace {

bool has_nft() { return host::find_program("nft").has_value(); }

/// The NIC that published ports and public addresses lead to.
std::optional<std::size_t> reachable_nic(House& house, const MachineSpec& spec) {
  for (std::size_t i = 0; i < spec.nics.size(); ++i) {
    if (spec.nics[i].kind != NicKind::network) continue;
    const auto network = house.registry().network(spec.nics[i].network);
    // One that is not there yet is the default one, which is a NAT network.
    if (!network || network->mode != NetworkMode::isolated) return i;
  }
  return std::nullopt;
}

std::vector<Ipv4> publics_of(House& house, const Uuid& uuid) {
  std::vector<Ipv4> addresses;
  for (const PublicAddress& one : house.registry().addresses())
    if (one.machine == uuid) addresses.push_back(one.address);
  return addresses;
}

bool is_on_bridge(const NicSpec& nic) { return nic.kind == NicKind::bridge; }

/// What the user has asked for in so many words, which must be there or nothing runs.
bool is_asked_for(const MachineSpec& spec, const NicSpec& nic) {
  return nic.is_guarded() || nic.rate || !spec.groups.empty();
}

void check_groups(House& house, const MachineSpec& spec) {
  const std::string who = to_string(spec.name);
  const Groups groups = groups_of(house.registry().groups());
  for (const std::string& group : spec.groups)
    if (!groups.contains({spec.name.cloud, group}))
      throw NotFound(
          fmt::format("{}: there is no security group {} in the cloud {}; `nutshell group create "
                      "{}{}` makes it",
                      who, printable(group), spec.name.cloud, printable(group),
                      spec.name.cloud == "default" ? "" : " --cloud " + spec.name.cloud));
  for (const NicSpec& nic : spec.nics) {
    if (nic.kind == NicKind::macvtap)
      throw ConfigError("--group",
                        fmt::format("no rule of the host sees the frames of a macvtap link, so {} "
                                    "would be open there; put that NIC on a bridge or a network",
                                    who));
    if (nic.kind != NicKind::network) continue;
    if (nic.antispoof == false)
      throw ConfigError("--nic",
                        "antispoof=off and --group contradict each other on a managed "
                        "network: groups know a machine by its addresses");
    if (!nic.also.empty())
      throw ConfigError("--nic",
                        "also= and --group contradict each other on a managed network: "
                        "groups know a machine by the address that it was given");
  }
  if (std::any_of(spec.nics.begin(), spec.nics.end(), is_on_bridge) &&
      !host::bridges_track_connections())
    throw Failed(
        fmt::format("{}: --group on a NIC of a bridge needs connection tracking there, "
                    "which this kernel lacks (nf_conntrack_bridge); put the machine on a "
                    "managed network instead",
                    who));
}

/// What has been taken back on a later day is not to come again by an older registry's word.
void refuse_older_rules(House& house, const MachineSpec& spec) {
  if (!spec.groups.empty() || !publics_of(house, spec.uuid).empty()) refuse_later_firewall(house);
}

/// True when one of the host's addresses would be published twice.
bool clash(const PublishedPort& one, const PublishedPort& other) {
  return one.port == other.port && one.udp == other.udp &&
         (!one.address || !other.address || one.address == other.address);
}

}  // namespace

std::vector<GuestNic> guests_of(House& house, const MachineSpec& spec,
                                const std::vector<std::string>& taps) {
  std::vector<GuestNic> nics;
  const auto reachable = reachable_nic(house, spec);
  const bool isolates = house.config.isolate_clouds && has_nft();
  for (std::size_t i = 0; i < spec.nics.size(); ++i) {
    const NicSpec& from = spec.nics[i];
    if (i >= taps.size() || taps[i].empty() || !from.mac || !from.is_bridged()) continue;
    GuestNic nic;
    nic.tap = taps[i];
    nic.mark = tap_mark(spec.name, static_cast<unsigned>(i));
    nic.cloud = spec.name.cloud;
    nic.mac = *from.mac;
    nic.guarded = from.is_guarded();
    nic.tagged = !from.trunk.empty();
    nic.isolated = isolates;
    nic.ip = from.ip;
    nic.also = from.also;
    nic.rate = from.rate;
    nic.groups = spec.groups;
    std::sort(nic.groups.begin(), nic.groups.end());
    if (from.kind == NicKind::network) {
      nic.routed = true;
      if (const auto network = house.registry().network(from.network)) nic.ipv6 = network->ipv6;
    }
    if (reachable == i) {
      nic.publish = spec.publish;
      nic.publics = publics_of(house, spec.uuid);
    }
    if (nic.guarded || nic.isolated || nic.rate || !nic.groups.empty() || !nic.publish.empty() ||
        !nic.publics.empty())
      nics.push_back(std::move(nic));
  }
  return nics;
}

void check_guard(House& house, const MachineSpec& spec) {
  const std::string who = to_string(spec.name);
  const bool asked = !spec.groups.empty() || !spec.publish.empty() ||
                     std::any_of(spec.nics.begin(), spec.nics.end(), [](const NicSpec& nic) {
                       return nic.antispoof == true || nic.rate || !nic.also.empty();
                     });
  if (asked && !house.root)
    throw Failed(
        fmt::format("{}: groups, published ports, antispoof=, also= and rate= are rules "
                    "of the host's firewall, which need root; run this with sudo",
                    who));
  if (!house.root) return;
  refuse_older_rules(house, spec);
  if (!has_nft() &&
      (asked || std::any_of(spec.nics.begin(), spec.nics.end(), [&](const NicSpec& nic) {
         return nic.kind != NicKind::user && is_asked_for(spec, nic);
       })))
    throw Failed(fmt::format("{}: {}", who, host::missing_program("nft")));
  if (!has_nft() && house.config.isolate_clouds &&
      std::any_of(spec.nics.begin(), spec.nics.end(), is_on_bridge))
    house.reporter.warn(fmt::format(
        "{}: machines of other clouds on its bridge see it, as nft is not installed", who));
  if (!spec.groups.empty()) check_groups(house, spec);
  if (spec.publish.empty()) return;
  if (!reachable_nic(house, spec))
    throw ConfigError("--publish", fmt::format("{} has no NIC on a managed network that leads "
                                               "out; give it one with --nic network=NAME",
                                               who));
  for (std::size_t i = 0; i < spec.publish.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (clash(spec.publish[i], spec.publish[j]))
        throw ConfigError("--publish",
                          fmt::format("{} and {} are the same port of the host; give one of them",
                                      to_string(spec.publish[j]), to_string(spec.publish[i])));
}

void reserve_ports(Transaction& transaction, const MachineSpec& spec, const Facts& facts) {
  if (spec.publish.empty()) return;
  const std::string who = to_string(spec.name);
  for (const Lease& lease : transaction.allocator().leases()) {
    if (lease.pool != "port" || lease.holder == spec.uuid) continue;
    Problems none;
    // The lease says nothing of the machine's side.
    const auto slash = lease.value.rfind('/');
    const PublishedPort taken = parse_publish(
        lease.value.substr(0, slash) + ":1" + lease.value.substr(slash), "lease", none);
    for (const PublishedPort& port : spec.publish)
      if (clash(port, taken))
        throw Conflict(fmt::format("{}: port {} is published already by {}; choose another", who,
                                   outside_of(port),
                                   to_string(MachineName{lease.cloud, lease.machine})));
  }
  std::vector<Want> wants;
  for (std::size_t i = 0; i < spec.publish.size(); ++i) {
    const PublishedPort& port = spec.publish[i];
    const std::string address = port.address ? to_string(*port.address) : "";
    const std::string holder = host::port_taken_by(address, port.port, port.udp);
    if (!holder.empty())
      throw Conflict(fmt::format("{}: port {} is held by {}; choose another, or end that", who,
                                 outside_of(port), holder));
    wants.push_back({"port", static_cast<int>(i), Lifetime::run, outside_of(port)});
  }
  transaction.allocator().take(spec.uuid, wants, facts);
}

}  // namespace nutshell
