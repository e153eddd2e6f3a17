// The devices are the kernel's to tell, the filters nft's, what the machine's addresses are the
// registry's; core puts them together.
#include "app/path_look.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "app/firewall.hpp"
#include "app/interrupt.hpp"
#include "app/machine_state.hpp"
#include "app/start.hpp"
#include "host/observe.hpp"
#include "host/observe_path.hpp"
#include "host/observe_route.hpp"
#include "host/ruleset.hpp"
#include "nutshell/path_filters.hpp"

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

/// All filters of the host, in two: ours and those of others.
struct Filters {
  Ruleset ours, foreign;
  bool iptables = false;
  std::string trouble;
};

Filters read_filters(House& house) {
  host::SeenRules seen = host::observe_ruleset();
  Filters filters;
  filters.iptables = seen.iptables;
  filters.trouble = std::move(seen.trouble);
  filters.foreign = std::move(seen.ruleset);
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

class Looker {
 public:
  Looker(House& house, const std::optional<Ipv4>& to)
      : house_(house), to_(to), filters_(read_filters(house)) {}

  HostPath look(const MachineRow& row, std::size_t nic) {
    const NicSpec& spec = row.spec.nics[nic];
    const bool runs = is_alive(house_, row.uuid);
    HostPath path;
    path.nic = static_cast<unsigned>(nic);
    path.wants_uplink = spec.kind == NicKind::bridge;
    path.has_tap = runs;
    path.told_mtu = spec.mtu;
    if (spec.kind == NicKind::user) return path;
    if (spec.kind == NicKind::macvtap) {
      const bool named = runs && row.run && nic < row.run->taps.size();
      path.devices = host::observe_macvtap_path(spec.uplink, named ? row.run->taps[nic] : "");
      return path;
    }
    const std::string tap = runs && row.run ? tap_of(*row.run, row.spec, nic) : "";
    path.devices = host::observe_path(spec.bridge, tap, path.wants_uplink);
    PathView view = view_of(spec, tap);
    view.cloud = row.name.cloud;
    for (const std::string& group : sorted(row.spec.groups))
      view.groups += (view.groups.empty() ? "" : "+") + group;
    add_route(spec, path, view);
    add_foreign_filters(path, filters_.foreign, view);
    add_own_filters(path, filters_.ours, view);
    return path;
  }

  /// What every machine on a bridge, or on a network, meets.
  HostPath look_at_all(const NicSpec& spec) {
    HostPath path;
    path.wants_uplink = spec.kind == NicKind::bridge;
    path.has_tap = false;
    path.devices = host::observe_path(spec.bridge, "", path.wants_uplink);
    PathView view = view_of(spec, "");
    add_route(spec, path, view);
    add_foreign_filters(path, filters_.foreign, view);
    return path;
  }

  [[nodiscard]] const std::string& trouble() const { return filters_.trouble; }
  /// What is worth a word, and breaks nothing.
  [[nodiscard]] const std::set<std::string>& remarks() const { return remarks_; }

 private:
  PathView view_of(const NicSpec& spec, const std::string& tap) {
    PathView view;
    view.guest = spec.ip;
    if (!view.guest && spec.mac) view.guest = host::neighbour_address(spec.bridge, *spec.mac);
    view.to = to_;
    view.mac = spec.mac;
    view.meets_ip = host::bridge_meets_ip_filters(spec.bridge);
    view.serves = spec.kind == NicKind::network;
    view.iptables = filters_.iptables;
    const std::string stem = fmt::format("nt{}-", house_.registry().tag());
    view.ports = tap.empty() || tap.starts_with(stem) ? stem + "*" : tap;
    return view;
  }

  void add_route(const NicSpec& spec, HostPath& path, PathView& view) {
    std::string outer, next_hop;
    if (spec.kind == NicKind::network) {
      const auto network = house_.registry().network(spec.network);
      const NetworkMode mode = network ? network->mode : NetworkMode::nat;
      view.invites = mode == NetworkMode::routed;
      const bool inside = network && to_ && network->address.contains(*to_);
      if (!inside && (mode != NetworkMode::isolated || to_)) {
        if (auto seen = host::observe_route({spec.bridge, view.guest, to_})) {
          path.route = seen->route;
          outer = seen->outer;
          next_hop = seen->route.gateway.empty() ? seen->route.to : seen->route.gateway;
        } else {
          remarks_.insert(fmt::format(
              "this host has no default route; the machines of {} reach only what it has another "
              "route to",
              spec.network));
        }
      }
      if (!outer.empty() && outer != spec.bridge)
        for (PathDevice& device : host::observe_path(outer, "", false)) {
          device.role = PathRole::outer;
          path.devices.insert(path.devices.begin(), std::move(device));
        }
    } else if (to_) {
      // Frames of a bridge are not routed here; but the address may be this host's own.
      if (auto seen = host::observe_route({spec.bridge, view.guest, to_});
          seen && seen->route.local)
        path.route = seen->route;
    }
    path.dead = host::observe_neighbours(spec.bridge, view.guest, outer, next_hop);
  }

  House& house_;
  std::optional<Ipv4> to_;
  Filters filters_;
  std::set<std::string> remarks_;
};

std::uint64_t counted_before(const HostPath& path, const PathFilter& filter) {
  for (const PathDevice& device : path.devices)
    for (const PathFilter& each : device.filters)
      if (each.ours && each.where == filter.where) return each.packets.value_or(0);
  return 0;
}

bool has_counted(const HostPath& path) {
  for (const PathDevice& device : path.devices)
    for (const PathFilter& each : device.filters)
      if (each.ours && each.packets.value_or(0)) return true;
  return false;
}

}  // namespace

PathLook look_at_paths(House& house, const MachineRow& row, const std::optional<Ipv4>& to) {
  PathLook look;
  Looker looker(house, to);
  for (std::size_t i = 0; i < row.spec.nics.size(); ++i) look.paths.push_back(looker.look(row, i));
  look.remarks.assign(looker.remarks().begin(), looker.remarks().end());
  if (!looker.trouble().empty()) look.remarks.push_back(looker.trouble());
  look.outer = host::observe_outer_host();
  if (!look.outer) return look;
  const Facts facts = observe_parts(house, host::part::links);
  for (const HostPath& path : look.paths)
    for (const PathDevice& device : path.devices)
      if (device.role == PathRole::uplink || device.role == PathRole::outer)
        if (const LinkFact* link = facts.link(device.name))
          look.outer_macs.push_back(to_string(link->mac));
  return look;
}

void look_again(House& house, const MachineRow& row, const std::optional<Ipv4>& to,
                PathLook& look) {
  if (std::none_of(look.paths.begin(), look.paths.end(), has_counted)) return;
  std::this_thread::sleep_for(std::chrono::seconds(1));
  check_interrupt();
  PathLook second = look_at_paths(house, row, to);
  for (std::size_t i = 0; i < second.paths.size() && i < look.paths.size(); ++i)
    for (PathDevice& device : second.paths[i].devices)
      for (PathFilter& filter : device.filters)
        if (filter.ours)
          filter.rising = filter.packets.value_or(0) - counted_before(look.paths[i], filter);
  look = std::move(second);
}

std::vector<WayTrouble> way_troubles(House& house) {
  std::map<std::string, NicSpec> places;
  for (const MachineRow& row : house.registry().machines())
    for (const NicSpec& nic : row.spec.nics)
      if (nic.kind == NicKind::bridge) {
        places[nic.bridge].kind = nic.kind;
        places[nic.bridge].bridge = nic.bridge;
      }
  for (const NetworkRow& network : house.registry().networks()) {
    NicSpec& nic = places[network.bridge];
    nic.kind = NicKind::network;
    nic.bridge = network.bridge;
    nic.network = network.name;
  }
  std::vector<WayTrouble> troubles;
  if (places.empty()) return troubles;
  Looker looker(house, std::nullopt);
  for (const auto& [bridge, nic] : places) {
    const HostPath path = looker.look_at_all(nic);
    if (std::none_of(path.devices.begin(), path.devices.end(), [](const PathDevice& device) {
          return device.role == PathRole::bridge && device.present;
        }))
      continue;  // a network that is not up
    for (const PathDevice& device : path.devices)
      for (const PathFilter& filter : device.filters)
        if (filter.certain && device.present)
          troubles.push_back({"filter " + bridge,
                              fmt::format("{} drops {}: {}{}", device.name, direction_of(filter),
                                          filter.owner, filter.where),
                              filter.cure, true});
    if (path.route && !path.route->forwards)
      troubles.push_back({"forwarding " + bridge,
                          fmt::format("{} is 0, and its machines reach nothing beyond this host",
                                      path.route->forwarding),
                          fmt::format("sysctl -w {}=1", path.route->forwarding), true});
  }
  if (const std::uint64_t drops = host::reverse_path_drops()) {
    WayTrouble trouble{"rp_filter", "", "", false};
    for (const std::string& link : host::strict_links()) {
      trouble.words += (trouble.words.empty() ? "" : ", ") + link;
      trouble.cure += fmt::format("{}sysctl -w net.ipv4.conf.{}.rp_filter=2",
                                  trouble.cure.empty() ? "" : " && ", link);
    }
    trouble.words += fmt::format(
        " drops what it would answer by another link; {} packets so far "
        "on this host",
        drops);
    if (!trouble.cure.empty()) troubles.push_back(std::move(trouble));
  }
  if (!looker.trouble().empty() && house.root)
    troubles.push_back({"filters", looker.trouble(), "", false});
  return troubles;
}

}  // namespace nutshell
