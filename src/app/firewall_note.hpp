// What we have changed on the host beside links, noted with the boot and the network namespace in
// which that is true.
#pragma once
#include <string>
#include <vector>

#include "app/house.hpp"
#include "host/sysctl.hpp"

namespace nutshell {

struct FirewallNote {
  using Settings = std::vector<host::Setting>;
  std::string table;    ///< empty: we have none
  std::string listing;  ///< NftTable::digest of it as it was made
  Settings ipv4, ipv6;  ///< what forwarding was before us, and is now; empty: it was on
  bool needs_ipv4 = false, needs_ipv6 = false;  ///< a network that is up lives on forwarding
  [[nodiscard]] bool empty() const { return table.empty() && ipv4.empty() && ipv6.empty(); }
  bool operator==(const FirewallNote&) const = default;
};

/// Empty where there is none, or it is of an earlier boot.
FirewallNote read_firewall_note(const House& house);
/// Writes it; removes it when it is empty.
void write_firewall_note(const House& house, const FirewallNote& note);

}  // namespace nutshell
