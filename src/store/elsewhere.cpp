// An address is one address in whichever pool it lies. nutshell.toml may rename a pool, split it or
// lay one over what is a subnet already, and the address of a NIC on a bridge is asked for by
// itself: so what any pool has given away is in other hands for all the others. Nothing is kept
// twice for that: the other pools are looked at where a value might be taken, and only there.
#include <algorithm>
#include <ctime>

#include "nutshell/error.hpp"
#include "store/lease_book.hpp"
#include "store/statements.hpp"

namespace nutshell::store {

namespace {
// How long a mark stands that was made by trying (a bind that failed): the facts cannot confirm it.
constexpr std::time_t tried_for_seconds = 60;
constexpr std::string_view of_cloud = "cloud:", of_network = "network:";

bool is_fresh(const LeaseRow& row) {
  std::tm parts{};
  if (!strptime(row.lease.since.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts)) return false;
  return std::time(nullptr) - timegm(&parts) < tried_for_seconds;
}

std::string holder_of(const LeaseRow& row) {
  const Lease& lease = row.lease;
  const std::string& holder = lease.holder.text;
  if (!lease.foreign.empty()) return lease.foreign;
  if (row.reserved)
    return "a reservation by hand" + (lease.note.empty() ? "" : " (" + lease.note + ")");
  if (!lease.machine.empty())
    return "the machine " + to_string(MachineName{lease.cloud, lease.machine});
  if (!lease.cloud.empty()) return "the cloud " + lease.cloud;
  if (holder.starts_with(of_network)) return "the network " + holder.substr(of_network.size());
  return "the machine " + holder;
}
}  // namespace

void LeaseBook::look(Known& known, const Facts& facts, const Uuid& holder, Lifetime lifetime) {
  if (known.looked) return;
  known.looked = true;
  known.taker = taker_of(known.pool, facts, holder, lifetime);
  known.foreign = foreign_in(known.pool, facts, known.taker.cloud);
  known.marked.clear();
  drop_stale(known);
}

void LeaseBook::drop_stale(Known& known) {
  for (const LeaseRow& row : rows(db_.use(sql::leases_foreign, known.pool.id))) {
    bool shown = other_in(known, row.values).has_value();
    if (shown || (row.tried && is_fresh(row))) {
      known.marked.push_back(row);
    } else {
      give_back(row);
    }
  }
}

LeaseBook::Taker LeaseBook::taker_of(const Pool& pool, const Facts& facts, const Uuid& holder,
                                     Lifetime lifetime) {
  // The addresses of a network of ours are out of its subnet, which is nobody else's but for NICs
  // on bridges of the same cloud.
  if (!facts.seen || !pool.of_addresses() || pool.source == "network")
    return {false, "", false, holder};
  Taker taker{true, facts.cloud, lifetime == Lifetime::cloud, holder};
  if (holder.text.starts_with(of_cloud)) {
    taker.cloud = holder.text.substr(of_cloud.size());
  } else if (!holder.text.empty()) {
    Statement row = db_.use(sql::cloud_of_machine, holder.text);
    if (row.step()) taker.cloud = row.text(0);
  }
  return taker;
}

std::optional<Foreign::Holding> LeaseBook::other_in(const Known& known, const Interval& values) {
  if (const auto* shown = known.foreign.overlapping(values)) return *shown;
  return elsewhere(known, values);
}

std::optional<LeaseRow> LeaseBook::row_in_way(const Known& known, const Pool& pool,
                                              const Interval& values) {
  const auto is_own = [&](const LeaseRow& row) {
    // A NIC that moves between a bridge and a network keeps its address.
    if (!row.lease.holder.text.empty() && row.lease.holder == known.taker.holder &&
        known.pool.source != pool.source &&
        (known.pool.source == "network" || pool.source == "network"))
      return true;
    if (row.lease.cloud.empty() || row.lease.cloud != known.taker.cloud) return false;
    const bool on_bridge = known.pool.of_bridges();
    // A cloud's machines stand in its ranges, whichever came first.
    if (known.taker.ranges && (on_bridge || pool.of_bridges())) return true;
    return row.lease.lifetime == Lifetime::cloud &&
           (on_bridge || known.pool.source == "cloud" || known.pool.kind != pool.kind);
  };
  const bool itself = pool.id == known.pool.id;
  for (Interval rest = values; rest.low <= rest.high;) {
    auto row = row_at(pool, rest);
    if (!row) return std::nullopt;
    // What is marked in another pool is shown in this one, too.
    if ((itself || row->lease.foreign.empty()) && !is_own(*row)) return row;
    rest.high = row->values.low - 1;
  }
  return std::nullopt;
}

std::optional<Foreign::Holding> LeaseBook::elsewhere(const Known& known, const Interval& values) {
  const bool of_network = known.pool.source == "network";
  if (!known.taker.sees && !of_network) return std::nullopt;
  if (of_addresses_.empty()) of_addresses_ = pools_.of_addresses();
  const auto in_way = [&](const Pool& pool) -> std::optional<Foreign::Holding> {
    if (const auto row = row_in_way(known, pool, values))
      return Foreign::Holding{row->values, holder_of(*row)};
    return std::nullopt;
  };
  for (const Pool& pool : of_addresses_) {
    if (pool.id == known.pool.id || (of_network && !pool.of_bridges())) continue;
    if (auto held = in_way(pool)) return held;
  }
  if (!known.pool.of_bridges()) return std::nullopt;
  // A cloud's network may be one of its ranges, where its machines on bridges stand, too.
  for (const Pool& pool : pools_.of_networks({values.low - 1, values.high + 1})) {
    if (auto held = in_way(pool)) return held;
    // Its bridge's address, and those of the net itself, are no machine's.
    const bool is_its_own =
        !pool.range.contains(values) ||
        std::any_of(pool.excluded.begin(), pool.excluded.end(),
                    [&](const Interval& hole) { return hole.overlaps(values); });
    if (is_its_own && !known.taker.ranges)
      return Foreign::Holding{values, "the network " + pool.name.substr(pool.name.find(':') + 1)};
  }
  // Those that lead to machines are the host's own, of whichever pool they are.
  Statement row = db_.use(sql::address_between, values.low, values.high);
  while (row.step()) {
    const std::string cloud = row.text(1);
    if (!known.taker.ranges || cloud != known.taker.cloud)
      return Foreign::Holding{{row.integer(0), row.integer(0)}, "the cloud " + cloud};
  }
  return std::nullopt;
}

std::optional<std::string> LeaseBook::obstacle(const Uuid& holder, const Want& want,
                                               const Facts& facts) {
  Known& asked = known(want.pool);
  asked.looked = false;
  look(asked, facts, holder, want.lifetime);
  const Pool& pool = asked.pool;
  const Interval values = pool.parse(want.value.value());
  if (const auto row = row_in_way(asked, pool, values)) return holder_of(*row);
  if (const auto other = other_in(asked, values)) return other->holder;
  if (const auto* net = asked.foreign.cutting(values)) return net->holder;
  const bool kept_out = std::any_of(pool.excluded.begin(), pool.excluded.end(),
                                    [&](const Interval& hole) { return hole.overlaps(values); });
  if (kept_out) return "nutshell.toml";
  return std::nullopt;
}

}  // namespace nutshell::store
