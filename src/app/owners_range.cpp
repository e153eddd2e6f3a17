// A range or a subnet has one owner for all of its addresses, also for those that nobody uses yet.
#include <fmt/format.h>

#include "app/cloud_facts.hpp"
#include "app/owners.hpp"

namespace nutshell {
namespace {

constexpr const char* pool_of_bridges = "ipv4:bridge";

std::string detail_of(const Lease& lease) {
  if (!lease.machine.empty()) return fmt::format("NIC {}", lease.index);
  if (!lease.cloud.empty()) return "the cloud " + lease.cloud;
  return "reserved by hand" + (lease.note.empty() ? "" : ": " + lease.note);
}

std::vector<Owner> ranges_over(House& house, const AddressRange& span) {
  std::vector<Owner> owners;
  for (const Registry::PoolState& pool : house.registry().pools()) {
    const std::string &kind = pool.range.kind, &name = pool.range.name;
    if ((kind != "ipv4" && kind != "subnet") || name.starts_with("ipv4:")) continue;
    for (const Lease& lease : house.registry().leases_in(name)) {
      const auto ranges = parse_ranges(lease.value);
      if (!ranges || span.last < ranges->front().first || ranges->back().last < span.first)
        continue;
      // A network's subnet is told by the network.
      if (lease.lifetime == Lifetime::network || !lease.foreign.empty()) continue;
      owners.push_back({"address", lease.cloud, lease.machine,
                        fmt::format("{} ({} of pool {})", detail_of(lease), lease.value, name),
                        lease.since, ""});
    }
  }
  for (const AlsoUse& also : also_in_use(house))
    if (also.range.first <= span.last && span.first <= also.range.last)
      owners.push_back(
          {"address", also.machine.cloud, also.machine.name,
           fmt::format("NIC {} (also={})", also.nic, to_string(std::vector{also.range})), "", ""});
  return owners;
}

}  // namespace

std::vector<Owner> find_owners_of_range(House& house, Ipv4 address) {
  return ranges_over(house, {address, address});
}

std::vector<Owner> find_owners_of_span(House& house, const AddressRange& span) {
  std::vector<Owner> owners;
  for (const NetworkRow& network : house.registry().networks())
    if (network.address.first() <= span.last && span.first <= network.address.last())
      owners.push_back({"network", "", "",
                        fmt::format("the network {}, {}", network.name, to_string(network.address)),
                        "", ""});
  for (Owner& owner : ranges_over(house, span)) owners.push_back(std::move(owner));
  for (const Lease& lease : house.registry().leases_in(pool_of_bridges))
    if (const auto ip = parse_ipv4(lease.value);
        ip && lease.foreign.empty() && span.first <= *ip && *ip <= span.last)
      owners.push_back({"address", lease.cloud, lease.machine,
                        fmt::format("{} ({})", detail_of(lease), lease.value), lease.since, ""});
  return owners;
}

}  // namespace nutshell
