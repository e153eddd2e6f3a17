// What the firewall does about single machines: from where their frames may come, who reaches them,
// and what leads to them from outside. Text from values alone; host/nft applies it. A machine is
// elements of sets that are there already, so that one more costs the same however many there are.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "nutshell/registry.hpp"
#include "nutshell/spec.hpp"
#include "nutshell/values.hpp"

namespace nutshell {

/// One NIC of a machine that runs, as the firewall sees it.
struct GuestNic {
  std::string tap;
  std::string mark;  ///< tap_mark(): the comment of all that is its
  std::string cloud;
  Mac mac;
  bool guarded = false;   ///< it may send from its own MAC and addresses alone
  bool tagged = false;    ///< it may send frames with a VLAN tag
  bool isolated = false;  ///< machines of other clouds do not see it
  bool routed = false;    ///< on a managed network: the host routes for it
  std::optional<Ipv4> ip;
  std::vector<AddressRange> also;
  std::string ipv6;                 ///< its network's /64 prefix; empty: none, or not known
  std::uint64_t rate = 0;           ///< bits per second, each way; 0: no limit
  std::vector<std::string> groups;  ///< sorted; empty: not filtered
  std::vector<PublishedPort> publish;
  std::vector<Ipv4> publics;  ///< addresses of the host's that are mapped to it, one to one
  bool operator==(const GuestNic&) const = default;
};

Json to_json(const GuestNic& nic);
/// As a run's record keeps them; "" for none.
std::string guests_to_json(const std::vector<GuestNic>& nics);
/// Throws Failed where it is damaged.
std::vector<GuestNic> guests_from_json(const std::string& text);

/// "5054:ff:fe12:3460": the lower half of the IPv6 addresses that are made of a MAC (RFC 4291,
/// appendix A).
std::string eui64(Mac mac);

/// From where a rule of a group lets in: "203.0.113.0/24", "203.0.113.7", "2001:db8::/32" or
/// "2001:db8::7", in its shortest form and with a prefix. Mistakes go to `problems`.
std::string parse_source(std::string_view text, const std::string& where, Problems& problems);

/// The groups of the registry, by cloud and name.
using Groups = std::map<std::pair<std::string, std::string>, GroupRow>;
Groups groups_of(const std::vector<GroupRow>& rows);

/// How groups are kept in frames that go from port to port of one bridge: with the kernel's
/// connection tracking there (nf_conntrack_bridge), or without it by TCP's flags alone.
enum class BridgeTracking { yes, no };

/// The table of the family bridge, without any machine: "table bridge NAME { ... }".
std::string render_bridge_base(const std::string& table);
/// What the table of the family inet has for machines, between its braces.
std::string render_guest_parts();

/// True of the name of a chain or set that comes and goes with machines and groups; all others
/// stand in the tables from the beginning.
bool comes_and_goes(std::string_view name);

struct GuardTables {
  std::string bridge,
      inet;  ///< names of the tables; empty: there is none, and nothing is put there
  BridgeTracking tracking = BridgeTracking::yes;
};
/// Commands that put the rules of these NICs into the tables; what is there already may be there.
/// Chains that `others` have too are taken to be there: a group's rules, say.
std::string render_guests(const GuardTables& tables, const std::vector<GuestNic>& nics,
                          const Groups& groups, const std::vector<GuestNic>& others = {});
/// What several machines share (a cloud's chain, a group's): dropped with the last, or kept because
/// somebody whom we do not know may need it.
enum class Shared { drop, keep };
/// Commands that take them out again, there or not. Of what several share, what none of `rest`
/// needs goes, too, if it may.
std::string render_guests_removal(const GuardTables& tables, const std::vector<GuestNic>& nics,
                                  const std::vector<GuestNic>& rest, const Groups& groups,
                                  Shared shared = Shared::drop);
/// Commands that make a group's rules anew, where `guests` has one that is in it.
std::string render_group(const GuardTables& tables, const GroupRow& group,
                         const std::vector<GuestNic>& guests);

}  // namespace nutshell
