// What nutshell has changed on the host for packets, beside links: which tables are ours, what
// forwarding was before, which addresses stand on whose link. Noted before it is changed, with the
// boot and the network namespace in which that is true.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/house.hpp"
#include "host/lock.hpp"
#include "host/nft.hpp"
#include "host/sysctl.hpp"

namespace nutshell {

/// A public address that was put on a link of the host's.
struct HeldAddress {
  std::string address, link;
  bool operator==(const HeldAddress&) const = default;
};

struct FirewallNote {
  using Settings = std::vector<host::Setting>;
  std::string table;           ///< of the family inet; empty: we have none
  std::string listing;         ///< NftTable::digest of it as it was made
  std::string bridge_table;    ///< of the family bridge
  std::string bridge_made;     ///< the comment that it was made with
  std::string bridge_listing;  ///< as `listing`
  Settings ipv4, ipv6;         ///< what forwarding was before us, and is now; empty: it was on
  bool needs_ipv4 = false, needs_ipv6 = false;  ///< a network that is up lives on forwarding
  std::vector<HeldAddress> addresses;
  /// Digests of what machines (by uuid) and groups ("CLOUD/NAME") have in the tables, as it was put
  /// there; and `half`, while only the table of the bridges has it.
  std::map<std::string, std::string> standing;
  [[nodiscard]] bool empty() const {
    return table.empty() && bridge_table.empty() && ipv4.empty() && ipv6.empty() &&
           addresses.empty();
  }
  bool operator==(const FirewallNote&) const = default;
};

inline constexpr const char* half = "half";

/// The lock under which tables, forwarding and their note change.
host::Lock lock_firewall(const House& house);
/// Empty where there is none, or it is of an earlier boot or another network namespace.
FirewallNote read_firewall_note(const House& house);
/// Writes it; removes it when it is empty.
void write_firewall_note(const House& house, const FirewallNote& note);

std::string own_mark(House& house);
/// The names that a table of ours may have: the second one where a stranger has the first.
std::vector<std::string> table_names(House& house);

struct TablePlace {
  std::string name;
  std::optional<host::NftTable> ours;  ///< what is there, to be replaced
};
/// Where our table of a family is, or is to be. One that is there counts, whatever the note says
/// (`noted`, or empty); but where the note is right, one call of nft tells. Throws Conflict when
/// strangers have both names.
TablePlace find_table_place(House& house, const std::string& family, const std::string& noted);
/// Where it most likely can be made, without looking: nft refuses where something is.
TablePlace usual_place(House& house);
/// Removes the table of that name if it is ours.
void drop_own_table(House& house, const std::string& family, const std::string& name);

/// True when nft refused because something it was to add to is not there, or there already:
/// somebody has changed the tables since we looked.
bool met_another(const Error& error);

}  // namespace nutshell
