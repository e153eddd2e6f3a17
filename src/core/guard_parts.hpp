// What the two files about machines' rules share: one table, and the names of what machines share
// in it.
#pragma once
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "nutshell/guard.hpp"

namespace nutshell {

enum class Family { bridge, inet };

/// Which chains a script fills: all; all but those that stand; or none, which are only made sure
/// of.
struct Filling {
  bool any = true;
  std::set<std::string> standing{};
};

/// Commands for one table, as text.
class TableScript {
 public:
  TableScript(Family family, const std::string& table, Filling filling = {})
      : family_(family),
        place_((family == Family::bridge ? "bridge " : "inet ") + table + " "),
        filling_(std::move(filling)) {}

  [[nodiscard]] Family family() const { return family_; }
  void add_set(const std::string& name, const std::string& type) {
    add("add set ", name + " { type " + type + "; }");
  }
  /// The chain, there or not, without rules.
  void renew_chain(const std::string& name) {
    if (stands(name)) return;
    add("add chain ", name);
    if (filling_.any) flush_chain(name);
  }
  void add_rule(const std::string& chain, const std::string& rule) {
    if (filling_.any && !stands(chain)) add("add rule ", chain + " " + rule);
  }
  /// `value` of a map is led by a colon.
  void add_element(const std::string& set, const std::string& key, const std::string& mark,
                   const std::string& value = "") {
    add("add element ", set + " { " + key + " comment \"" + mark + "\"" + value + " }");
  }
  void drop_element(const std::string& set, const std::string& key) {
    add("delete element ", set + " { " + key + " }");
  }
  void flush_chain(const std::string& name) { add("flush chain ", name); }
  void drop_chain(const std::string& name) { add("delete chain ", name); }
  void drop_set(const std::string& name) { add("delete set ", name); }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void add(const char* verb, const std::string& what) { text_ += verb + place_ + what + "\n"; }

  [[nodiscard]] bool stands(const std::string& chain) const {
    return filling_.standing.contains(chain);
  }

  Family family_;
  std::string place_, text_;
  Filling filling_;
};

/// Chain and set of a cloud; chain of a group, and the sets of its machines' addresses; chain of
/// machines that are in just these groups.
std::string cloud_chain(const std::string& cloud);
std::string group_chain(const std::string& cloud, const std::string& group);
std::string group_set6(const std::string& cloud, const std::string& group);
std::string filter_chain(const GuestNic& nic);

/// Sets, chains and rules of the groups that this NIC is in, and its place in their sets.
void put_groups(TableScript& script, const GuestNic& nic, const Groups& groups,
                BridgeTracking tracking);
/// Sets and chain of one group with its rules.
void put_group_rules(TableScript& script, const GroupRow& group);
/// Names of chains and sets that exist because of this NIC's groups.
void name_group_parts(const GuestNic& nic, const Groups& groups, std::vector<std::string>& chains,
                      std::vector<std::string>& sets);
/// The IPv6 addresses that a NIC has in packets that are routed.
std::vector<std::string> routed_ipv6(const GuestNic& nic);

}  // namespace nutshell
