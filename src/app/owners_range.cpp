// A range or a subnet has one owner for all of its addresses, also for those that nobody uses yet.
#include <fmt/format.h>

#include "app/owners.hpp"

namespace nutshell {
namespace {

std::string detail_of(const Lease& lease) {
  if (!lease.machine.empty()) return fmt::format("NIC {}", lease.index);
  if (!lease.cloud.empty()) return "the cloud " + lease.cloud;
  return "reserved by hand" + (lease.note.empty() ? "" : ": " + lease.note);
}

}  // namespace

std::vector<Owner> find_owners_of_range(House& house, Ipv4 address) {
  std::vector<Owner> owners;
  for (const Registry::PoolState& pool : house.registry().pools()) {
    const std::string &kind = pool.range.kind, &name = pool.range.name;
    if ((kind != "ipv4" && kind != "subnet") || name.starts_with("ipv4:")) continue;
    for (const Lease& lease : house.registry().leases_in(name)) {
      const auto ranges = parse_ranges(lease.value);
      if (!ranges || address < ranges->front().first || ranges->back().last < address) continue;
      // A network's subnet is told by the network.
      const bool whole = kind == "ipv4" || lease.lifetime == Lifetime::cloud;
      if (!whole || !lease.foreign.empty()) continue;
      owners.push_back({"address", lease.cloud, lease.machine,
                        fmt::format("{} ({} of pool {})", detail_of(lease), lease.value, name),
                        lease.since, ""});
    }
  }
  return owners;
}

}  // namespace nutshell
