// Ranges of ours that somebody else came into later. What is taken is kept, so nothing refuses it
// until a machine is cut off or a network does not come up: doctor says it before.
#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_facts.hpp"
#include "app/path_look.hpp"
#include "nutshell/spec.hpp"

namespace nutshell {
namespace {

constexpr unsigned local_table = 255;

struct OwnRange {
  Ipv4Net net;
  std::string name;
};

std::vector<OwnRange> own_ranges(House& house) {
  std::vector<OwnRange> all;
  const auto add = [&](const Ipv4Net& net, std::string name) {
    const Ipv4Net whole{net.first(), net.prefix};
    if (std::none_of(all.begin(), all.end(), [&](const auto& each) { return each.net == whole; }))
      all.push_back({whole, std::move(name)});
  };
  for (const NetworkRow& network : house.registry().networks())
    add(network.address, fmt::format("the network {}", network.name));
  for (const CloudRow& cloud : house.registry().clouds())
    for (const Lease& lease : house.registry().leases_of(cloud_holder(cloud.name)))
      if (lease.value.find('/') != std::string::npos)
        if (const auto net = parse_ipv4_net(lease.value))
          add(*net, fmt::format("the cloud {}", cloud.name));
  return all;
}

/// Empty: nobody is in it. A wider route is no trouble, as the longer prefix wins.
std::string stranger_in(const Ipv4Net& net, const Facts& facts) {
  const auto link_of = [&](int index) {
    return std::find_if(facts.links.begin(), facts.links.end(),
                        [&](const LinkFact& link) { return link.index == index; });
  };
  const auto is_ours = [&](int index) {
    const auto link = link_of(index);
    return link != facts.links.end() && link->alias.starts_with("nutshell:");
  };
  const auto name_of = [&](int index) {
    const auto link = link_of(index);
    return link == facts.links.end() ? fmt::format("link {}", index) : printable(link->name);
  };
  for (const AddressFact& fact : facts.addresses)
    if (fact.net.overlaps(net) && !is_ours(fact.link))
      return fmt::format("address {} of {}", to_string(fact.net), name_of(fact.link));
  for (const RouteFact& fact : facts.routes)
    if (fact.table != local_table && fact.destination.prefix >= net.prefix &&
        fact.destination.overlaps(net) && !is_ours(fact.link))
      return fmt::format("route {} {}", to_string(fact.destination),
                         fact.link == 0 ? "(unreachable)" : "via " + name_of(fact.link));
  return "";
}

}  // namespace

std::vector<WayTrouble> range_troubles(House& house, const Facts& facts) {
  std::vector<WayTrouble> troubles;
  for (const OwnRange& range : own_ranges(house))
    if (const std::string stranger = stranger_in(range.net, facts); !stranger.empty())
      troubles.push_back(
          {"ranges",
           fmt::format("{} of {} overlaps {}, which came later; take that away, or give {} up and "
                       "make it with another range",
                       to_string(range.net), range.name, stranger, range.name),
           ""});
  return troubles;
}

}  // namespace nutshell
