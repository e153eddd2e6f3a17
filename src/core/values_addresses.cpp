// MACs, IPv4 addresses and networks, UUIDs: text to integer and back. Each has exactly one spelling
// on the way out; on the way in nothing is guessed (010.0.0.1 is octal to some programs and decimal
// to others, so it is neither here).
#include <fmt/format.h>

#include "nutshell/values.hpp"

namespace nutshell {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// A decimal of at most three digits without leading zeros; nullopt beyond `most`.
std::optional<unsigned> small_number(std::string_view text, unsigned most) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value > most ? std::nullopt : std::optional(value);
}

std::uint32_t mask_of(unsigned prefix) {
  return prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - prefix);
}

}  // namespace

std::optional<Mac> parse_mac(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  Mac mac;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i % 3 == 2) {
      if (text[i] != ':') return std::nullopt;
      continue;
    }
    const int digit = hex_digit(text[i]);
    if (digit < 0) return std::nullopt;
    mac.value = mac.value << 4 | static_cast<std::uint64_t>(digit);
  }
  return mac;
}

std::string to_string(Mac mac) {
  const auto byte = [&](int index) { return mac.value >> (40 - 8 * index) & 0xff; };
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", byte(0), byte(1), byte(2),
                     byte(3), byte(4), byte(5));
}

std::optional<Ipv4> parse_ipv4(std::string_view text) {
  Ipv4 address;
  for (int part = 0; part < 4; ++part) {
    const std::size_t dot = part < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos) return std::nullopt;
    const auto value = small_number(text.substr(0, dot), 255);
    if (!value) return std::nullopt;
    address.value = address.value << 8 | *value;
    text.remove_prefix(part < 3 ? dot + 1 : dot);
  }
  return address;
}

std::string to_string(Ipv4 address) {
  return fmt::format("{}.{}.{}.{}", address.value >> 24, address.value >> 16 & 255,
                     address.value >> 8 & 255, address.value & 255);
}

Ipv4 Ipv4Net::first() const { return {address.value & mask_of(prefix)}; }
Ipv4 Ipv4Net::last() const { return {address.value | ~mask_of(prefix)}; }
Ipv4 Ipv4Net::netmask() const { return {mask_of(prefix)}; }

std::optional<Ipv4Net> parse_ipv4_net(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = parse_ipv4(text.substr(0, slash));
  const auto prefix = small_number(text.substr(slash + 1), 32);
  if (!address || !prefix) return std::nullopt;
  return Ipv4Net{*address, *prefix};
}

std::string to_string(const Ipv4Net& net) {
  return fmt::format("{}/{}", to_string(net.address), net.prefix);
}

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  Uuid uuid;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : hex_digit(text[i]) < 0) return std::nullopt;
    uuid.text += dash ? '-' : "0123456789abcdef"[hex_digit(text[i])];
  }
  return uuid;
}

Uuid make_uuid(const std::uint8_t (&random)[16]) {
  Uuid uuid;
  for (int i = 0; i < 16; ++i) {
    unsigned byte = random[i];
    if (i == 6) byte = (byte & 0x0f) | 0x40;  // version 4
    if (i == 8) byte = (byte & 0x3f) | 0x80;  // the variant of RFC 4122
    if (i == 4 || i == 6 || i == 8 || i == 10) uuid.text += '-';
    uuid.text += fmt::format("{:02x}", byte);
  }
  return uuid;
}

}  // namespace nutshell
