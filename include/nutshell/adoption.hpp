// The adoption of an uplink as values: what the host's network shows of the uplink and the bridge,
// what it is to show, and the single netlink operations that lead from the one to the other. The
// same planner moves an uplink to its bridge and puts it back, from wherever it was cut short.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "nutshell/json.hpp"

namespace nutshell {

/// Addresses are text ("10.0.0.2", "fe80::1", "" for none), links are names: what is on disk stays
/// true when an index changes.
struct LinkAddress {
  std::string link, ip;
  unsigned prefix = 0;
  std::string peer, broadcast, label;      ///< broadcast and label: IPv4 only
  unsigned scope = 0, flags = 0;           ///< RT_SCOPE_*, IFA_F_* (those that one may set)
  std::uint32_t valid = 0, preferred = 0;  ///< seconds from the moment of the view; see `forever`
  std::uint32_t metric = 0;
  unsigned protocol = 0;
  [[nodiscard]] bool is_v6() const { return ip.find(':') != std::string::npos; }
  [[nodiscard]] bool is_link_local() const { return is_v6() && scope == 253; }
  bool operator==(const LinkAddress&) const = default;
};
inline constexpr std::uint32_t forever = 0xffffffff;  ///< of a lifetime

struct RouteHop {
  std::string link, gateway;
  unsigned weight = 1, flags = 0;  ///< flags: 4 onlink
  bool operator==(const RouteHop&) const = default;
};
/// One route. Of an IPv6 route with several ways each way is a LinkRoute of its own.
struct LinkRoute {
  unsigned family = 4;              ///< 4 or 6
  std::string destination, source;  ///< "10.0.0.0/24"; "default"; source: IPv6 only, "" for any
  std::uint32_t table = 254, priority = 0;
  std::vector<RouteHop> hops;  ///< none: blackhole and the like
  std::string preferred_source;
  unsigned scope = 0, type = 1, protocol = 4, tos = 0;
  int preference = -1;        ///< RFC 4191, IPv6 only; -1: none
  std::uint32_t expires = 0;  ///< seconds from the moment of the view, 0: never
  std::string metrics;        ///< RTA_METRICS, in hex
  /// The kernel has it from a router advertisement, and follows those that come: an IPv6 default.
  bool learnt = false;
  [[nodiscard]] bool uses(const std::string& link) const;
  /// Made by the kernel with an address, and gone with it.
  [[nodiscard]] bool is_kernels() const { return protocol == 2; }
  bool operator==(const LinkRoute&) const = default;
  /// But for its lifetime and, of a learnt one, for what the next advertisement sets.
  [[nodiscard]] bool is_alike(const LinkRoute& other) const;
};
/// A rule: where it stands, the links that it names, and the rest of it, which only host reads.
struct LinkRule {
  unsigned family = 4;
  std::uint32_t priority = 0;
  std::string input, output;
  Json rest;
  [[nodiscard]] bool names(const std::string& link) const {
    return input == link || output == link;
  }
  bool operator==(const LinkRule&) const = default;
};
struct LinkNeighbour {
  std::string link, ip, mac;
  unsigned flags = 0, protocol = 0;
  bool permanent = true;  ///< else it was learnt: copied, so that nobody has to be asked again
  /// We answer for that address on that link, in somebody's place (`ip neigh add proxy`).
  [[nodiscard]] bool is_proxy() const { return (flags & 0x08) != 0; }
  bool operator==(const LinkNeighbour&) const = default;
};

/// What is there, or is to be, of an uplink and a bridge.
struct UplinkView {
  std::string uplink, bridge;
  bool uplink_there = false, bridge_there = false;
  bool uplink_up = true;
  bool bridge_ours = false;  ///< it carries our mark, or (not yet marked) the MAC that was noted
  bool bridge_up = false;
  bool bridge_stp = false;
  std::string mac, bridge_mac, bridge_mark, master;  ///< master: of the uplink, "" for none
  std::uint32_t mtu = 0;                             ///< of the uplink
  std::vector<std::string> other_ports;              ///< ports of the bridge beside the uplink
  /// As the kernel lists them. Routes and rules: those that name either link, and the others that
  /// share a destination and metric, or a priority, with one of these, because their order counts.
  std::vector<LinkAddress> addresses;
  std::vector<LinkRoute> routes;
  std::vector<LinkRule> rules;
  std::vector<LinkNeighbour> neighbours;
  bool operator==(const UplinkView&) const = default;
};

// Single netlink messages.
struct MakeBridgeLink {
  std::string bridge, mac;
  std::uint32_t mtu = 0;
  std::string like;  ///< the link whose kernel settings (router advertisements, filters) it gets
  bool operator==(const MakeBridgeLink&) const = default;
};
struct MarkBridge {
  std::string bridge, mark;
  bool operator==(const MarkBridge&) const = default;
};
struct SetBridgeMac {
  std::string bridge, mac;
  bool operator==(const SetBridgeMac&) const = default;
};
/// After its uplink forwards: a port that joins while the spanning tree is on is deaf for twice the
/// forward delay.
struct SetBridgeStp {
  std::string bridge;
  bool on = true;
  bool operator==(const SetBridgeStp&) const = default;
};
struct SetUp {
  std::string link;
  bool up = true;
  bool operator==(const SetUp&) const = default;
};
struct SetMaster {
  std::string port, bridge;  ///< "" sets free
  bool operator==(const SetMaster&) const = default;
};
struct DropBridgeLink {
  std::string bridge;
  bool operator==(const DropBridgeLink&) const = default;
};
enum class Verb { add, change, remove };
struct ChangeAddress {
  Verb verb;
  LinkAddress address;
  bool operator==(const ChangeAddress&) const = default;
};
struct ChangeRoute {
  Verb verb;
  LinkRoute route;
  bool operator==(const ChangeRoute&) const = default;
};
struct ChangeRule {
  Verb verb;
  LinkRule rule;
  bool operator==(const ChangeRule&) const = default;
};
struct ChangeNeighbour {
  Verb verb;
  LinkNeighbour neighbour;
  bool operator==(const ChangeNeighbour&) const = default;
};
using NetworkOp =
    std::variant<MakeBridgeLink, MarkBridge, SetBridgeMac, SetBridgeStp, SetUp, SetMaster,
                 ChangeAddress, ChangeRoute, ChangeRule, ChangeNeighbour, DropBridgeLink>;

/// One line: "address 10.0.0.2/24 on br0".
std::string describe(const LinkAddress& address);
std::string describe(const LinkRoute& route);
std::string describe(const LinkRule& rule);
std::string describe(const NetworkOp& op);

/// What an adoption wants: all that names the uplink names the bridge, which has the uplink's MAC
/// and `mark`. IPv6 link-local addresses are copied, since a link that is up keeps its own.
UplinkView adopted(const UplinkView& before, const std::string& mark);
/// What a release wants: all that names the bridge names the uplink; what `before` knew comes back
/// in its old form and order; the bridge goes when `before` had none and nobody else is on it.
UplinkView released(const UplinkView& now, const UplinkView& before);
/// `view` with another name for its uplink, wherever that stands.
UplinkView renamed(const UplinkView& view, const std::string& uplink);
/// `view` as it is `seconds` later: lifetimes run on, and what has run out is gone.
UplinkView later(UplinkView view, std::uint32_t seconds);

/// The messages from `have` towards `want`, in the order that loses the fewest packets: new before
/// old. Empty: it is as wanted. What the kernel does by itself (routes that come and go with an
/// address) shows only in the next view, so plan, perform, look again, until there is nothing left.
std::vector<NetworkOp> plan_network(const UplinkView& have, const UplinkView& want);

Json to_json(const UplinkView& view);
UplinkView view_from_json(const Json& json);

/// How far an adoption is.
enum class AdoptionState { begun, waiting, confirmed, restored };
std::string to_string(AdoptionState state);

/// What is on disk of an adoption, from before its first message until the release.
struct Adoption {
  std::string id;  ///< drawn; a later adoption of the same bridge is another
  AdoptionState state = AdoptionState::begun;
  std::string boot_id;
  std::uint64_t network = 0;  ///< inode of the network namespace (/proc/self/ns/net) that it is in
  std::uint64_t taken = 0, deadline = 0;  ///< CLOCK_BOOTTIME, milliseconds
  std::uint64_t timeout = 60;             ///< seconds
  std::string reason;                     ///< why it was put back
  std::vector<std::string> left;          ///< what could not be put back, in sentences
  bool persist = false;  ///< the host's own configuration is written at the confirm
  /// Path and text of the host's own configuration of that bridge, as it was before.
  std::vector<std::pair<std::string, std::string>> native;
  std::vector<std::string> asked;  ///< who must go on answering: "arp 10.0.0.1", "echo ..."
  UplinkView before;
  int uplink_index = 0;  ///< by which the uplink is found when somebody renamed it; 0: not known
  std::string mark;
};
Json to_json(const Adoption& adoption);
/// Throws Failed when it is none of ours, or of a later version.
Adoption adoption_from_json(const Json& json);

}  // namespace nutshell
