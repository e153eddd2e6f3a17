// The plain values of this library, to text and back: MACs, addresses, prefixes. Strict, because
// what a person typed ends up here: no half-parsed rest, no octal, no host names.
#include <arpa/inet.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "nl/ip.hpp"
#include "nl/mac.hpp"

namespace nl {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string to_text(const Mac& mac) {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                mac[4], mac[5]);
  return text;
}

std::optional<Mac> parse_mac(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  Mac mac{};
  for (std::size_t i = 0; i < 6; ++i) {
    int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);
    if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':')) return std::nullopt;
    mac[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return mac;
}

Ip Ip::v4(std::uint32_t address) {
  Ip ip;
  ip.family = Family::v4;
  std::uint32_t wire_order = htonl(address);
  std::memcpy(ip.bytes.data(), &wire_order, sizeof wire_order);
  return ip;
}

std::optional<Ip> Ip::parse(std::string_view text) {
  const std::string whole(text);
  if (whole.find('\0') != std::string::npos) return std::nullopt;
  Ip ip;
  ip.family = whole.find(':') == std::string::npos ? Family::v4 : Family::v6;
  if (::inet_pton(static_cast<int>(ip.family), whole.c_str(), ip.bytes.data()) != 1)
    return std::nullopt;
  return ip;
}

std::size_t Ip::size() const { return family == Family::v4 ? 4 : family == Family::v6 ? 16 : 0; }

std::uint32_t Ip::as_v4() const {
  if (family != Family::v4) return 0;
  std::uint32_t wire_order;
  std::memcpy(&wire_order, bytes.data(), sizeof wire_order);
  return ntohl(wire_order);
}

std::string Ip::text() const {
  if (empty()) return {};
  char text[INET6_ADDRSTRLEN];
  return ::inet_ntop(static_cast<int>(family), bytes.data(), text, sizeof text);
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto ip = Ip::parse(text.substr(0, slash));
  if (!ip) return std::nullopt;
  Prefix prefix{*ip, static_cast<std::uint8_t>(ip->size() * 8)};
  if (slash == std::string_view::npos) return prefix;
  const std::string_view digits = text.substr(slash + 1);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (digits.empty() || digits.size() > 3 || !std::all_of(digits.begin(), digits.end(), is_digit)) {
    return std::nullopt;
  }
  const int length = std::stoi(std::string(digits));
  if (length > prefix.length) return std::nullopt;
  prefix.length = static_cast<std::uint8_t>(length);
  return prefix;
}

std::string Prefix::text() const {
  if (length == 0) return "default";
  return ip.text() + "/" + std::to_string(length);
}

}  // namespace nl
