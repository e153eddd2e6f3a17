// Values between text and integers. What is peculiar to a kind (a MAC, a display, a subnet) is in
// this file and in foreign.cpp, so that the allocator itself knows only intervals.
#include "store/pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "nutshell/error.hpp"

namespace nutshell::store {

namespace {
constexpr std::int64_t ipv4_last = 0xffffffff, mac_last = 0xffffffffffff;
constexpr std::int64_t vnc_port = 5900, vnc_last = 65535 - vnc_port;
constexpr std::array<std::pair<PoolKind, std::string_view>, 8> kinds{{{PoolKind::mac, "mac"},
                                                                      {PoolKind::vnc, "vnc"},
                                                                      {PoolKind::cid, "cid"},
                                                                      {PoolKind::uid, "uid"},
                                                                      {PoolKind::ipv4, "ipv4"},
                                                                      {PoolKind::subnet, "subnet"},
                                                                      {PoolKind::tap, "tap"},
                                                                      {PoolKind::names, "names"}}};

std::optional<std::int64_t> number(std::string_view text, int base = 10) {
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || value < 0)
    return std::nullopt;
  return value;
}

Ipv4 address(std::int64_t value) { return Ipv4{static_cast<std::uint32_t>(value)}; }

/// The subnet that is exactly this interval, when there is one.
std::optional<Ipv4Net> net_of(const Interval& values) {
  for (unsigned prefix = 0; prefix <= 32; ++prefix) {
    if (values.size() != std::uint64_t{1} << (32 - prefix)) continue;
    Ipv4Net net{address(values.low), prefix};
    if (net.first() == net.address) return net;
  }
  return std::nullopt;
}

std::string tap_stem(const Pool& pool) { return "nt" + pool.tag + "-"; }

/// The integers of a text of that kind, without regard to the pool's range.
std::optional<Interval> read_value(const Pool& pool, std::string_view text) {
  auto point = [](std::optional<std::int64_t> v, std::int64_t low,
                  std::int64_t high) -> std::optional<Interval> {
    if (!v || *v < low || *v > high) return std::nullopt;
    return Interval{*v, *v};
  };
  switch (pool.kind) {
    case PoolKind::mac: {
      auto mac = parse_mac(text);
      if (!mac || mac->is_multicast()) return std::nullopt;
      return point(static_cast<std::int64_t>(mac->value), 0, mac_last);
    }
    case PoolKind::vnc:
      if (text.starts_with(':')) text.remove_prefix(1);
      return point(number(text), 0, vnc_last);
    case PoolKind::cid:
      return point(number(text), 3, ipv4_last - 1);  // 0 to 2 are taken by vsock(7)
    case PoolKind::uid: return point(number(text), 1, ipv4_last - 1);
    case PoolKind::ipv4: {
      auto ranges = parse_ranges(text);
      if (!ranges || ranges->size() != 1) return std::nullopt;
      return Interval{ranges->front().first.value, ranges->front().last.value};
    }
    case PoolKind::subnet: {
      auto net = parse_ipv4_net(text);
      if (!net || net->prefix == 0) return std::nullopt;
      return Interval{net->first().value, net->last().value};
    }
    case PoolKind::tap: return point(tap_number(pool, text), 0, ipv4_last);
    case PoolKind::names: break;
  }
  return std::nullopt;
}

std::string example(const Pool& pool) {
  switch (pool.kind) {
    case PoolKind::mac: return "a unicast MAC such as 52:54:00:12:34:60";
    case PoolKind::vnc: return "a display such as :3";
    case PoolKind::cid: return "a context id such as 3";
    case PoolKind::uid: return "a user id such as 200000";
    case PoolKind::ipv4: return "an address such as 10.75.0.2, or a range of them";
    case PoolKind::subnet: return "a subnet such as 10.75.0.0/24";
    case PoolKind::tap: return "a tap name such as " + tap_stem(pool) + "1";
    case PoolKind::names: break;
  }
  return "a name";
}
}  // namespace

std::optional<std::int64_t> tap_number(const Pool& pool, std::string_view name) {
  std::string stem = tap_stem(pool);
  if (!name.starts_with(stem)) return std::nullopt;
  std::string_view digits = name.substr(stem.size());
  auto value = number(digits, 16);
  if (!value || fmt::format("{:x}", *value) != digits) return std::nullopt;
  return value;
}

std::string to_word(PoolKind kind) {
  for (const auto& [known, word] : kinds)
    if (known == kind) return std::string(word);
  return "";
}
std::optional<PoolKind> pool_kind(std::string_view word) {
  for (const auto& [kind, known] : kinds)
    if (known == word) return kind;
  return std::nullopt;
}

bool Pool::by_value_only() const { return kind == PoolKind::names || of_bridges(); }

Intervals Pool::allowed() const {
  if (by_value_only()) return {};
  return subtract(normal({range}), excluded);
}

bool Pool::open_ended() const { return kind != PoolKind::ipv4 && kind != PoolKind::tap; }

std::string Pool::render(const Interval& value) const {
  if (kind == PoolKind::subnet) {
    if (auto net = net_of(value)) return to_string(*net);
    return to_string(address(value.low)) + " to " + to_string(address(value.high));
  }
  auto one = [this](std::int64_t v) -> std::string {
    switch (kind) {
      case PoolKind::mac: return to_string(Mac{static_cast<std::uint64_t>(v)});
      case PoolKind::vnc: return fmt::format(":{}", v);
      case PoolKind::ipv4: return to_string(address(v));
      case PoolKind::tap: return fmt::format("{}{:x}", tap_stem(*this), v);
      case PoolKind::cid:
      case PoolKind::uid:
      case PoolKind::subnet:
      case PoolKind::names: break;
    }
    return std::to_string(v);
  };
  if (value.low == value.high) return one(value.low);
  return one(value.low) + (kind == PoolKind::ipv4 ? "-" : " to ") + one(value.high);
}

Interval Pool::parse(std::string_view text) const {
  auto value = read_value(*this, text);
  if (!value) {
    throw ConfigError("pool " + name, "'" + printable(text) + "' is not " + example(*this));
  }
  if (!open_ended() && !range.contains(*value)) {
    throw ConfigError("pool " + name, printable(text) + " is not in " + range_text());
  }
  return *value;
}

std::string Pool::range_text() const {
  if (kind == PoolKind::names) return "any name";
  Pool plain = *this;
  if (kind == PoolKind::subnet) {
    if (auto net = net_of(range)) return to_string(*net);
    plain.kind = PoolKind::ipv4;
  }
  return plain.render({range.low, range.low}) + " to " + plain.render({range.high, range.high});
}

Pool pool_from(const PoolRange& range) {
  auto kind = pool_kind(range.kind);
  if (!kind || *kind == PoolKind::tap || *kind == PoolKind::names) {
    throw ConfigError("pool " + range.name, "kind '" + printable(range.kind) +
                                                "' is none of mac, vnc, cid, uid, ipv4 or subnet");
  }
  if (range.high < range.low || range.high > static_cast<std::uint64_t>(mac_last)) {
    throw ConfigError("pool " + range.name, "its range is empty or beyond what there is");
  }
  if (*kind == PoolKind::subnet && (range.prefix < 1 || range.prefix > 32)) {
    throw ConfigError("pool " + range.name, "its prefix is not between 1 and 32");
  }
  Pool pool;
  pool.name = range.name;
  pool.kind = *kind;
  pool.range = {static_cast<std::int64_t>(range.low), static_cast<std::int64_t>(range.high)};
  pool.prefix = range.prefix;
  for (const auto& [low, high] : range.excluded) {
    pool.excluded.push_back({static_cast<std::int64_t>(low), static_cast<std::int64_t>(high)});
  }
  pool.excluded = normal(std::move(pool.excluded));
  pool.source = "config";
  return pool;
}

PoolRange range_from(const Pool& pool) {
  PoolRange range;
  range.name = pool.name;
  range.kind = to_word(pool.kind);
  range.low = static_cast<std::uint64_t>(pool.range.low);
  range.high = static_cast<std::uint64_t>(pool.range.high);
  range.prefix = pool.prefix;
  for (const Interval& i : pool.excluded) {
    range.excluded.emplace_back(static_cast<std::uint64_t>(i.low),
                                static_cast<std::uint64_t>(i.high));
  }
  range.origin = pool.source;
  return range;
}

}  // namespace nutshell::store
