// The host's facts as holdings of a pool: which of its values somebody else has. A net that a route
// leads to is a holding where subnets are given; where addresses are, the same net may be the very
// LAN that they belong to, so only what it cuts in two is in its hands. One that leads away from
// here, to a gateway or nowhere, is no LAN: all of it is in its hands but the LANs inside of it.
#include <algorithm>
#include <unordered_map>

#include "store/pool.hpp"

namespace nutshell::store {

namespace {
constexpr int vnc_port = 5900;
constexpr unsigned local_table = 255;  // the host's own addresses again, and broadcasts

std::int64_t number(Ipv4 address) { return address.value; }

using Holdings = std::vector<Foreign::Holding>;

void add(Holdings& found, std::int64_t value, std::string holder) {
  found.push_back({{value, value}, std::move(holder)});
}
void add(Holdings& found, const Ipv4Net& net, std::string holder) {
  found.push_back({{number(net.first()), number(net.last())}, std::move(holder)});
}
void add(Holdings& found, const RangeFact& range, const std::string& cloud) {
  if (range.cloud.empty() || range.cloud != cloud)
    found.push_back({{number(range.first), number(range.last)}, range.holder});
}

/// A default route claims nothing, nor do the two halves by which a VPN outbids it.
bool is_default(const RouteFact& route) { return route.destination.prefix <= 1; }

class LinkNames {
 public:
  explicit LinkNames(const Facts& facts) {
    for (const LinkFact& link : facts.links) names_[link.index] = link.name;
  }
  [[nodiscard]] std::string of(int index) const {
    auto it = names_.find(index);
    return it == names_.end() ? "link " + std::to_string(index) : std::string(it->second);
  }
  [[nodiscard]] std::string of(const RouteFact& route) const {
    return "route " + to_string(route.destination) +
           (route.link == 0 ? " (unreachable)" : " via " + of(route.link)) +
           (route.table == 254 ? "" : " (table " + std::to_string(route.table) + ")");
  }

 private:
  std::unordered_map<int, std::string_view> names_;
};

bool is_on_link(const RouteFact& route) { return route.link != 0 && !route.gateway; }

Interval values_of(const Ipv4Net& net) { return {number(net.first()), number(net.last())}; }

/// What routes lead away from here. The longer prefix wins, so a LAN inside of one is not its.
void add_far(Holdings& found, const Pool& pool, const Facts& facts, const LinkNames& links) {
  Intervals lans;
  for (const AddressFact& f : facts.addresses) lans.push_back(values_of(f.net));
  for (const RouteFact& f : facts.routes)
    if (is_on_link(f) && !is_default(f) && f.table != local_table)
      lans.push_back(values_of(f.destination));
  std::erase_if(lans, [&](const Interval& lan) { return !lan.overlaps(pool.range); });
  for (const RouteFact& f : facts.routes) {
    const Interval far = values_of(f.destination);
    if (is_on_link(f) || is_default(f) || f.table == local_table || !far.overlaps(pool.range))
      continue;
    Intervals inside;
    for (const Interval& lan : lans)
      if (far.contains(lan)) inside.push_back(lan);
    for (const Interval& piece : subtract({far}, normal(std::move(inside))))
      found.push_back({piece, links.of(f)});
  }
}

Foreign addresses_in(const Pool& pool, const Facts& facts, const std::string& cloud) {
  const LinkNames links(facts);
  Holdings found, nets;
  for (const IpFact& f : facts.ips) add(found, number(f.ip), f.holder);
  for (const AddressFact& f : facts.addresses)
    add(found, number(f.net.address), "this host (" + links.of(f.link) + ")");
  for (const RouteFact& f : facts.routes)
    if (f.gateway && f.gateway->value != 0)
      add(found, number(*f.gateway), "a gateway of this host");
  // The addresses of a network of ours, and those on a bridge, lie where their net is.
  const bool of_host = pool.source == "config";
  const bool in_ranges = of_host || pool.source == "cloud";
  for (const RangeFact& range : facts.ranges)
    if (in_ranges ? !range.subnets_only : pool.of_bridges() && !range.cloud.empty())
      add(found, range, cloud);
  if (of_host) add_far(found, pool, facts, links);
  for (const RouteFact& f : facts.routes)
    if (of_host && is_on_link(f) && !is_default(f) && f.table != local_table)
      add(nets, f.destination, links.of(f));
  std::erase_if(nets, [&](const Foreign::Holding& net) {
    return !net.values.overlaps(pool.range) || net.values.contains(pool.range);
  });
  return Foreign(std::move(found), std::move(nets));
}

Foreign subnets_in(const Facts& facts, const std::string& cloud) {
  const LinkNames links(facts);
  Holdings found;
  for (const AddressFact& f : facts.addresses)
    add(found, f.net,
        f.link == 0 ? "the network of " + to_string(f.net) + ", which the registry has lost"
                    : "address " + to_string(f.net) + " of " + links.of(f.link));
  for (const RouteFact& f : facts.routes)
    if (!is_default(f)) add(found, f.destination, links.of(f));
  for (const RangeFact& range : facts.ranges) add(found, range, cloud);
  return Foreign(std::move(found));
}
}  // namespace

Foreign::Foreign(std::vector<Holding> holdings, std::vector<Holding> nets)
    : nets_(std::move(nets)) {
  auto lower = [](const Holding& a, const Holding& b) { return a.values.low < b.values.low; };
  std::stable_sort(nets_.begin(), nets_.end(), lower);
  std::stable_sort(holdings.begin(), holdings.end(), lower);
  for (Holding& next : holdings) {
    // What two of them have is the first one's, and the rest its own holder's.
    if (!holdings_.empty() && next.values.low <= holdings_.back().values.high)
      next.values.low = holdings_.back().values.high + 1;
    if (next.values.low <= next.values.high) holdings_.push_back(std::move(next));
  }
}

const Foreign::Holding* Foreign::overlapping(const Interval& values) const {
  auto found = std::partition_point(holdings_.begin(), holdings_.end(),
                                    [&](const Holding& h) { return h.values.high < values.low; });
  return found != holdings_.end() && found->values.low <= values.high ? &*found : nullptr;
}

const Foreign::Holding* Foreign::cutting(const Interval& values) const {
  auto found = std::find_if(nets_.begin(), nets_.end(), [&](const Holding& net) {
    return net.values.overlaps(values) && !net.values.contains(values);
  });
  return found != nets_.end() ? &*found : nullptr;
}

Foreign foreign_in(const Pool& pool, const Facts& facts, const std::string& cloud) {
  Holdings found;
  switch (pool.kind) {
    case PoolKind::mac:
      for (const MacFact& f : facts.macs)
        add(found, static_cast<std::int64_t>(f.mac.value), f.holder);
      break;
    case PoolKind::vnc:
      for (const PortFact& f : facts.ports)
        if (f.port >= vnc_port) add(found, f.port - vnc_port, f.holder);
      break;
    case PoolKind::ipv4: return addresses_in(pool, facts, cloud);
    case PoolKind::subnet: return subnets_in(facts, cloud);
    case PoolKind::tap:
      for (const LinkFact& f : facts.links)
        if (auto n = tap_number(pool, f.name)) add(found, *n, "link " + f.name);
      break;
    case PoolKind::cid:
    case PoolKind::uid:
    case PoolKind::names: break;
  }
  return Foreign(std::move(found));
}

}  // namespace nutshell::store
