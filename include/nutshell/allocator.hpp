// Who gets what. Everything that has to be unique goes through this interface, so that another
// registry (one for several boxes, say) can take the place of the embedded one.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "nutshell/config.hpp"
#include "nutshell/facts.hpp"
#include "nutshell/values.hpp"

namespace nutshell {

/// How long a lease lasts: until `rm`, until the run ends, while a network is up, or while a cloud
/// is there.
enum class Lifetime { machine, run, network, cloud };

/// Pools the allocator knows by name: "mac", "vnc", "cid", "uid", "tap", "volume", "subnet",
/// "ipv4:NETWORK" (one per managed network), "ipv4:bridge" (addresses asked for by ip= on a
/// bridge), and those of nutshell.toml.
struct Lease {
  std::string pool;
  std::string value;           ///< as text: "52:54:00:12:34:60", ":3", "10.75.0.2", "ntAB12-3"
  std::string cloud, machine;  ///< empty for a reservation by hand or a network
  Uuid holder;                 ///< the machine's; empty text: none
  int index = 0;               ///< which NIC or disk
  Lifetime lifetime = Lifetime::machine;
  std::string since;    ///< UTC, ISO 8601
  std::string foreign;  ///< who holds it, when it is not ours: skipped and named
  std::string note;     ///< what `lease reserve --note` said
};

/// One value that a machine needs. Either a certain one, or any.
struct Want {
  std::string pool;
  int index = 0;
  Lifetime lifetime = Lifetime::machine;
  std::optional<std::string> value;  ///< as text; nullopt: the next free one
  std::uint64_t count = 1;  ///< pool of addresses: so many in one piece, where they leave the
                            ///< fewest fragments; the value is "FIRST-LAST" then
  unsigned prefix = 0;      ///< pool of subnets: the subnet's size; 0: the pool's
};

/// A value passed over because something that is not ours has it; reported to the user.
struct Skipped {
  std::string pool, value, holder;
};

struct Taken {
  std::vector<Lease> leases;  ///< in the order of the wants
  std::vector<Skipped> skipped;
};

/// Inside one transaction: all or none. Throws Exhausted (pool and range named), Conflict (value
/// and its owner named), ConfigError (a value that is not of the pool). Values that `facts` shows
/// with a foreign holder are skipped, or refused when asked for by value. So are addresses that
/// another pool has given away, but what a cloud has itself, where it is meant to be there: its
/// machines and networks in its own ranges.
class Allocator {
 public:
  virtual ~Allocator() = default;
  virtual Taken take(const Uuid& holder, const std::vector<Want>& wants, const Facts& facts) = 0;
  /// The next `count` values that `take` would give from a pool, without taking them (to be probed
  /// outside the transaction).
  virtual std::vector<std::string> candidates(const std::string& pool, unsigned count,
                                              const Facts& facts) = 0;
  /// Who stands in the way of what `want` asks for by value, in words; nullopt: it can be taken.
  virtual std::optional<std::string> obstacle(const Uuid& holder, const Want& want,
                                              const Facts& facts) = 0;
  /// Gives back what the holder has of that lifetime; giving back twice is no error.
  virtual void release(const Uuid& holder, Lifetime lifetime) = 0;
  /// Gives back one value of a holder.
  virtual void release_value(const std::string& pool, const std::string& value) = 0;
  /// A reservation by hand: the value is never given. Throws Conflict when it is leased.
  virtual void reserve(const std::string& pool, const std::string& value,
                       const std::string& note) = 0;
  /// Records that a value has a foreign holder (found by binding or probing), so that `lease ls`
  /// shows it.
  virtual void mark_foreign(const std::string& pool, const std::string& value,
                            const std::string& holder) = 0;
  virtual std::vector<Lease> leases_of(const Uuid& holder) = 0;
  virtual std::vector<Lease> leases() = 0;
  virtual std::optional<Lease> who(const std::string& pool, const std::string& value) = 0;
};

}  // namespace nutshell
