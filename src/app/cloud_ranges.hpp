// What a cloud has of the host's pools: its public range and its private subnet.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "app/house.hpp"
#include "nutshell/cloud.hpp"
#include "nutshell/facts.hpp"

namespace nutshell {

/// What a cloud holds. Of its leases, index 0 is the subnet, 1 a piece of the public range.
struct CloudRanges {
  static constexpr int index_of_subnet = 0, index_of_publics = 1;
  std::string public_pool;            ///< empty: it has no public range
  std::vector<AddressRange> publics;  ///< in order, neighbours joined
  std::vector<AddressRange> pieces;   ///< the same as they are leased
  std::string private_pool;
  std::optional<Ipv4Net> subnet;
  bool operator==(const CloudRanges&) const = default;
  [[nodiscard]] std::uint64_t addresses() const;
};
/// How many addresses they hold.
std::uint64_t size_of(const AddressRange& range);
std::uint64_t size_of(const std::vector<AddressRange>& ranges);
/// The pieces of `whole` that are outside of `holes`, which are in order and apart.
std::vector<AddressRange> without(const AddressRange& whole,
                                  const std::vector<AddressRange>& holes);
/// As a lease's value: "192.0.2.16-192.0.2.31".
std::string value_of(const AddressRange& range);
CloudRanges ranges_of(House& house, const std::string& cloud);
/// As people read it: "192.0.2.16-192.0.2.31 of the pool public".
std::string words_of_publics(const CloudRanges& ranges);
std::string words_of_subnet(const CloudRanges& ranges);

/// The pool of that name; nullptr: there is none.
const PoolRange* pool_named(const std::vector<PoolRange>& pools, const std::string& name);
/// The pool that a wish for a private subnet is out of. Throws ConfigError at the wish's line.
std::string private_pool_of(const House& house, const PrivateWish& wish);
/// The pool that a wish is out of; where nothing says, the one that the cloud has addresses of
/// already (`held`), as where it wishes a part of those. Throws NotFound, ConfigError at the wish's
/// line.
std::string public_pool_of(const House& house, const PublicWish& wish, const CloudRanges& held);
/// True when the cloud has just what is wished; whatever nutshell.toml says of the pool by now.
bool is_met(const CloudRanges& held, const PublicWish& wish);
bool is_met(const CloudRanges& held, const PrivateWish& wish);
/// True when following the wishes takes something away that the cloud has.
bool takes_away(const House& house, const CloudRanges& held, const PublicWish& wish);
bool takes_away(const CloudRanges& held, const PrivateWish& wish);

/// Gives and takes until the cloud has what its file wants, and makes its pool of public addresses
/// follow. With `whole_net` a new public range is one network where it can. What has to stay,
/// stays. Says what is passed over. Throws Exhausted, Conflict,
/// ConfigError.
void follow_wishes(House& house, Transaction& transaction, const std::string& cloud,
                   const PublicWish& publics, const PrivateWish& subnet, const Facts& facts,
                   bool whole_net);

}  // namespace nutshell
