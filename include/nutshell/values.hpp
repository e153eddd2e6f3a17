// Small values that cannot be wrong inside: sizes, MACs, IPv4 addresses and networks, UUIDs, names.
// Parsing happens at the door; nothing here reads the world.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nutshell {

using Bytes = std::uint64_t;
inline constexpr Bytes kibi = 1024, mebi = 1024 * kibi, gibi = 1024 * mebi, tebi = 1024 * gibi;

/// Parses "512", "100G" (binary suffixes K M G T, either case). Throws ConfigError(where, ...) for
/// 0, a negative, an overflow (beyond 2^63-1) or anything else that is no size.
Bytes parse_size(std::string_view text, const std::string& where);
/// The shortest exact form: "2G", "1536M", "513".
std::string format_size(Bytes size);
/// For people, one decimal at most: "1.5G".
std::string format_size_roughly(Bytes size);

/// A MAC as the integer of its 48 bits, first byte highest.
struct Mac {
  std::uint64_t value = 0;
  auto operator<=>(const Mac&) const = default;
  /// The group bit of the first byte (IEEE 802).
  [[nodiscard]] bool is_multicast() const { return (value >> 40) & 1; }
};
/// "52:54:00:12:34:60" (either case); nullopt when malformed.
std::optional<Mac> parse_mac(std::string_view text);
std::string to_string(Mac mac);

/// An IPv4 address in host byte order.
struct Ipv4 {
  std::uint32_t value = 0;
  auto operator<=>(const Ipv4&) const = default;
};
std::optional<Ipv4> parse_ipv4(std::string_view text);
std::string to_string(Ipv4 address);

/// An IPv4 network; `address` may carry host bits (an interface address such as 10.0.0.1/24).
struct Ipv4Net {
  Ipv4 address;
  unsigned prefix = 32;  ///< 0..32
  bool operator==(const Ipv4Net&) const = default;
  [[nodiscard]] Ipv4 first() const;  ///< the network address
  [[nodiscard]] Ipv4 last() const;   ///< the broadcast address
  [[nodiscard]] Ipv4 netmask() const;
  [[nodiscard]] bool contains(Ipv4 other) const { return first() <= other && other <= last(); }
  [[nodiscard]] bool overlaps(const Ipv4Net& other) const {
    return first() <= other.last() && other.first() <= last();
  }
};
/// "10.0.0.0/24"; nullopt when malformed. Host bits are kept.
std::optional<Ipv4Net> parse_ipv4_net(std::string_view text);
std::string to_string(const Ipv4Net& net);

/// A UUID in its canonical lower-case text (RFC 4122).
struct Uuid {
  std::string text;
  auto operator<=>(const Uuid&) const = default;
  /// The first 8 hex digits: names run paths and taps. The registry keeps them unique.
  [[nodiscard]] std::string short_id() const { return text.substr(0, 8); }
};
std::optional<Uuid> parse_uuid(std::string_view text);
/// A random (version 4) UUID from 16 random bytes.
Uuid make_uuid(const std::uint8_t (&random)[16]);

/// CLOUD/NAME. Both parts match [a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?, so that they are DNS labels.
struct MachineName {
  std::string cloud = "default";
  std::string name;
  auto operator<=>(const MachineName&) const = default;
};
/// "cloud/name"; the cloud `default` is left out: "name".
std::string to_string(const MachineName& name);
/// True when `part` is a valid cloud or machine name.
bool is_name(std::string_view part);
/// What is wrong with `part` in words ("capital letters are not allowed"), for the one sentence of
/// the error.
std::string name_fault(std::string_view part);
/// A name as typed: cloud is empty when it was not given. Throws ConfigError, with control
/// characters escaped.
struct TypedName {
  std::string cloud;
  std::string name;
};
TypedName parse_name(std::string_view text);

/// True for 1 to 15 bytes without '/', white space, ':' and '%', and not "." or ".." (kernel:
/// dev_valid_name).
bool is_interface_name(std::string_view text);

/// The text with control and non-ASCII bytes written as \xNN, so that it can be shown on a
/// terminal.
std::string printable(std::string_view text);
/// Why a text cannot be handed to QEMU and kept in JSON ("it contains a newline"); empty: it can.
/// Control characters and invalid UTF-8 are what is refused; commas, quotes and spaces are fine.
std::string text_fault(std::string_view text);
/// The text quoted so that a POSIX shell reads it back as one word; unchanged when it needs no
/// quoting.
std::string shell_quote(std::string_view text);
/// The argv as one shell line.
std::string shell_line(const std::vector<std::string>& argv);
/// The candidate nearest to `word` by edit distance, when it is near enough to be meant ("did you
/// mean").
std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

}  // namespace nutshell
