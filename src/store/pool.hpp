// What a pool is: which integers it has, how they are written, and which of them the host shows in
// foreign hands. Pure; knows no SQL.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nutshell/config.hpp"
#include "nutshell/facts.hpp"
#include "store/interval.hpp"

namespace nutshell::store {

enum class PoolKind { mac, vnc, cid, uid, ipv4, subnet, tap, names };

struct Pool {
  std::int64_t id = 0;  ///< in the registry
  std::string name;
  PoolKind kind = PoolKind::cid;
  Interval range;
  unsigned prefix = 24;  ///< kind subnet: what one lease covers
  Intervals excluded;    ///< normal
  std::string source;    ///< "config", "network" or "fixed"
  std::string tag;       ///< kind tap: 4 hex digits of the registry

  /// Displays and subnets are given lowest first, all else in a queue.
  [[nodiscard]] bool lowest_first() const {
    return kind == PoolKind::vnc || kind == PoolKind::subnet;
  }
  /// Gives only values that were asked for.
  [[nodiscard]] bool by_value_only() const;
  /// How many integers one lease covers.
  [[nodiscard]] std::int64_t unit() const {
    return kind == PoolKind::subnet ? std::int64_t{1} << (32 - prefix) : 1;
  }
  /// What may be given without being asked for by value: the range without the exclusions.
  [[nodiscard]] Intervals allowed() const;
  /// True when a value outside the range may be asked for: a MAC, display, CID, uid or subnet is
  /// one wherever it lies, and must be unique too.
  [[nodiscard]] bool open_ended() const;
  /// Its values are addresses, or subnets of them.
  [[nodiscard]] bool of_addresses() const {
    return kind == PoolKind::ipv4 || kind == PoolKind::subnet;
  }
  /// Of NICs on bridges, asked for by ip=.
  [[nodiscard]] bool of_bridges() const { return name == "ipv4:bridge"; }
  /// A value as text; of addresses an interval as "A-B", which parse() takes, and elsewhere one
  /// that is no single value as "A to B".
  [[nodiscard]] std::string render(const Interval& value) const;
  /// Throws ConfigError when the text is no value of this kind, or of this pool.
  [[nodiscard]] Interval parse(std::string_view text) const;
  /// ":0 to :99"
  [[nodiscard]] std::string range_text() const;
};

std::string to_word(PoolKind kind);
std::optional<PoolKind> pool_kind(std::string_view word);
/// A pool of the config. Throws ConfigError for an unknown kind or an empty range.
Pool pool_from(const PoolRange& range);
PoolRange range_from(const Pool& pool);
/// The number in a tap's name; nullopt when it is no tap of this registry.
std::optional<std::int64_t> tap_number(const Pool& pool, std::string_view name);

/// What something else has, sorted and disjoint.
class Foreign {
 public:
  struct Holding {
    Interval values;
    std::string holder;
  };
  Foreign() = default;
  explicit Foreign(std::vector<Holding> holdings, std::vector<Holding> nets = {});
  /// The first holding that overlaps, or nullptr. O(log n).
  [[nodiscard]] const Holding* overlapping(const Interval& values) const;
  /// The lowest net that has a part of the values, or nullptr. One that has all of them is the LAN
  /// that they are in.
  [[nodiscard]] const Holding* cutting(const Interval& values) const;

 private:
  std::vector<Holding> holdings_, nets_;  ///< nets: sorted by their low end
};
/// The values of the pool that the facts show in hands other than those of `cloud`.
Foreign foreign_in(const Pool& pool, const Facts& facts, const std::string& cloud = "");

}  // namespace nutshell::store
