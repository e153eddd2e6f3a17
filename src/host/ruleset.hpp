// The host's packet filters, whoever made them: read, never changed.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "nutshell/ruleset.hpp"

namespace nutshell::host {

struct SeenRules {
  Ruleset ruleset;
  bool iptables = false;  ///< the program is there
  std::string trouble;    ///< what could not be seen, and why, one sentence; empty: all was
};
/// All that nft shows; what iptables-legacy has, where the kernel says that it has something; and
/// what nft shows too little of, from iptables-nft-save. Without root nothing can be seen, which
/// is a trouble and no error.
SeenRules observe_ruleset();

/// True when IPv4 frames that the bridge forwards go through iptables and nft's ip and inet
/// (br_netfilter, for all bridges or for this one).
bool bridge_meets_ip_filters(const std::string& bridge);

/// The first line of a setting below /proc/sys; empty when there is none.
std::string setting(const std::string& path);
/// What a link's rp_filter comes to: the larger of its own and that of all.
int reverse_path_filter(const std::string& link);
/// Packets that this network namespace has dropped by rp_filter.
std::uint64_t reverse_path_drops();

}  // namespace nutshell::host
