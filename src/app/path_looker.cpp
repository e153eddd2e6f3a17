// The devices are the kernel's to tell, the filters nft's, what the machine's addresses are the
// registry's; core puts them together.
#include "app/path_looker.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/adoption.hpp"
#include "app/firewall.hpp"
#include "app/machine_state.hpp"
#include "host/observe_path.hpp"
#include "host/observe_route.hpp"
#include "host/ruleset.hpp"

namespace nutshell {
namespace {

// An ordinary user's tap is made and named by the bridge helper; QEMU holds it.
std::string tap_of(const RunRecord& run, const MachineSpec& spec, std::size_t nic) {
  if (nic < run.taps.size() && !run.taps[nic].empty()) return run.taps[nic];
  std::size_t place = 0;
  for (std::size_t i = 0; i < nic; ++i) place += spec.nics[i].kind != NicKind::user;
  const auto taps = host::taps_of_process(run.pid);
  return place < taps.size() ? taps[place] : "";
}

std::vector<std::string> sorted(std::vector<std::string> words) {
  std::sort(words.begin(), words.end());
  return words;
}

SplitFilters read_filters(House& house) {
  host::SeenRules seen = host::observe_ruleset();
  SplitFilters filters;
  filters.iptables = seen.iptables;
  filters.trouble = std::move(seen.trouble);
  filters.foreign = std::move(seen.ruleset);
  if (filters.foreign.chains.empty()) return filters;  // an nft that fails is not asked again
  const std::vector<OurTable> tables = our_tables(house);
  const auto is_ours = [&](const auto& each) {
    return std::any_of(tables.begin(), tables.end(), [&](const OurTable& table) {
      return table.family == each.family && table.name == each.table;
    });
  };
  const auto move_ours = [&](auto& from, auto& to) {
    for (auto& each : from)
      if (is_ours(each)) to.push_back(each);
    std::erase_if(from, is_ours);
  };
  move_ours(filters.foreign.chains, filters.ours.chains);
  move_ours(filters.foreign.counted, filters.ours.counted);
  return filters;
}

}  // namespace

Looker::Looker(House& house, const std::optional<Ipv4>& to)
    : house_(house), to_(to), filters_(read_filters(house)) {}

HostPath Looker::look(const MachineRow& row, std::size_t nic) {
  const NicSpec& spec = row.spec.nics[nic];
  const bool runs = is_alive(house_, row.uuid);
  HostPath path;
  path.nic = static_cast<unsigned>(nic);
  path.wants_uplink = spec.kind == NicKind::bridge;
  path.has_tap = runs;
  path.told_mtu = spec.mtu;
  if (spec.kind == NicKind::user) return path;
  PathView view;
  if (spec.kind == NicKind::macvtap) {
    const bool named = runs && row.run && nic < row.run->taps.size();
    path.devices = host::observe_macvtap_path(spec.uplink, named ? row.run->taps[nic] : "");
    add_foreign_filters(path, filters_.foreign, view);
    if (runs) path.shut = shut_by_us(house_, row, spec, std::nullopt);
    return path;
  }
  const std::string tap = runs && row.run ? tap_of(*row.run, row.spec, nic) : "";
  path.devices = host::observe_path(spec.bridge, tap, path.wants_uplink);
  view = view_of(spec, tap);
  view.cloud = row.name.cloud;
  for (const std::string& group : sorted(row.spec.groups))
    view.groups += (view.groups.empty() ? "" : "+") + group;
  add_route(spec, path, view);
  if (runs && !path.shut) path.shut = shut_by_us(house_, row, spec, to_);
  add_foreign_filters(path, filters_.foreign, view);
  add_own_filters(path, filters_.ours, view);
  return path;
}

HostPath Looker::look_at_all(const NicSpec& spec) {
  HostPath path;
  path.wants_uplink = spec.kind == NicKind::bridge;
  path.has_tap = false;
  path.devices = host::observe_path(spec.bridge, "", path.wants_uplink);
  PathView view = view_of(spec, "");
  add_route(spec, path, view);
  add_foreign_filters(path, filters_.foreign, view);
  return path;
}

PathView Looker::view_of(const NicSpec& spec, const std::string& tap) {
  PathView view;
  view.guest = spec.ip;
  if (!view.guest && spec.mac) view.guest = host::neighbour_address(spec.bridge, *spec.mac);
  view.to = to_;
  view.mac = spec.mac;
  view.meets_ip = host::bridge_meets_ip_filters(spec.bridge);
  view.meets_ip6 = host::setting("net/bridge/bridge-nf-call-ip6tables") == "1";
  view.serves = spec.kind == NicKind::network;
  view.iptables = filters_.iptables;
  const std::string stem = fmt::format("nt{}-", house_.registry().tag());
  view.ports = tap.empty() || tap.starts_with(stem) ? stem + "*" : tap;
  return view;
}

void Looker::add_route(const NicSpec& spec, HostPath& path, PathView& view) {
  if (spec.kind == NicKind::network)
    add_network_route(spec, path, view);
  else
    add_bridge_route(spec, path, view);
}

void Looker::add_network_route(const NicSpec& spec, HostPath& path, PathView& view) {
  const auto network = house_.registry().network(spec.network);
  const NetworkMode mode = network ? network->mode : NetworkMode::nat;
  view.invites = mode == NetworkMode::routed;
  if (network) {
    view.guests = Ipv4Net{network->address.first(), network->address.prefix};
    view.has_ipv6 = !network->ipv6.empty();
    if (!host::has_address(spec.bridge, network->address.address)) {
      const std::string address = to_string(network->address),
                        cure = shell_line({"ip", "addr", "add", address, "dev", spec.bridge});
      path.shut = PathBreak{spec.bridge,
                            fmt::format("has lost its address {}, by which its machines leave; "
                                        "`{}` gives it back",
                                        address, cure),
                            cure};
    }
  }
  const bool inside = network && to_ && network->address.contains(*to_);
  std::string outer, next_hop;
  if (!inside && (mode != NetworkMode::isolated || to_)) {
    if (auto seen = host::observe_route({spec.bridge, view.guest, to_})) {
      path.route = seen->route;
      outer = seen->outer;
      next_hop = seen->route.gateway.empty() ? seen->route.to : seen->route.gateway;
    } else {
      remarks_.insert(
          fmt::format("this host has no default route; the machines of {} reach only what it has "
                      "another route to",
                      spec.network));
    }
  }
  add_outer(outer, spec.bridge, path);
  path.dead = host::observe_neighbours(spec.bridge, view.guest, outer, next_hop);
}

// A bridge without a port to the outside is no dead end where this host has an address on it: it
// may route what comes from there, as it does for libvirt's.
void Looker::add_bridge_route(const NicSpec& spec, HostPath& path, PathView& view) {
  std::string outer, next_hop;
  const bool has_uplink =
      std::any_of(path.devices.begin(), path.devices.end(),
                  [](const PathDevice& device) { return device.role == PathRole::uplink; });
  const auto note = read_bridge_note(house_, spec.bridge);
  if (!has_uplink && note && note->isolated) {
    path.wants_uplink = false;
    remarks_.insert(
        fmt::format("{} is isolated: its machines reach one another alone", spec.bridge));
    path.dead = host::observe_neighbours(spec.bridge, view.guest, "", "");
    return;
  }
  const bool is_gateway = !has_uplink && host::has_address(spec.bridge, std::nullopt);
  if (is_gateway) path.wants_uplink = false;
  if (is_gateway || to_) {
    auto seen = host::observe_route({spec.bridge, view.guest, to_});
    // The host's own way out is by this bridge: then it lacks the port that it leads through.
    if (seen && seen->outer == spec.bridge && is_gateway && !to_) path.wants_uplink = true;
    if (seen && seen->outer == spec.bridge) seen.reset();  // a neighbour on the bridge itself
    // With an uplink, frames are not routed here; but the address may be this host's own.
    if (seen && !seen->route.local && (!is_gateway || (!seen->route.forwards && !to_)))
      seen.reset();
    if (seen) {
      path.route = seen->route;
      outer = seen->outer;
      next_hop = seen->route.gateway.empty() ? seen->route.to : seen->route.gateway;
    }
    if (is_gateway && !seen && !to_)
      remarks_.insert(fmt::format(
          "{} has no port that leads out of this host, and this host routes nothing from there; "
          "its machines reach one another, and this host",
          spec.bridge));
  }
  add_outer(outer, spec.bridge, path);
  path.dead = host::observe_neighbours(spec.bridge, view.guest, outer, next_hop);
}

void Looker::add_outer(const std::string& outer, const std::string& bridge, HostPath& path) {
  if (outer.empty() || outer == bridge) return;
  for (PathDevice& device : host::observe_path(outer, "", false)) {
    device.role = PathRole::outer;
    path.devices.insert(path.devices.begin(), std::move(device));
  }
}

}  // namespace nutshell
