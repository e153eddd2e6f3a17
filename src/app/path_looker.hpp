// Looks at the way between one NIC and the outside, with the host's filters read once for all.
#pragma once
#include <optional>
#include <set>
#include <string>

#include "app/house.hpp"
#include "nutshell/packet_path.hpp"
#include "nutshell/path_filters.hpp"

namespace nutshell {

/// All filters of the host, in two: ours and those of others.
struct SplitFilters {
  Ruleset ours, foreign;
  bool iptables = false;
  std::string trouble;  ///< what could not be seen, and why; empty: all was
};

class Looker {
 public:
  /// `to`: the address at the other end, where one was named.
  Looker(House& house, const std::optional<Ipv4>& to);

  HostPath look(const MachineRow& row, std::size_t nic);
  /// What every machine on a bridge, or on a network, meets.
  HostPath look_at_all(const NicSpec& spec);

  [[nodiscard]] const std::string& trouble() const { return filters_.trouble; }
  /// What is worth a word, and breaks nothing.
  [[nodiscard]] const std::set<std::string>& remarks() const { return remarks_; }

 private:
  PathView view_of(const NicSpec& spec, const std::string& tap);
  void add_route(const NicSpec& spec, HostPath& path, PathView& view);
  void add_network_route(const NicSpec& spec, HostPath& path, PathView& view);
  void add_bridge_route(const NicSpec& spec, HostPath& path, PathView& view);
  void add_outer(const std::string& outer, const std::string& bridge, HostPath& path);

  House& house_;
  std::optional<Ipv4> to_;
  SplitFilters filters_;
  std::set<std::string> remarks_;
};

/// What keeps the machine's packets from the address by our own doing: it is paused, its network is
/// isolated, the address is a machine's that is kept apart. nullopt: nothing of that.
std::optional<PathBreak> shut_by_us(House& house, const MachineRow& row, const NicSpec& spec,
                                    const std::optional<Ipv4>& to);

}  // namespace nutshell
