// Pools: what the host has to give. All are intervals of integers, whatever they look like in the
// file, so that one allocator serves them all; what an interval may hold is decided here, once, by
// its kind.
#include "core/config_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

namespace nutshell {
namespace {

using Interval = std::pair<std::uint64_t, std::uint64_t>;

struct KindRule {
  std::string_view kind;
  std::uint64_t low, high;  ///< what the kind can hold at all
  std::string_view example;
};
constexpr std::array rules{
    KindRule{"mac", 1, 0xffffffffffff, "52:54:00:00:00:00-52:54:00:ff:ff:ff"},
    KindRule{"vnc", 0, 65535 - 5900, "0-99"},
    KindRule{"cid", 3, 0xfffffffe, "1000-65535999"},  // 0 to 2 and the last are taken (vsock(7))
    KindRule{"uid", 1000, 0xfffffffd, "1900000000-1900065535"},
    KindRule{"ipv4", 0x01000000, 0xdfffffff, "192.168.7.10-192.168.7.99"},
    KindRule{"subnet", 0x01000000, 0xdfffffff, "10.75.0.0/16"},
};

/// Pools that nutshell has whatever the config says, and that hold what no config can name.
constexpr std::array<std::string_view, 3> own_names{"tap", "volume", "port"};

const KindRule* rule_of(std::string_view kind) {
  const auto found = std::find_if(rules.begin(), rules.end(),
                                  [&](const KindRule& rule) { return rule.kind == kind; });
  return found == rules.end() ? nullptr : &*found;
}

bool is_address(std::string_view kind) { return kind == "ipv4" || kind == "subnet"; }

std::optional<std::uint64_t> one_value(std::string_view kind, std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (kind == "mac") {
    const auto mac = parse_mac(text);
    return mac ? std::optional(mac->value) : std::nullopt;
  }
  if (is_address(kind)) {
    const auto ip = parse_ipv4(text);
    return ip ? std::optional<std::uint64_t>(ip->value) : std::nullopt;
  }
  if (text.empty() || text.size() > 10) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

/// "a-b", one value, or a network in CIDR form; nullopt when it is none of them.
std::optional<Interval> interval(std::string_view kind, std::string_view text) {
  if (is_address(kind) && text.find('/') != text.npos) {
    const auto net = parse_ipv4_net(text);
    if (!net || net->address != net->first()) return std::nullopt;
    return Interval(net->first().value, net->last().value);
  }
  const std::size_t dash = text.find('-');
  const auto low = one_value(kind, text.substr(0, dash));
  const auto high = dash == text.npos ? low : one_value(kind, text.substr(dash + 1));
  if (!low || !high) return std::nullopt;
  return Interval(*low, *high);
}

/// Why an interval cannot be this kind's; empty: it can.
std::string fault_of(const KindRule& rule, const Interval& values) {
  const auto [low, high] = values;
  if (low > high) return "it ends before it begins";
  if (low < rule.low || high > rule.high) {
    if (is_address(rule.kind)) return "machines have addresses from 1.0.0.0 to 223.255.255.255";
    if (rule.kind == "mac") return "the MAC of all zeros belongs to nobody";
    return fmt::format("{} values go from {} to {}", rule.kind, rule.low, rule.high);
  }
  if (rule.kind == "mac" && low >> 40 != high >> 40) return "it changes the first byte of the MAC";
  if (rule.kind == "mac" && Mac{low}.is_multicast()) return "its MACs are multicast";
  if (rule.kind == "uid" && low <= 65535 && high >= 65534)
    return "it holds 65534 (nobody) or 65535, which may own nothing";
  if (is_address(rule.kind) && low < 0x80000000 && high >= 0x7f000000)
    return "it holds the loopback, 127.0.0.0/8";
  return "";
}

/// Kind and name belong together: the built-in pools are known by name, only addresses are the
/// user's to name.
const KindRule* read_kind(TableReader& reader, const ConfigNode& table, const ConfigNode& name) {
  const ConfigNode* kind = reader.take_text("kind");
  const KindRule* own = rule_of(name.text);
  if (!kind) {
    if (!own)
      reader.complain(table, "pool " + quoted(name.text) + " needs a kind: kind = \"ipv4\"");
    return own;
  }
  const KindRule* rule = rule_of(kind->text);
  std::vector<std::string> kinds;
  for (const KindRule& known : rules) kinds.emplace_back(known.kind);
  if (!rule) {
    reader.complain(*kind, "kind = " + quoted(kind->text) +
                               " is not known; use mac, vnc, cid, uid, ipv4 or "
                               "subnet" +
                               suggestion(kind->text, kinds));
  } else if (own && rule != own) {
    reader.complain(
        *kind,
        fmt::format("pool {0} is built in and of the kind {0}; give another name", name.text));
  } else if (!own && rule->kind != "ipv4") {
    reader.complain(
        *kind,
        fmt::format("the pool of the kind {0} is called {0}; only pools of the kind ipv4 have "
                    "names of their own",
                    rule->kind));
  } else {
    return rule;
  }
  return nullptr;
}

void read_exclusions(TableReader& reader, const KindRule& rule, PoolRange& pool) {
  for (const ConfigNode* item : reader.take_texts("exclude")) {
    const auto values = interval(rule.kind, item->text);
    if (!values || values->first > values->second)
      reader.complain(*item, "exclude: " + quoted(item->text) +
                                 " is no value or range of this pool, such as " +
                                 std::string(rule.example));
    else if (values->second < pool.low || values->first > pool.high)
      reader.complain(*item, "exclude: " + quoted(item->text) + " is not in the pool's range");
    else
      pool.excluded.push_back(*values);
  }
  std::sort(pool.excluded.begin(), pool.excluded.end());
}

void read_prefix(TableReader& reader, const KindRule& rule, const ConfigNode& range,
                 PoolRange& pool) {
  const ConfigNode* prefix = reader.take_integer("prefix", 8, 30);
  if (rule.kind != "subnet") {
    if (prefix) reader.complain(*prefix, "prefix is for pools of the kind subnet only");
    return;
  }
  if (prefix) pool.prefix = static_cast<unsigned>(prefix->integer);
  const std::uint64_t block = std::uint64_t{1} << (32 - pool.prefix);
  if (pool.low % block != 0 || (pool.high + 1) % block != 0)
    reader.complain(range, fmt::format("range = {} is not made of whole /{} subnets",
                                       quoted(range.text), pool.prefix));
}

}  // namespace

std::optional<PoolRange> read_pool(const ConfigNode& table, const std::string& file,
                                   Problems& problems) {
  const std::size_t before = problems.size();
  TableReader reader(table, file, problems);
  PoolRange pool;
  pool.origin = reader.place(table);
  const ConfigNode* name = reader.take_text("name");
  const KindRule* rule = nullptr;
  if (!name) {
    if (problems.size() == before) reader.complain(table, "a pool needs a name: name = \"vnc\"");
    reader.take("kind");
  } else {
    pool.name = name->text;
    if (const std::string fault = name_fault(pool.name); !fault.empty())
      reader.complain(*name, "pool name " + quoted(pool.name) + " is wrong: " + fault);
    if (std::find(own_names.begin(), own_names.end(), pool.name) != own_names.end())
      reader.complain(*name, "pool name " + quoted(pool.name) +
                                 " is that of a pool of nutshell's own; give this one another");
    rule = read_kind(reader, table, *name);
  }
  const ConfigNode* range = reader.take_text("range");
  const auto values = range && rule ? interval(rule->kind, range->text) : std::nullopt;
  if (!range && problems.size() == before) {
    reader.complain(table, "pool " + quoted(pool.name) + " needs a range: range = \"" +
                               std::string(rule ? rule->example : "...") + "\"");
  } else if (range && rule && !values) {
    reader.complain(*range, "range = " + quoted(range->text) + " is malformed; write it like \"" +
                                std::string(rule->example) + "\"");
  }
  if (values) {
    if (const std::string fault = fault_of(*rule, *values); !fault.empty()) {
      reader.complain(*range, "range = " + quoted(range->text) + " is not possible: " + fault);
    }
    pool.kind = rule->kind;
    std::tie(pool.low, pool.high) = *values;
    // A network's first and last address are its name and its broadcast.
    const bool network = rule->kind == "ipv4" && range->text.find('/') != std::string::npos;
    if (network && pool.high - pool.low > 1) ++pool.low, --pool.high;
    read_exclusions(reader, *rule, pool);
    read_prefix(reader, *rule, *range, pool);
  } else {
    reader.take("exclude");
    reader.take("prefix");
  }
  reader.refuse_the_rest();
  return problems.size() == before ? std::optional(pool) : std::nullopt;
}

}  // namespace nutshell
