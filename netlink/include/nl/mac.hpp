// An Ethernet address as a plain value.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nl {

using Mac = std::array<std::uint8_t, 6>;

/// "52:54:00:12:34:56", lower case.
std::string to_text(const Mac& mac);
/// Six pairs of hex digits with colons between; nothing else is taken.
std::optional<Mac> parse_mac(std::string_view text);

}  // namespace nl
