// The ranges of a cloud: the public addresses and the private subnet that it asks for. Whether the
// host has them to give is not known here; that they are possible, and apart from one another, is.
#include <fmt/format.h>

#include <algorithm>

#include "core/cloud_parts.hpp"

namespace nutshell {
namespace {

constexpr std::int64_t most_addresses = 65536;
constexpr Ipv4 first_usable{0x01000000}, last_usable{0xdfffffff};
constexpr Ipv4Net loopback{{0x7f000000}, 8};
constexpr Ipv4Net link_local{{0xa9fe0000}, 16};  // RFC 3927

/// A text alone, or a list of texts.
std::vector<const ConfigNode*> text_or_list(TableReader& reader, const std::string& key) {
  const ConfigNode* node = reader.take(key);
  if (node && node->kind == ConfigNode::Kind::list) return reader.take_texts(key);
  node = reader.take_text(key);
  return node ? std::vector{node} : std::vector<const ConfigNode*>();
}

std::string words_of(const AddressRange& range) { return to_string(std::vector{range}); }

std::string range_fault(const AddressRange& range) {
  if (range.first < first_usable || range.last > last_usable)
    return "machines have addresses from 1.0.0.0 to 223.255.255.255";
  if (range.first <= loopback.last() && range.last >= loopback.first())
    return "it holds the loopback, 127.0.0.0/8";
  return "";
}

void keep_pool(TableReader& reader, std::string& pool) {
  const ConfigNode* node = reader.take_text("pool");
  if (!node) return;
  pool = node->text;
  if (const std::string fault = name_fault(pool); !fault.empty())
    reader.complain(*node, "pool = " + quoted(pool) + " can be no pool's name: " + fault);
}

void read_public(CloudReading& reading) {
  const ConfigNode* table = reading.top.take_table("public");
  if (!table) return;
  PublicWish& wish = reading.spec.public_range;
  TableReader reader(*table, reading.file, reading.problems);
  const std::size_t before = reading.problems.size();
  wish.origin = reader.place(*table);
  keep_pool(reader, wish.pool);
  const ConfigNode* count = reader.take_integer("count", 1, most_addresses);
  if (count) wish.count = static_cast<unsigned>(count->integer);
  std::uint64_t addresses = 0;
  for (const ConfigNode* text : text_or_list(reader, "range")) {
    const auto ranges = parse_ranges(text->text);
    if (!ranges) {
      reader.complain(*text, "range = " + quoted(text->text) +
                                 " is no range; write it like \"203.0.113.10-203.0.113.40\" or "
                                 "\"203.0.113.0/28\"");
      continue;
    }
    for (const AddressRange& range : *ranges) {
      if (const std::string fault = range_fault(range); !fault.empty())
        reader.complain(*text, "range = " + quoted(text->text) + " is not possible: " + fault);
      addresses += std::uint64_t{range.last.value} - range.first.value + 1;
      wish.ranges.push_back(range);
    }
  }
  std::sort(wish.ranges.begin(), wish.ranges.end());
  for (std::size_t i = 1; i < wish.ranges.size(); ++i)
    if (wish.ranges[i].first <= wish.ranges[i - 1].last)
      reader.complain(fmt::format("the public ranges {} and {} overlap; name each address once",
                                  words_of(wish.ranges[i - 1]), words_of(wish.ranges[i])));
  if (addresses > most_addresses)
    reader.complain(fmt::format("the public range has {} addresses; at most {} are possible",
                                addresses, most_addresses));
  if (count && !wish.ranges.empty())
    reader.complain(*count,
                    "count asks for any addresses and range for certain ones; give one of them");
  if (!wish.asked() && before == reading.problems.size())
    reader.complain("[public] asks for nothing; give count = 16, or range = \"FIRST-LAST\"");
  reader.refuse_the_rest();
}

void read_private(CloudReading& reading) {
  const ConfigNode* table = reading.top.take_table("private");
  if (!table) return;
  PrivateWish& wish = reading.spec.private_subnet;
  TableReader reader(*table, reading.file, reading.problems);
  const std::size_t before = reading.problems.size();
  wish.origin = reader.place(*table);
  keep_pool(reader, wish.pool);
  const ConfigNode* prefix = reader.take_integer("prefix", 8, 30);
  if (prefix) wish.prefix = static_cast<unsigned>(prefix->integer);
  if (const ConfigNode* subnet = reader.take_text("subnet")) {
    wish.subnet = parse_ipv4_net(subnet->text);
    if (!wish.subnet)
      reader.complain(*subnet, "subnet = " + quoted(subnet->text) +
                                   " is no network; write it like \"10.9.0.0/16\"");
    else if (const std::string fault = subnet_fault(*wish.subnet); !fault.empty())
      reader.complain(*subnet, "subnet = " + quoted(subnet->text) + " is not possible: " + fault);
  }
  if (prefix && wish.subnet)
    reader.complain(*prefix,
                    "prefix asks for any subnet and subnet for a certain one; give one of them");
  if (!wish.asked() && before == reading.problems.size())
    reader.complain("[private] asks for nothing; give prefix = 16, or subnet = \"10.9.0.0/16\"");
  reader.refuse_the_rest();
}

}  // namespace

std::string subnet_fault(const Ipv4Net& net) {
  if (net.prefix < 8 || net.prefix > 30)
    return fmt::format("a prefix of {} is not possible; use one from 8 to 30", net.prefix);
  if (net.first() != net.address)
    return fmt::format("it is an address in a network; the network is {}/{}",
                       to_string(net.first()), net.prefix);
  if (net.overlaps(link_local))
    return fmt::format("hosts give themselves addresses of {}, and no router passes them on",
                       to_string(link_local));
  return range_fault({net.first(), net.last()});
}

void read_cloud_ranges(CloudReading& reading) {
  read_public(reading);
  read_private(reading);
}

void refuse_overlaps(CloudReading& reading) {
  struct Piece {
    AddressRange range;
    std::string what, origin;
  };
  const CloudSpec& spec = reading.spec;
  std::vector<Piece> pieces;
  for (const AddressRange& range : spec.public_range.ranges)
    pieces.push_back({range, "the public range " + words_of(range), spec.public_range.origin});
  const auto add = [&](const Ipv4Net& net, const std::string& what, const std::string& origin) {
    pieces.push_back({{net.first(), net.last()}, what + " (" + to_string(net) + ")", origin});
  };
  if (spec.private_subnet.subnet)
    add(*spec.private_subnet.subnet, "the private subnet", spec.private_subnet.origin);
  for (const CloudNetwork& network : spec.networks)
    if (network.subnet) add(*network.subnet, "the network " + network.name, network.origin);
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const Piece& a, const Piece& b) { return a.range.first < b.range.first; });
  // Compared with what reaches furthest so far: each piece that overlaps is named once.
  for (std::size_t i = 1, furthest = 0; i < pieces.size(); ++i) {
    const Piece &piece = pieces[i], &other = pieces[furthest];
    const bool both_public = piece.origin == other.origin;
    if (piece.range.first <= other.range.last && !both_public)
      reading.problems.push_back(
          {piece.origin, fmt::format("{} overlaps {} ({}); keep the ranges of a cloud apart",
                                     piece.what, other.what, other.origin)});
    if (piece.range.last > other.range.last) furthest = i;
  }
}

}  // namespace nutshell
