// Values between text and integers, and the host's facts as holdings of a pool. Everything that is
// peculiar to a kind (a MAC, a display, a subnet) is in this file, so that the allocator itself
// knows only intervals.
#include "store/pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_map>

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

std::optional<std::int64_t> tap_number(const Pool& pool, std::string_view name) {
  std::string stem = tap_stem(pool);
  if (!name.starts_with(stem)) return std::nullopt;
  std::string_view digits = name.substr(stem.size());
  auto value = number(digits, 16);
  if (!value || fmt::format("{:x}", *value) != digits) return std::nullopt;
  return value;
}

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
      auto ip = parse_ipv4(text);
      if (!ip) return std::nullopt;
      return point(ip->value, 0, ipv4_last);
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
    case PoolKind::ipv4: return "an address such as 10.75.0.2";
    case PoolKind::subnet: return "a subnet such as 10.75.0.0/24";
    case PoolKind::tap: return "a tap name such as " + tap_stem(pool) + "1";
    case PoolKind::names: break;
  }
  return "a name";
}
}  // namespace

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

bool Pool::by_value_only() const { return kind == PoolKind::names || name == "ipv4:bridge"; }

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
  return value.low == value.high ? one(value.low) : one(value.low) + " to " + one(value.high);
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

Foreign::Foreign(std::vector<Holding> holdings) {
  std::stable_sort(holdings.begin(), holdings.end(),
                   [](const Holding& a, const Holding& b) { return a.values.low < b.values.low; });
  for (Holding& next : holdings) {
    if (!holdings_.empty() && next.values.low <= holdings_.back().values.high) {
      Interval& last = holdings_.back().values;
      last.high = std::max(last.high, next.values.high);
    } else {
      holdings_.push_back(std::move(next));
    }
  }
}

const Foreign::Holding* Foreign::overlapping(const Interval& values) const {
  auto found = std::partition_point(holdings_.begin(), holdings_.end(),
                                    [&](const Holding& h) { return h.values.high < values.low; });
  return found != holdings_.end() && found->values.low <= values.high ? &*found : nullptr;
}

Foreign foreign_in(const Pool& pool, const Facts& facts) {
  std::vector<Foreign::Holding> found;
  auto point = [&](std::int64_t value, std::string holder) {
    found.push_back({{value, value}, std::move(holder)});
  };
  std::unordered_map<int, std::string_view> names;
  if (pool.kind == PoolKind::ipv4 || pool.kind == PoolKind::subnet) {
    for (const LinkFact& link : facts.links) names[link.index] = link.name;
  }
  auto link_name = [&](int index) {
    auto it = names.find(index);
    return it == names.end() ? "link " + std::to_string(index) : std::string(it->second);
  };
  switch (pool.kind) {
    case PoolKind::mac:
      for (const MacFact& f : facts.macs) point(static_cast<std::int64_t>(f.mac.value), f.holder);
      break;
    case PoolKind::vnc:
      for (const PortFact& f : facts.ports)
        if (f.port >= vnc_port) point(f.port - vnc_port, f.holder);
      break;
    case PoolKind::ipv4:
      for (const IpFact& f : facts.ips) point(f.ip.value, f.holder);
      for (const AddressFact& f : facts.addresses)
        point(f.net.address.value, "this host (" + link_name(f.link) + ")");
      break;
    case PoolKind::subnet:
      for (const AddressFact& f : facts.addresses) {
        found.push_back({{f.net.first().value, f.net.last().value},
                         "address " + to_string(f.net) + " of " + link_name(f.link)});
      }
      for (const RouteFact& f : facts.routes) {
        // A default route claims nothing, nor do the two halves by which a VPN outbids it.
        bool half = f.destination.prefix == 1;
        if (f.destination.prefix == 0 || half) continue;
        found.push_back({{f.destination.first().value, f.destination.last().value},
                         "route " + to_string(f.destination) + " via " + link_name(f.link) +
                             (f.table == 254 ? "" : " (table " + std::to_string(f.table) + ")")});
      }
      break;
    case PoolKind::tap:
      for (const LinkFact& f : facts.links)
        if (auto n = tap_number(pool, f.name)) point(*n, "link " + f.name);
      break;
    case PoolKind::cid:
    case PoolKind::uid:
    case PoolKind::names: break;
  }
  return Foreign(std::move(found));
}

}  // namespace nutshell::store
