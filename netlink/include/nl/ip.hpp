// IPv4 and IPv6 addresses and prefixes as plain values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nl {

/// The numbers are AF_UNSPEC, AF_INET and AF_INET6.
enum class Family : std::uint8_t { none = 0, v4 = 2, v6 = 10 };

/// An address in network byte order; of an IPv4 one the first four bytes count, the rest is zero.
struct Ip {
  Family family = Family::none;
  std::array<std::uint8_t, 16> bytes{};

  /// From a number in host byte order, 0x0a000001 for 10.0.0.1.
  static Ip v4(std::uint32_t address);
  /// Dotted or colon notation; no prefix length, no scope name.
  static std::optional<Ip> parse(std::string_view text);

  /// True where there is none (an absent gateway, say).
  bool empty() const { return family == Family::none; }
  /// 4, 16, or 0 for none.
  std::size_t size() const;
  /// The IPv4 address in host byte order; 0 for another family.
  std::uint32_t as_v4() const;
  /// "10.0.0.1", "fe80::1", or "" for none.
  std::string text() const;

  auto operator<=>(const Ip&) const = default;
};

/// A network: an address and how many of its bits count. Length 0 with an empty address means
/// "everything".
struct Prefix {
  Ip ip{};
  std::uint8_t length = 0;

  /// "10.0.0.0/8" or "10.0.0.1" (all bits count).
  static std::optional<Prefix> parse(std::string_view text);
  /// "10.0.0.0/8", or "default" for everything.
  std::string text() const;

  auto operator<=>(const Prefix&) const = default;
};

}  // namespace nl
