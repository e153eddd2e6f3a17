// Clouds as `up` has made them, and the pools of their public addresses. Ranges and subnets of a
// cloud are leases like any other, held by "cloud:NAME": so what goes with a cloud is found by its
// holder, and nothing is kept twice.
#include "nutshell/error.hpp"
#include "nutshell/registry.hpp"
#include "store/core.hpp"
#include "store/free_space.hpp"

namespace nutshell {

using store::Interval;
using store::Intervals;
using store::Statement;

namespace {
constexpr const char* cloud_all = "SELECT name, file, spec, created FROM cloud ORDER BY name";
constexpr const char* cloud_named = "SELECT name, file, spec, created FROM cloud WHERE name = ?1";
constexpr const char* cloud_put =
    "INSERT OR REPLACE INTO cloud (name, file, spec, created) VALUES (?1, ?2, ?3, ?4)";
constexpr const char* cloud_drop = "DELETE FROM cloud WHERE name = ?1";
constexpr const char* machine_of =
    "SELECT name FROM machine WHERE cloud = ?1 ORDER BY name LIMIT 1";
constexpr const char* address_of =
    "SELECT address FROM public_address WHERE cloud = ?1 ORDER BY address LIMIT 1";
constexpr const char* groups_drop = "DELETE FROM firewall_group WHERE cloud = ?1";
constexpr const char* reserved_drop = "DELETE FROM lease WHERE pool = ?1 AND reserved = 1";
constexpr const char* given_of =
    "SELECT low, high FROM lease WHERE pool = ?1 AND reserved = 0 AND \"foreign\" = '' "
    "ORDER BY low";

CloudRow read(const Statement& row) { return {row.text(0), row.text(1), row.text(2), row.text(3)}; }

std::string pool_name(const std::string& cloud) { return "public:" + cloud; }

/// The pool out of which a cloud's own addresses are given. What lies between two of its ranges is
/// kept out of it.
store::Pool pool_of(const std::string& cloud, const Intervals& ranges) {
  store::Pool pool;
  pool.name = pool_name(cloud);
  pool.kind = store::PoolKind::ipv4;
  pool.range = {ranges.front().low, ranges.back().high};
  pool.excluded = store::subtract({pool.range}, ranges);
  pool.source = "cloud";
  return pool;
}

/// Throws Conflict when an address of the pool is allocated that is not in `allowed`.
void refuse_given(store::Connection& db, const store::Pool& pool, const Intervals& allowed) {
  Statement row = db.use(given_of, pool.id);
  while (row.step()) {
    const Interval values{row.integer(0), row.integer(1)};
    if (store::subtract({values}, allowed).empty()) continue;
    const std::string address = pool.render(values);
    throw Conflict("address " + address + " of pool " + pool.name +
                   " is still allocated; give it back with `nutshell address release " + address +
                   "`");
  }
}
}  // namespace

std::vector<CloudRow> Registry::clouds() {
  std::vector<CloudRow> rows;
  Statement row = state_->core->db.use(cloud_all);
  while (row.step()) rows.push_back(read(row));
  return rows;
}

std::optional<CloudRow> Registry::cloud(const std::string& name) {
  Statement row = state_->core->db.use(cloud_named, name);
  if (!row.step()) return std::nullopt;
  return read(row);
}

void Transaction::put_cloud(const CloudRow& row) {
  state_->db().run(cloud_put, row.name, row.file, row.spec, row.created);
}

void Transaction::set_public_pool(const std::string& cloud,
                                  const std::vector<AddressRange>& ranges) {
  auto& db = state_->db();
  store::PoolBook pools(db);
  Intervals wanted;
  for (const AddressRange& range : ranges) wanted.push_back({range.first.value, range.last.value});
  wanted = store::normal(std::move(wanted));
  state_->book->forget(pool_name(cloud));
  const auto old = pools.find(pool_name(cloud));
  if (old) refuse_given(db, *old, wanted);
  if (wanted.empty()) {
    if (!old) return;
    db.run(reserved_drop, old->id);
    pools.drop(*old, "give it back first");
    return;
  }
  if (old)
    pools.redefine(*old, pool_of(cloud, wanted));
  else
    pools.make(pool_of(cloud, wanted));
}

void Transaction::remove_cloud(const std::string& name) {
  auto& db = state_->db();
  {
    Statement machine = db.use(machine_of, name);
    if (machine.step()) {
      throw Conflict("cloud " + name + " still has machines (" +
                     to_string(MachineName{name, machine.text(0)}) +
                     " is one); remove them with `nutshell down " + name + " --purge`");
    }
  }
  {
    Statement row = db.use(address_of, name);
    if (row.step()) {
      const std::string address = to_string(Ipv4{static_cast<std::uint32_t>(row.integer(0))});
      throw Conflict("cloud " + name + " still has the public address " + address +
                     "; give it back with `nutshell address release " + address + "`");
    }
  }
  set_public_pool(name, {});
  state_->book->release_all(Uuid{"cloud:" + name});
  state_->book->drop_marks("the cloud " + name);
  db.run(groups_drop, name);
  db.run(cloud_drop, name);
}

}  // namespace nutshell
