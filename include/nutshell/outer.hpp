// What a machine is told of the world outside by the box that it runs on, when that box is one of
// nutshell's: how deep it is, and which addresses are in use there. One line of text, which travels
// as an OEM string of the firmware's tables (SMBIOS type 11), so that no driver is needed to read
// it.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nutshell/spec.hpp"

namespace nutshell {

/// The longest line that is handed in, in bytes.
inline constexpr std::size_t longest_outer = 1000;

struct Outer {
  unsigned depth = 0;                ///< 1: a machine on hardware, 2: a machine inside one, ...
  std::vector<AddressRange> ranges;  ///< in use outside
  bool operator==(const Outer&) const = default;
};

/// "nutshell.outer:1:10.75.0.0/24+192.0.2.10-192.0.2.19". Ranges that touch are joined; where it
/// would be longer than `limit`, those that lie nearest to one another become one with what is
/// between them, so that none is left out as long as what they become is no more than a /8.
std::string encode_outer(const Outer& outer, std::size_t limit = longest_outer);
/// nullopt when the text is no such line. Of a damaged one what can be read is taken; a range
/// larger than a /8 is not.
std::optional<Outer> decode_outer(std::string_view text);
/// The line in the firmware's tables as the kernel shows them (/sys/firmware/dmi/tables/DMI), of
/// whatever length and content; nullopt when none of their OEM strings is one.
std::optional<Outer> outer_in_dmi(std::string_view table);

}  // namespace nutshell
