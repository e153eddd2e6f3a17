// The words of a managed network, and IPv6 prefixes. inet_pton and inet_ntop look at nothing but
// their arguments, so this stays pure.
#include "nutshell/network.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace nutshell {

std::string to_string(NetworkMode value) {
  switch (value) {
    case NetworkMode::nat: return "nat";
    case NetworkMode::routed: return "routed";
    case NetworkMode::isolated: return "isolated";
  }
  return {};
}

bool from_word(std::string_view word, NetworkMode& value) {
  for (const NetworkMode each : {NetworkMode::nat, NetworkMode::routed, NetworkMode::isolated})
    if (to_string(each) == word) {
      value = each;
      return true;
    }
  return false;
}

std::string words_of(NetworkMode) { return "nat, routed or isolated"; }

std::optional<std::string> parse_ipv6_prefix(std::string_view text) {
  constexpr std::string_view length = "/64";
  if (!text.ends_with(length)) return std::nullopt;
  const std::string address(text.substr(0, text.size() - length.size()));
  std::array<unsigned char, 16> bytes{};
  if (::inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return std::nullopt;
  const auto is_zero = [](unsigned char byte) { return byte == 0; };
  if (!std::all_of(bytes.begin() + 8, bytes.end(), is_zero)) return std::nullopt;
  if (std::all_of(bytes.begin(), bytes.begin() + 8, is_zero)) return std::nullopt;
  if (bytes[0] == 0xff || (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> shortest{};
  if (!::inet_ntop(AF_INET6, bytes.data(), shortest.data(), shortest.size())) return std::nullopt;
  return shortest.data() + std::string(length);
}

std::string first_ipv6_address(const std::string& prefix) {
  std::array<unsigned char, 16> bytes{};
  std::array<char, INET6_ADDRSTRLEN> shortest{};
  if (::inet_pton(AF_INET6, prefix.substr(0, prefix.find('/')).c_str(), bytes.data()) != 1)
    return {};
  bytes[15] = 1;
  return ::inet_ntop(AF_INET6, bytes.data(), shortest.data(), shortest.size()) ? shortest.data()
                                                                               : std::string();
}

std::string dns_domain(std::string_view cloud) { return fmt::format("{}.nutshell", cloud); }

std::string dns_name(std::string_view name, std::string_view cloud) {
  return fmt::format("{}.{}", name, dns_domain(cloud));
}

}  // namespace nutshell
