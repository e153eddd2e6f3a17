// The pools as the registry keeps them, and how they follow the config.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "store/pool.hpp"
#include "store/sqlite.hpp"

namespace nutshell::store {

class PoolBook {
 public:
  explicit PoolBook(Connection& db) : db_(db) {}

  [[nodiscard]] std::optional<Pool> find(const std::string& name);
  [[nodiscard]] std::vector<Pool> all();
  /// Those that give addresses or subnets of this host's: of nutshell.toml, also of what it said
  /// once, and of NICs on bridges. What networks and clouds give lies inside of these.
  [[nodiscard]] std::vector<Pool> of_addresses();
  /// Those of managed networks that have any of these addresses.
  [[nodiscard]] std::vector<Pool> of_networks(const Interval& around);
  /// The pool of that name. Throws NotFound that lists what there is.
  [[nodiscard]] Pool named(const std::string& name);
  [[nodiscard]] Pool numbered(std::int64_t id);

  /// Makes a pool with everything free; handing out begins at `start` and wraps.
  void make(Pool pool, std::optional<std::int64_t> start = std::nullopt);
  /// Gives a pool another range. Leases stay; values that are no longer of the pool are never
  /// given again.
  void redefine(const Pool& old, const Pool& changed);
  /// Drops a pool that has no lease of a machine or by hand; throws Conflict when it has one.
  void drop(const Pool& pool, const std::string& what_next);

  /// Brings the registry's pools to those of the config. Compares one hash when nothing changed.
  void follow(const std::vector<PoolRange>& config, std::uint64_t random);
  /// 4 hex digits of this registry.
  [[nodiscard]] std::string tag();
  /// What was drawn when this registry was made.
  std::string born();
  /// Registry::kept(), and one more.
  std::int64_t kept();
  void count_kept();

 private:
  Pool read(Statement& row);
  [[nodiscard]] std::optional<std::string> setting(const char* name);
  /// How many leases of ours a pool has, or one in words.
  [[nodiscard]] std::optional<std::string> held(const Pool& pool);

  Connection& db_;
  std::string tag_;
};

/// The address pool of a managed network: its subnet without network, broadcast and bridge address.
Pool network_pool(const std::string& network, const Ipv4Net& bridge);
/// A well mixed number out of a seed and a purpose (splitmix64).
std::uint64_t mixed(std::uint64_t seed, std::uint64_t purpose);

}  // namespace nutshell::store
