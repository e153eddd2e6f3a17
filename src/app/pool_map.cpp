// The row is painted as a wall is, one coat above the other: a piece cuts out of those below it
// what it covers. So the order of the coats is all that has to be known about who comes before
// whom.
#include "app/pool_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "nutshell/spec.hpp"

namespace nutshell {
namespace {

constexpr std::size_t most_cells = 64, most_lines = 40;
constexpr unsigned local_table = 255;

class Wall {
 public:
  explicit Wall(const PoolRange& pool) : low_(pool.low), high_(pool.high) {
    pieces_[low_] = {low_, high_, "free", ""};
  }
  void paint(std::uint64_t first, std::uint64_t last, const std::string& kind,
             const std::string& owner) {
    first = std::max(first, low_);
    last = std::min(last, high_);
    if (first > last) return;
    split(first);
    split(last + 1);
    pieces_.erase(pieces_.lower_bound(first), pieces_.upper_bound(last));
    pieces_[first] = {first, last, kind, owner};
  }
  [[nodiscard]] std::vector<PoolPiece> pieces() const {
    std::vector<PoolPiece> joined;
    for (const auto& [first, piece] : pieces_) {
      if (!joined.empty() && joined.back().kind == piece.kind && joined.back().owner == piece.owner)
        joined.back().last = piece.last;
      else
        joined.push_back(piece);
    }
    return joined;
  }

 private:
  /// A piece begins at `at`, where it is inside.
  void split(std::uint64_t at) {
    if (at <= low_ || at > high_) return;
    PoolPiece& below = std::prev(pieces_.upper_bound(at))->second;
    if (below.first == at) return;
    PoolPiece above = below;
    above.first = at;
    below.last = at - 1;
    pieces_[at] = std::move(above);
  }

  std::uint64_t low_, high_;
  std::map<std::uint64_t, PoolPiece> pieces_;  ///< by `first`
};

std::string link_name(const Facts& facts, int index) {
  for (const LinkFact& link : facts.links)
    if (link.index == index) return link.name;
  return fmt::format("link {}", index);
}

bool names_a_net(const RouteFact& route) {
  return route.destination.prefix > 1 && route.table != local_table;
}

bool is_on_link(const RouteFact& route) { return route.link != 0 && !route.gateway; }

std::string words_of(const RouteFact& route, const Facts& facts) {
  const std::string net = to_string(route.destination);
  return route.link == 0 ? fmt::format("route {} (unreachable)", net)
                         : fmt::format("route {} via {}", net, link_name(facts, route.link));
}

/// Public addresses may lie in a LAN of the host; what of theirs is routed elsewhere is a
/// stranger's. The longer prefix wins.
void paint_far_routes(Wall& wall, const Facts& facts) {
  std::vector<RouteFact> routes = facts.routes;
  std::stable_sort(routes.begin(), routes.end(), [](const RouteFact& one, const RouteFact& other) {
    return one.destination.prefix < other.destination.prefix;
  });
  for (const RouteFact& route : routes) {
    if (!names_a_net(route)) continue;
    const bool lan = is_on_link(route);
    wall.paint(route.destination.first().value, route.destination.last().value,
               lan ? "free" : "foreign", lan ? "" : words_of(route, facts));
  }
}

void paint_facts(Wall& wall, const PoolRange& pool, const Facts& facts) {
  const bool subnets = pool.kind == "subnet";
  if (!subnets) paint_far_routes(wall, facts);
  for (const RangeFact& range : facts.ranges)
    if (subnets || !range.subnets_only)
      wall.paint(range.first.value, range.last.value, "foreign", range.holder);
  for (const RouteFact& route : facts.routes) {
    const std::uint64_t first = route.destination.first().value,
                        last = route.destination.last().value;
    const bool inside =
        first >= pool.low && last <= pool.high && last - first < pool.high - pool.low;
    if (names_a_net(route) && (subnets || (is_on_link(route) && inside)))
      wall.paint(first, last, "foreign", words_of(route, facts));
  }
  for (const AddressFact& address : facts.addresses) {
    const std::uint64_t value = address.net.address.value;
    wall.paint(
        subnets ? address.net.first().value : value, subnets ? address.net.last().value : value,
        "foreign",
        fmt::format("address {} of {}", to_string(address.net), link_name(facts, address.link)));
  }
}

void paint_lease(Wall& wall, const Lease& lease) {
  std::uint64_t first = 0, last = 0;
  if (const auto ranges = parse_ranges(lease.value); ranges && ranges->size() == 1) {
    first = ranges->front().first.value;
    last = ranges->front().last.value;
  } else if (const auto to = lease.value.find(" to "); to != std::string::npos) {
    const auto low = parse_ipv4(lease.value.substr(0, to)),
               high = parse_ipv4(lease.value.substr(to + 4));
    if (!low || !high) return;
    first = low->value;
    last = high->value;
  } else {
    return;
  }
  constexpr std::string_view of_network = "network:";
  const std::string& holder = lease.holder.text;
  if (!lease.foreign.empty())
    wall.paint(first, last, "foreign", lease.foreign);
  else if (!lease.machine.empty())
    wall.paint(first, last, "machine", to_string(MachineName{lease.cloud, lease.machine}));
  else if (holder.starts_with(of_network))
    wall.paint(first, last, "network", holder.substr(of_network.size()));
  else if (!lease.cloud.empty())
    wall.paint(first, last, "cloud", lease.cloud);
  else
    wall.paint(first, last, "reserved", lease.note);
}

char letter(const std::string& kind) { return kind == "free" ? '.' : kind.front(); }

std::string span(const PoolPiece& piece) {
  const auto text = [](std::uint64_t value) {
    return to_string(Ipv4{static_cast<std::uint32_t>(value)});
  };
  return piece.first == piece.last ? text(piece.first) : text(piece.first) + "-" + text(piece.last);
}

}  // namespace

std::vector<PoolPiece> map_pool(const PoolRange& pool, const std::vector<Lease>& leases,
                                const Facts& facts) {
  Wall wall(pool);
  paint_facts(wall, pool, facts);
  for (const auto& [low, high] : pool.excluded) wall.paint(low, high, "excluded", "");
  for (const Lease& lease : leases) paint_lease(wall, lease);
  return wall.pieces();
}

Json to_json(const std::vector<PoolPiece>& pieces) {
  Json list = Json::array();
  for (const PoolPiece& piece : pieces) {
    const auto text = [](std::uint64_t value) {
      return to_string(Ipv4{static_cast<std::uint32_t>(value)});
    };
    list.push(Json::object({{"first", text(piece.first)},
                            {"last", text(piece.last)},
                            {"owner", piece.owner.empty() ? Json() : Json(piece.owner)},
                            {"kind", piece.kind}}));
  }
  return list;
}

std::string draw(const std::vector<PoolPiece>& pieces) {
  const std::uint64_t low = pieces.front().first, size = pieces.back().last - low + 1;
  const std::uint64_t cells = std::min<std::uint64_t>(size, most_cells);
  std::string bar;
  std::size_t at = 0;
  for (std::uint64_t cell = 0; cell < cells; ++cell) {
    const std::uint64_t first = low + size * cell / cells,
                        last = low + size * (cell + 1) / cells - 1;
    while (pieces[at].last < first) ++at;
    // One address that is taken shows, however large the cell is.
    std::uint64_t most = 0;
    char mark = '.';
    for (std::size_t i = at; i < pieces.size() && pieces[i].first <= last; ++i) {
      const std::uint64_t here =
          std::min(last, pieces[i].last) - std::max(first, pieces[i].first) + 1;
      if (pieces[i].kind == "free" || here <= most) continue;
      most = here;
      mark = letter(pieces[i].kind);
    }
    bar += mark;
  }
  std::string text = "  [" + bar + "]\n";
  std::size_t widest = 0, lines = 0;
  for (const PoolPiece& piece : pieces) widest = std::max(widest, span(piece).size());
  for (const PoolPiece& piece : pieces) {
    if (++lines > most_lines) break;
    const std::string owner = piece.owner.empty() ? "" : " " + printable(piece.owner);
    text += fmt::format("  {} {:<{}}  {}{}\n", letter(piece.kind), span(piece), widest, piece.kind,
                        owner);
  }
  if (pieces.size() > most_lines)
    text += fmt::format("  and {} more pieces, which --json lists\n", pieces.size() - most_lines);
  return text;
}

}  // namespace nutshell
