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
  std::string digest{};  ///< of what stands in it whatever machines run: another when that changes
};

/// The table of a family (inet or bridge) with that name; nullopt when there is none. Throws Failed
/// when nft is not installed (which package), CommandFailed when it fails or does not end in time.
std::optional<NftTable> find_table(const std::string& name, const std::string& family = "inet");
/// The names of all tables of a family. Throws as find_table does.
std::vector<std::string> list_tables(const std::string& family = "inet");
/// What find_table gives, from what `nft -a -s -t list table` prints. Pure. Throws Failed when that
/// cannot be read.
NftTable parse_table(const std::string& listing);
/// What a table has, as `nft list table` prints it; empty when there is none.
std::string list_table(const std::string& name, const std::string& family);
/// True when rules of the family bridge may ask for the state of a connection (the kernel has
/// nf_conntrack_bridge). Nothing is changed to find out.
bool bridges_track_connections();
/// Applies a transaction. Throws as find_table does; then nothing was changed.
void apply_rules(const std::string& transaction);

}  // namespace nutshell::host
