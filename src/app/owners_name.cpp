// What has a name has it in one cloud or in several; all of them are told. What looks like a number
// of the network and is none is a mistake; anything else may be a name.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "app/owners.hpp"
#include "nutshell/network.hpp"

namespace nutshell {

std::vector<Owner> find_owners_by_name(House& house, const std::string& name) {
  auto owners = machines_with(house, "machine", [&](const MachineRow& row) -> std::string {
    return row.name.name == name || to_string(row.name) == name ? "a machine" : "";
  });
  for (const GroupRow& group : house.registry().groups())
    if (group.name == name)
      owners.push_back({"group", group.cloud, "",
                        fmt::format("a security group of the cloud {}, of {} rule{}", group.cloud,
                                    group.rules.size(), group.rules.size() == 1 ? "" : "s"),
                        "", ""});
  for (const NetworkRow& network : house.registry().networks())
    if (network.name == name)
      owners.push_back({"network", "", "",
                        fmt::format("a network, {} on {}", to_string(network.address),
                                    network.bridge.empty() ? "no bridge" : network.bridge),
                        "", ""});
  const auto rows = house.registry().machines();
  const auto count = std::count_if(rows.begin(), rows.end(),
                                   [&](const MachineRow& row) { return row.name.cloud == name; });
  if (count)
    owners.push_back({"cloud", name, "",
                      fmt::format("a cloud of {} machine{}", count, count == 1 ? "" : "s"), "",
                      ""});
  return owners;
}

std::vector<Owner> find_network_address(House& house, const std::string& address) {
  in6_addr wanted{}, own{};
  const bool ipv6 = inet_pton(AF_INET6, address.c_str(), &wanted) == 1;
  for (const NetworkRow& network : house.registry().networks()) {
    const bool has =
        ipv6 ? !network.ipv6.empty() &&
                   inet_pton(AF_INET6, first_ipv6_address(network.ipv6).c_str(), &own) == 1 &&
                   std::memcmp(&own, &wanted, sizeof own) == 0
             : to_string(network.address.address) == address;
    if (has)
      return {{"address", "", "",
               fmt::format("the network {}'s own, on its bridge {}", network.name, network.bridge),
               "", ""}};
  }
  return {};
}

void refuse_garbage(const std::string& value) {
  const auto made_of = [&](std::string_view characters) {
    return value.find_first_not_of(characters) == std::string::npos;
  };
  if (value.ends_with("/tcp") || value.ends_with("/udp")) {
    if (made_of("0123456789/tcpud"))
      throw UsageError(fmt::format("'{}' is no port; ports go from 1/tcp to 65535/tcp", value));
  } else if (made_of("0123456789./") && value.find_first_of("./") != std::string::npos &&
             value.find_first_of("0123456789") != std::string::npos) {
    throw UsageError(fmt::format("'{}' is no IPv4 address", value));
  }
}

}  // namespace nutshell
