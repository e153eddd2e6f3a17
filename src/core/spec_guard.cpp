// What is said about the firewall where a machine is described: what a NIC may send and how fast,
// and which ports of the host lead to the machine.
#include <fmt/format.h>

#include <algorithm>

#include "core/spec_options.hpp"
#include "nutshell/spec.hpp"

namespace nutshell {
namespace {

constexpr std::uint64_t least_rate = 8'000, most_rate = 1'000'000'000'000;

/// A whole number of at most `digits` digits; nullopt otherwise.
std::optional<std::uint64_t> whole(std::string_view text, std::size_t digits) {
  if (text.empty() || text.size() > digits) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  const auto value = whole(text, 5);
  if (!value || *value == 0 || *value > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*value);
}

std::optional<AddressRange> parse_range(std::string_view text) {
  if (text.find('/') != text.npos) {
    const auto net = parse_ipv4_net(text);
    if (!net || net->first() != net->address) return std::nullopt;
    return AddressRange{net->first(), net->last()};
  }
  const auto dash = text.find('-');
  const auto first = parse_ipv4(text.substr(0, dash));
  const auto last = dash == text.npos ? first : parse_ipv4(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return AddressRange{*first, *last};
}

}  // namespace

std::optional<std::vector<AddressRange>> parse_ranges(std::string_view text) {
  std::vector<AddressRange> ranges;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('+', at), text.size());
    const auto range = parse_range(text.substr(at, end - at));
    if (!range) return std::nullopt;
    ranges.push_back(*range);
    at = end + 1;
  }
  return ranges;
}

std::string to_string(const std::vector<AddressRange>& ranges) {
  std::string text;
  for (const AddressRange& range : ranges) {
    text += (text.empty() ? "" : "+") + to_string(range.first);
    if (range.last != range.first) text += "-" + to_string(range.last);
  }
  return text;
}

std::optional<std::uint64_t> parse_rate(std::string_view text) {
  std::uint64_t unit = 1;
  if (!text.empty()) switch (text.back()) {
      case 'k':
      case 'K': unit = 1'000; break;
      case 'm':
      case 'M': unit = 1'000'000; break;
      case 'g':
      case 'G': unit = 1'000'000'000; break;
    }
  if (unit > 1) text.remove_suffix(1);
  const auto value = whole(text, 13);
  if (!value || *value > most_rate / unit || *value * unit < least_rate) return std::nullopt;
  return *value * unit;
}

void take_guard(OptionList& list, NicSpec& nic) {
  const auto refuse_others = [&](const char* key) {
    if (nic.kind == NicKind::user)
      list.complain(std::string(key) + " needs bridge= or network=; user mode sends no frames");
    if (nic.kind == NicKind::macvtap)
      list.complain(std::string(key) +
                    " needs bridge= or network=; no rule of the host sees a macvtap link's frames");
  };
  nic.antispoof = list.take_switch("antispoof");
  if (nic.antispoof) refuse_others("antispoof=");
  if (const auto text = list.take("also")) {
    refuse_others("also=");
    if (const auto ranges = parse_ranges(*text))
      nic.also = *ranges;
    else
      list.complain("also=" + quoted(*text) +
                    " is no list of addresses; write it like "
                    "192.0.2.1-192.0.2.9+198.51.100.0/28");
    if (nic.antispoof == false)
      list.complain("also= lets through what antispoof=off does not hold back; give one of them");
  }
  if (const auto text = list.take("rate")) {
    refuse_others("rate=");
    if (const auto rate = parse_rate(*text))
      nic.rate = *rate;
    else
      list.complain("rate=" + quoted(*text) +
                    " is no rate in bits per second; write one from 8K to 1000G, such as 100M");
  }
}

PublishedPort parse_publish(std::string_view text, const std::string& where, Problems& problems) {
  PublishedPort port;
  const auto complain = [&](const std::string& why) {
    problems.push_back({where, fmt::format("{} {}; write [ADDRESS:]PORT:PORT, with /udp for UDP: "
                                           "8443:443, 192.0.2.1:5353:53/udp",
                                           quoted(text), why)});
    return PublishedPort{};
  };
  std::string_view rest = text;
  if (const auto slash = rest.find('/'); slash != rest.npos) {
    const auto protocol = rest.substr(slash + 1);
    if (protocol != "tcp" && protocol != "udp") return complain("names no protocol that has ports");
    port.udp = protocol == "udp";
    rest = rest.substr(0, slash);
  }
  const auto last = rest.rfind(':');
  if (last == rest.npos) return complain("does not say which port of the machine is meant");
  const auto to = parse_port(rest.substr(last + 1));
  rest = rest.substr(0, last);
  if (const auto colon = rest.rfind(':'); colon != rest.npos) {
    port.address = parse_ipv4(rest.substr(0, colon));
    const unsigned first = port.address ? port.address->value >> 24 : 0;
    if (first == 0 || first == 127 || first >= 224)
      return complain("names no IPv4 address that others could reach");
    rest = rest.substr(colon + 1);
  }
  const auto from = parse_port(rest);
  if (!from || !to) return complain("has no port from 1 to 65535");
  port.port = *from;
  port.to = *to;
  return port;
}

std::string to_string(const PublishedPort& port) {
  return fmt::format("{}{}:{}{}", port.address ? to_string(*port.address) + ":" : "", port.port,
                     port.to, port.udp ? "/udp" : "");
}

std::string outside_of(const PublishedPort& port) {
  return fmt::format("{}{}/{}", port.address ? to_string(*port.address) + ":" : "", port.port,
                     port.udp ? "udp" : "tcp");
}

}  // namespace nutshell
