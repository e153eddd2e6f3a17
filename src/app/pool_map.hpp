// Who owns what of a pool of addresses or subnets, as one row from its first to its last.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "nutshell/allocator.hpp"
#include "nutshell/config.hpp"
#include "nutshell/json.hpp"

namespace nutshell {

/// Neighbouring addresses in the same hands.
struct PoolPiece {
  std::uint64_t first = 0, last = 0;
  std::string kind;   ///< free, cloud, network, machine, reserved, excluded or foreign
  std::string owner;  ///< its name, a reservation's note, a stranger in words; empty: none
  bool operator==(const PoolPiece&) const = default;
};

/// Every address of the pool in exactly one piece. What is leased stands above what is excluded,
/// and that above what only the facts show.
std::vector<PoolPiece> map_pool(const PoolRange& pool, const std::vector<Lease>& leases,
                                const Facts& facts);
/// [{"first", "last", "owner", "kind"}]
Json to_json(const std::vector<PoolPiece>& pieces);
/// A bar of at most 64 cells, each the letter of whoever has most of it, and the owners below it.
std::string draw(const std::vector<PoolPiece>& pieces);

}  // namespace nutshell
