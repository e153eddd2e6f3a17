// Who gets what. A take goes through three thoughts: marks of foreign holders that the host no
// longer shows are dropped; values asked for by name are taken first, so that none of them is given
// away to a sibling that would take any; then the next free ones are, past what the host shows in
// other hands. Whatever is passed over is marked, so that it is passed over once only.
#include <algorithm>
#include <stdexcept>
#include <utility>

#include "nutshell/error.hpp"
#include "store/lease_book.hpp"
#include "store/statements.hpp"

namespace nutshell::store {

namespace {
std::string what(const Pool& pool, const std::string& value) {
  switch (pool.kind) {
    case PoolKind::mac: return "MAC " + value;
    case PoolKind::vnc: return "display " + (value.starts_with(':') ? value : ":" + value);
    case PoolKind::cid: return "vsock CID " + value;
    case PoolKind::uid: return "user id " + value;
    case PoolKind::ipv4: return "address " + value;
    case PoolKind::subnet: return "subnet " + value;
    case PoolKind::tap: return "tap " + value;
    case PoolKind::names: break;
  }
  return pool.name + " " + printable(value);
}

/// Clouds, pools, networks and machines of ours come in the facts too, and are called so there.
bool is_ours(std::string_view holder) {
  return holder.starts_with("the cloud ") || holder.starts_with("the pool ") ||
         holder.starts_with("the network ") || holder.starts_with("the machine ") ||
         holder.starts_with("a reservation ");
}

[[noreturn]] void refuse_foreign(const Pool& pool, const std::string& value,
                                 const std::string& holder) {
  throw Conflict(what(pool, value) + " is held by " + printable(holder) +
                 (is_ours(holder) ? "" : ", which is not ours") +
                 "; name another, or none to be given a free one");
}

[[noreturn]] void refuse_twice(const Pool& pool, const std::string& value, const Uuid& holder) {
  if (holder.text.starts_with("cloud:"))
    throw Conflict(what(pool, value) + " is that cloud's already (`nutshell lease ls` says as " +
                   "what); name others beside it");
  throw Conflict(what(pool, value) +
                 " is asked for twice by the same machine; name it once, and another beside it");
}

std::string how_to_free(Lifetime lifetime) {
  switch (lifetime) {
    case Lifetime::machine: return "give one back with `nutshell rm`";
    case Lifetime::run: return "give one back with `nutshell stop`";
    case Lifetime::cloud: return "give one back with `nutshell down --purge`";
    case Lifetime::network: break;
  }
  return "give one back with `nutshell network rm`";
}

Lease lease_for(const Uuid& holder, const Want& want, const std::string& since) {
  Lease lease;
  lease.pool = want.pool;
  lease.holder = holder;
  lease.index = want.index;
  lease.lifetime = want.lifetime;
  lease.since = since;
  return lease;
}
}  // namespace

void exhausted(const Pool& pool, const Want& want) {
  if (pool.by_value_only()) {
    throw Exhausted("pool " + pool.name +
                    " gives only values that are asked for by name; name one");
  }
  std::string left = "nothing left";
  if (want.count > 1) left = "no " + std::to_string(want.count) + " addresses left in one piece";
  if (want.prefix != 0) left = "no /" + std::to_string(want.prefix) + " left";
  throw Exhausted("pool " + pool.name + " (" + pool.range_text() + ") has " + left + "; " +
                  how_to_free(want.lifetime) + ", or widen it in nutshell.toml");
}

LeaseBook::Known& LeaseBook::known(const std::string& name) {
  auto found = known_.find(name);
  if (found == known_.end())
    found = known_.emplace(name, Known{pools_.named(name), {}, {}, false, {}}).first;
  return found->second;
}

Taken LeaseBook::take(const Uuid& holder, const std::vector<Want>& wants, const Facts& facts) {
  if (spoilt_) throw std::logic_error("take after a take that failed; roll back first");
  spoilt_ = true;  // until all of it is done
  Taken taken;
  taken.leases.resize(wants.size());
  for (auto& [name, known] : known_) known.looked = false;
  for (const Want& want : wants) look(known(want.pool), facts, holder, want.lifetime);
  for (bool by_value : {true, false}) {
    for (std::size_t i = 0; i < wants.size(); ++i) {
      const Want& want = wants[i];
      if (want.value.has_value() != by_value) continue;
      Known& pool = known(want.pool);
      taken.leases[i] = pool.pool.kind == PoolKind::names ? take_name(pool.pool, holder, want)
                        : by_value                        ? take_value(pool, holder, want)
                                   : take_next(pool, holder, want, taken.skipped);
    }
  }
  spoilt_ = false;
  return taken;
}

Lease LeaseBook::take_value(Known& known, const Uuid& holder, const Want& want) {
  const Pool& pool = known.pool;
  Interval values = pool.parse(*want.value);
  Lease lease = lease_for(holder, want, now_);
  lease.value = pool.render(values);
  while (auto row = row_at(pool, values)) {
    bool same = row->values == values && !holder.text.empty() && row->lease.holder == holder &&
                row->lease.index == want.index && row->lease.lifetime == want.lifetime;
    if (same) return lease;
    if (row->lease.holder == holder && !holder.text.empty())
      refuse_twice(pool, lease.value, holder);
    // What the host shows now names the holder better than a mark; and a mark from an earlier try
    // that it does not show is no proof: whoever uses the value finds out.
    const auto shown = other_in(known, values);
    if (shown && !row->lease.foreign.empty()) refuse_foreign(pool, lease.value, shown->holder);
    if (!row->tried) refuse(pool, lease.value, *row);
    give_back(*row);
  }
  if (const auto other = other_in(known, values)) {
    refuse_foreign(pool, lease.value, other->holder);
  }
  if (const auto* net = known.foreign.cutting(values)) {
    refuse_foreign(pool, lease.value, net->holder);
  }
  for (const Interval& hole : pool.excluded) {
    if (hole.overlaps(values)) {
      throw Conflict(what(pool, lease.value) + " is kept out of pool " + pool.name +
                     (pool.source == "network" ? " (it is the bridge's own)"
                      : pool.source == "cloud" ? " (it is in no range of the cloud)"
                                               : " by nutshell.toml") +
                     "; name another");
    }
  }
  FreeSpace(db_, pool).cut_all(values);
  add(pool, values, lease, false, false);
  return lease;
}

Lease LeaseBook::take_next(Known& known, const Uuid& holder, const Want& want,
                           std::vector<Skipped>& skipped) {
  Lease lease = lease_for(holder, want, now_);
  Interval values = find_any(known, want, skipped);
  lease.value = known.pool.render(values);
  add(known.pool, values, lease, false, false);
  // Where the lowest goes first, what was marked before is passed over again; say so each time.
  if (known.pool.lowest_first()) {
    for (const LeaseRow& row : std::exchange(known.marked, {})) {
      if (row.values.low > values.low) continue;
      const auto now = other_in(known, row.values);
      skipped.push_back(
          {known.pool.name, known.pool.render(row.values), now ? now->holder : row.lease.foreign});
    }
  }
  return lease;
}

Interval LeaseBook::find_any(Known& known, const Want& want, std::vector<Skipped>& skipped) {
  const bool subnets = known.pool.kind == PoolKind::subnet;
  if (want.count == 0 || (want.count > 1 && known.pool.kind != PoolKind::ipv4) ||
      (want.prefix != 0 && !subnets) || want.prefix > 32) {
    throw std::logic_error("a want of pool " + known.pool.name + " has a size that none can have");
  }
  if (subnets) return find_block(known, want, skipped);
  if (want.count > 1) return find_piece(known, want, skipped);
  return find_free(known, want, skipped);
}

Interval LeaseBook::find_free(Known& known, const Want& want, std::vector<Skipped>& skipped) {
  const Pool& pool = known.pool;
  FreeSpace space(db_, pool);
  auto extent = space.first();
  while (extent) {
    Interval values{extent->values.low, extent->values.low};
    const auto other = other_in(known, values);
    if (!other) {
      space.cut(*extent, values);
      return values;
    }
    Interval held = pass_over(pool, extent->values, *other, values, skipped);
    if (held.high == extent->values.high) {
      extent = space.after(*extent);
    } else {
      extent->values.low = held.high + 1;
      if (pool.lowest_first()) extent->turn = extent->values.low;
    }
  }
  exhausted(pool, want);
}

Lease LeaseBook::take_name(const Pool& pool, const Uuid& holder, const Want& want) {
  if (!want.value) exhausted(pool, want);
  Lease lease = lease_for(holder, want, now_);
  lease.value = *want.value;
  if (auto row = row_named(pool, *want.value)) {
    bool same = !holder.text.empty() && row->lease.holder == holder &&
                row->lease.index == want.index && row->lease.lifetime == want.lifetime;
    if (same) return lease;
    if (row->lease.holder == holder && !holder.text.empty())
      refuse_twice(pool, lease.value, holder);
    refuse(pool, *want.value, *row);
  }
  add(pool, {}, lease, false, false);
  return lease;
}

std::vector<std::string> LeaseBook::candidates(const std::string& pool, unsigned count,
                                               const Facts& facts) {
  // The very walk that take does, undone: so the two can never disagree.
  std::vector<std::string> values;
  Known& asked = known(pool);
  db_.execute("SAVEPOINT candidates");
  try {
    asked.looked = false;
    look(asked, facts, Uuid{}, Lifetime::machine);
    std::vector<Skipped> skipped;
    for (unsigned i = 0; i < count; ++i) {
      Lease lease = take_next(asked, Uuid{}, Want{pool, 0, Lifetime::machine, {}}, skipped);
      values.push_back(lease.value);
    }
  } catch (const Exhausted&) {
    // As many as there are.
  } catch (...) {
    db_.execute("ROLLBACK TO candidates");
    throw;
  }
  db_.execute("ROLLBACK TO candidates; RELEASE candidates");
  return values;
}

void LeaseBook::refuse(const Pool& pool, const std::string& value, const LeaseRow& row) {
  if (!row.lease.foreign.empty()) refuse_foreign(pool, value, row.lease.foreign);
  std::string thing = what(pool, value);
  if (!row.named) {
    std::string whole = pool.render(row.values);
    if (whole != value) thing += " overlaps " + whole + ", which";
  }
  if (row.reserved) {
    throw Conflict(thing + " is reserved by hand" +
                   (row.lease.note.empty() ? "" : " (" + printable(row.lease.note) + ")") +
                   "; name another, or give it back with `nutshell lease release`");
  }
  MachineName name{row.lease.cloud, row.lease.machine};
  bool is_network = row.lease.lifetime == Lifetime::network || row.lease.holder.text.empty();
  std::string owner = !row.lease.machine.empty() ? to_string(name)
                      : row.lease.holder.text.starts_with("network:")
                          ? "the network " + row.lease.holder.text.substr(8)
                      : !row.lease.cloud.empty() ? "the cloud " + row.lease.cloud
                      : is_network               ? "a network"
                                                 : "machine " + row.lease.holder.text;
  throw Conflict(thing + " is leased to " + owner +
                 "; name another, or none to be given a free one");
}

}  // namespace nutshell::store
