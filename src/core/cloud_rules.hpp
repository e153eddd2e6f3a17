// Rules of security groups as a cloud's file writes them.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "nutshell/error.hpp"
#include "nutshell/registry.hpp"

namespace nutshell {

/// "tcp 22 from 10.0.0.0/8", "udp 8000-8100 from group web", "icmp", "all"; nullopt (and problems)
/// when it is none.
std::optional<GroupRule> parse_rule(std::string_view text, const std::string& where,
                                    Problems& problems);
/// The rule as parse_rule() reads it.
std::string rule_words(const GroupRule& rule);

}  // namespace nutshell
