// The integer that pools count with, byte by byte.
#include "host/mac_bytes.hpp"

namespace nutshell::host {

nl::Mac to_bytes(Mac mac) {
  nl::Mac bytes{};
  for (int i = 0; i < 6; ++i)
    bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(mac.value >> (40 - 8 * i));
  return bytes;
}

}  // namespace nutshell::host
