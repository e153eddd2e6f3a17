// Sources of a group's rules, and the IPv6 address that a MAC makes. IPv6 addresses are text
// everywhere else; here alone their bits matter.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "nutshell/error.hpp"
#include "nutshell/guard.hpp"

namespace nutshell {
namespace {

using Bytes16 = std::array<unsigned char, 16>;

std::string shortest(const Bytes16& bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  return ::inet_ntop(AF_INET6, bytes.data(), text.data(), text.size()) ? text.data() : "";
}

struct Ipv6Net {
  Bytes16 address{};
  unsigned prefix = 128;

  [[nodiscard]] Bytes16 first() const {
    Bytes16 bytes = address;
    for (unsigned bit = prefix; bit < 128; ++bit)
      bytes[bit / 8] &= static_cast<unsigned char>(~(0x80U >> (bit % 8)));
    return bytes;
  }
};

std::optional<Ipv6Net> parse_ipv6_net(std::string_view text) {
  Ipv6Net net;
  const auto slash = text.find('/');
  if (slash != text.npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), net.prefix);
    const bool padded = digits.size() > 1 && digits.front() == '0';
    if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || padded ||
        net.prefix > 128)
      return std::nullopt;
  }
  const std::string address(text.substr(0, slash));
  if (::inet_pton(AF_INET6, address.c_str(), net.address.data()) != 1) return std::nullopt;
  return net;
}

}  // namespace

std::string parse_source(std::string_view text, const std::string& where, Problems& problems) {
  const auto complain = [&](const std::string& words) {
    problems.push_back({where, words});
    return std::string();
  };
  const auto inside = [&](const std::string& given, const std::string& first, unsigned prefix) {
    return complain(
        fmt::format("{} is an address in a network; the network is {}/{}", given, first, prefix));
  };
  if (const auto address = parse_ipv4(text)) return to_string(*address) + "/32";
  if (const auto net = parse_ipv4_net(text)) {
    if (net->first() != net->address)
      return inside(to_string(*net), to_string(net->first()), net->prefix);
    return to_string(*net);
  }
  if (const auto net = parse_ipv6_net(text)) {
    const std::string given = fmt::format("{}/{}", shortest(net->address), net->prefix);
    if (net->first() != net->address) return inside(given, shortest(net->first()), net->prefix);
    return given;
  }
  return complain(
      fmt::format("'{}' is no network; write it like 203.0.113.0/24, 203.0.113.7 or 2001:db8::/32",
                  printable(text)));
}

std::string eui64(Mac mac) {
  const std::uint64_t value = mac.value ^ 0x020000000000;
  return fmt::format("{:x}:{:x}:{:x}:{:x}", (value >> 32) & 0xffff,
                     ((value >> 24) & 0xff) << 8 | 0xff, 0xfe00 | ((value >> 16) & 0xff),
                     value & 0xffff);
}

}  // namespace nutshell
