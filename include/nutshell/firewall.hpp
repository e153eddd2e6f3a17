// The nftables table that is ours: what it lets through is decided here, as text, from values
// alone. host/nft applies it in one transaction.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nutshell/guard.hpp"
#include "nutshell/network.hpp"
#include "nutshell/values.hpp"

namespace nutshell {

/// One managed network as the firewall sees it.
struct FirewallNetwork {
  std::string name, bridge;
  NetworkMode mode = NetworkMode::nat;
  Ipv4Net subnet;    ///< of the network; host bits are not looked at
  std::string ipv6;  ///< its /64 prefix; empty: none
  bool operator==(const FirewallNetwork&) const = default;
};

struct Firewall {
  std::string table = "nutshell";  ///< of the family inet
  std::string mark;                ///< firewall_mark() of the registry
  std::vector<FirewallNetwork> networks;
  /// Isolated bridges of the host: nothing passes to or from them.
  std::vector<std::string> closed{};
  /// This registry lives on forwarding that was off before nutshell came, and puts it off again if
  /// it is the last to do so.
  bool forwards_ipv4 = false, forwards_ipv6 = false;
  std::vector<GuestNic> guests;  ///< of the machines that run; not told by the comment
  Groups groups;
  bool operator==(const Firewall&) const = default;
};

/// The mark of a registry's table, from its four hex digits: "nutshell:ab12".
std::string firewall_mark(std::string_view tag);
/// The table's comment: the mark, and after a space what tells this content from any other, so that
/// a table that is right already need not be made again; then "ipv4" and "ipv6" where it forwards
/// them.
std::string firewall_comment(const Firewall& firewall);
/// True when one of the words after the first is `word`.
bool has_word(std::string_view comment, std::string_view word);
/// True when a table with that comment is of the registry that has `mark`.
bool has_mark(std::string_view comment, std::string_view mark);

/// One transaction for `nft -f -` that makes the table, exclusively; in the place of the one with
/// that handle where one is given. A handle is never used twice, so a table that somebody else made
/// meanwhile under the same name makes the transaction fail, and nothing is lost.
std::string render_firewall(const Firewall& firewall, std::optional<std::uint64_t> instead_of);
/// The same for the table of the family bridge, which holds nothing of networks.
std::string render_bridge_firewall(const Firewall& firewall, BridgeTracking tracking,
                                   std::optional<std::uint64_t> instead_of);
/// What the bridge table's comment is.
std::string bridge_firewall_comment(const Firewall& firewall);
/// One transaction that removes the table with that handle; `family` is inet or bridge.
std::string render_removal(std::uint64_t handle, std::string_view family = "inet");

}  // namespace nutshell
