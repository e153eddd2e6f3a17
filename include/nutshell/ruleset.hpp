// The packet filters of a host as a value, whoever made them, and the one question that is asked of
// them: who drops a packet that comes in here and goes out there. Pure.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nutshell {

/// What a condition of a rule looks at. `opaque` is what a listing does not show.
enum class About {
  iif,
  oif,
  port_in,  ///< of a bridge, as iptables' physdev sees it
  port_out,
  bridged,  ///< "yes" for a frame that a bridge forwards
  source,
  destination,
  destination_type,  ///< "local", "broadcast", "multicast", "unicast"
  protocol,          ///< "tcp", "udp", "icmp"
  port,              ///< where a TCP or UDP packet goes to
  source_mac,
  destination_mac,
  family,  ///< "ipv4", "ipv6", "arp"
  state,   ///< of the connection: "new", "established"
  mark,    ///< 0 where nobody sets one
  narrow,  ///< what packets of a machine never have, such as a connection that the host redirects
  opaque
};

struct RuleCondition {
  About about = About::opaque;
  bool negated = false;
  std::vector<std::string> values;  ///< any of them; names may end in '*', addresses in
                                    ///< /N, ports may be N-M
  bool operator==(const RuleCondition&) const = default;
};

enum class RuleVerdict { none, accept, drop, reject, jump, go_to, back };

struct FilterRule {
  std::vector<RuleCondition> conditions;
  RuleVerdict verdict = RuleVerdict::none;
  std::string target;                    ///< of jump and go_to
  std::optional<std::uint64_t> packets;  ///< counted, where it counts
  std::string comment;
};

struct FilterChain {
  std::string family, table, name;  ///< family as nft says: ip, ip6, inet, bridge, netdev
  std::string hook;                 ///< "forward"; empty: only jumped to
  int priority = 0;
  std::vector<std::string> devices;  ///< of a netdev chain
  bool drops_by_policy = false;
  std::optional<std::uint64_t> policy_packets;
  bool legacy = false;    ///< of iptables-legacy, which nft does not show
  bool iptables = false;  ///< made by iptables of either kind
  std::vector<FilterRule> rules;
};

/// An element of a set that counts for itself.
struct CountedElement {
  std::string family, table, set, value;
  std::uint64_t packets = 0;
};

struct Ruleset {
  std::vector<FilterChain> chains;
  std::vector<CountedElement> counted;
  bool marks = false;    ///< a rule sets marks
  bool notrack = false;  ///< a rule keeps packets from having a connection
  bool flagged = false;  ///< a table has flags, which nft 1.0.6 prints wrongly in JSON
  [[nodiscard]] const FilterChain* find(const FilterChain& beside, std::string_view name) const;
  /// True when iptables made chains of that family through nft.
  [[nodiscard]] bool has_iptables(std::string_view family) const;
};

/// From what `nft -j list ruleset` prints. Throws Failed when it cannot be read.
Ruleset parse_nft_ruleset(std::string_view json);
/// Unhooks the chains of tables that are dormant, which filter nothing: from what `nft -t list
/// ruleset` prints.
void unhook_dormant(Ruleset& ruleset, std::string_view listing);
/// Of netdev chains, the devices, which nft 1.0 leaves out of its JSON: from what `nft list chains
/// netdev` prints.
void add_devices(Ruleset& ruleset, std::string_view listing);
/// From what iptables-save -c prints for a family (ip, ip6). With `legacy`, added to the others;
/// else in place of the tables of that family and name that iptables made through nft.
void merge_iptables(Ruleset& ruleset, std::string_view text, const std::string& family,
                    bool legacy);

/// A packet at one hook: what is known of it.
struct Crossing {
  std::string family;  ///< ip, ip6, bridge, netdev
  std::string hook;
  std::map<About, std::string> known;  ///< an address may be a net, a name may end in '*': one of
                                       ///< these
  std::string device;                  ///< of netdev
};

/// Who drops it.
struct FilterHit {
  const FilterChain* base = nullptr;   ///< hooked chain that the packet was in
  const FilterChain* chain = nullptr;  ///< where the rule is
  const FilterRule* rule = nullptr;    ///< nullptr: the base chain's policy
  bool certain = false;  ///< every packet of that kind; else some of them, or it cannot be told
};
/// In the order in which the packet meets them; hits point into the ruleset. Where the protocol is
/// not known, a hit is certain when it is one for TCP and for UDP, or, below IP, for ARP. A rule
/// that cannot be judged leaves what comes after it uncertain.
std::vector<FilterHit> find_drops(const Ruleset& ruleset, const Crossing& crossing);
std::vector<FilterHit> find_drops(Ruleset&&, const Crossing&) = delete;

/// "ip filter FORWARD, whose policy is drop", "inet firewalld filter_FORWARD, by a rule that
/// rejects".
std::string describe(const FilterHit& hit);
/// What counted, where something does.
std::optional<std::uint64_t> count_of(const FilterHit& hit);

/// Whose filter a base chain is.
enum class FilterOwner { docker, ufw, firewalld, unknown };
FilterOwner owner_of(const Ruleset& ruleset, const FilterChain& base);
/// "Docker's ", "ufw's ", "firewalld's "; "" for an unknown one.
std::string possessive(FilterOwner owner);

/// Rules of ip, ip6 and inet that are about a link which has become a port of a bridge: its packets
/// come in and go out by the bridge now, and these rules match none of them.
struct StaleRules {
  const FilterChain* chain = nullptr;  ///< the first of its table that has such a rule
  unsigned count = 0;
};
/// One for each table. A rule that stands there a second time, about the bridge, is left out.
std::vector<StaleRules> find_stale(const Ruleset& ruleset, const std::string& port,
                                   const std::string& bridge);
std::vector<StaleRules> find_stale(Ruleset&&, const std::string&, const std::string&) = delete;
/// The one line for a shell that makes them be about the bridge, in the form that their owner
/// keeps.
std::string cure_for_stale(const Ruleset& ruleset, const StaleRules& stale, const std::string& port,
                           const std::string& bridge, bool iptables);

/// What is to be let through: frames that a bridge forwards, packets that are routed from and to
/// it, those between it and the host itself, in the bridge family those of some ports, and of a
/// netdev chain all.
struct Passage {
  enum class Kind { bridged, routed, host, ports, device } kind = Kind::bridged;
  std::string bridge;
  std::string ports;    ///< a tap's name, or a pattern such as "nt12ab-*"
  bool inward = false;  ///< to the machine; matters before and after routing alone
};
/// The one line for a shell that lets it through, in the form that the filter's owner keeps; ""
/// where none is known that would: a hook before routing does not know the way out, one after it
/// not always the way in.
/// `iptables`: the program is there.
std::string cure_for(const Ruleset& ruleset, const FilterHit& hit, const Passage& passage,
                     bool iptables);

}  // namespace nutshell
