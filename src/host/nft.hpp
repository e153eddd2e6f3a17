// nftables through its own program: what is asked and what is changed are one call each, and a
// change is one transaction or nothing.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nutshell::host {

struct NftTable {
  std::uint64_t handle = 0;  ///< never used twice in the life of a network namespace
  std::string comment;       ///< empty: it has none
  std::string digest{};      ///< of all that is in it, counters aside: another when that changes
};

/// The table of the family inet with that name; nullopt when there is none. Throws Failed when nft
/// is not installed (which package), CommandFailed when it fails or does not end in time.
std::optional<NftTable> find_table(const std::string& name);
/// The names of all tables of the family inet. Throws as find_table does.
std::vector<std::string> list_tables();
/// What find_table gives, from what `nft -a -s list table` prints. Pure. Throws Failed when that
/// cannot be read.
NftTable parse_table(const std::string& listing);
/// Applies a transaction. Throws as find_table does; then nothing was changed.
void apply_rules(const std::string& transaction);

}  // namespace nutshell::host
