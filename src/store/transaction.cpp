// The only place where rows of machines, runs and networks change. What a caller does between
// begin() and commit() is all there or not at all, leases and journaled plan included; commit is
// the one fsync of a command.
#include <algorithm>
#include <stdexcept>

#include "nutshell/error.hpp"
#include "nutshell/registry.hpp"
#include "store/core.hpp"
#include "store/free_space.hpp"

namespace nutshell {

using store::Statement;

namespace {
constexpr const char* machine_clash =
    "SELECT cloud, name, uuid FROM machine WHERE (cloud = ?1 AND name = ?2) OR short = ?3 LIMIT 1";
constexpr const char* machine_add =
    "INSERT INTO machine (uuid, short, cloud, name, cpus, memory, created, boots, once_consumed, "
    "last_end, spec) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
constexpr const char* machine_change =
    "UPDATE machine SET spec = ?2, cpus = ?3, memory = ?4 WHERE uuid = ?1";
constexpr const char* machine_drop = "DELETE FROM machine WHERE uuid = ?1";
constexpr const char* machine_boots = "UPDATE machine SET boots = max(boots, ?2) WHERE uuid = ?1";
constexpr const char* machine_end = "UPDATE machine SET last_end = ?2 WHERE uuid = ?1";
constexpr const char* machine_no_run = "UPDATE machine SET boots = boots - 1 WHERE uuid = ?1";
constexpr const char* user_drop = "DELETE FROM network_user WHERE machine = ?1";
constexpr const char* run_find = "SELECT 1 FROM run WHERE machine = ?1";
constexpr const char* run_add =
    "INSERT INTO run (machine, boot_id, pid, start_time, boot, since, display, vnc_listen, taps, "
    "accel, volumes, guests) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
constexpr const char* run_drop = "DELETE FROM run WHERE machine = ?1";
constexpr const char* network_clash =
    "SELECT name FROM network WHERE name = ?1 OR bridge = ?2 LIMIT 1";
constexpr const char* network_add =
    "INSERT INTO network (name, bridge, address, prefix, mac, mode, mtu, ipv6, dns, by_hand) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
constexpr const char* network_change =
    "UPDATE network SET bridge = ?2, address = ?3, prefix = ?4, mac = ?5, mode = ?6, mtu = ?7, "
    "ipv6 = ?8, dns = ?9, by_hand = ?10 WHERE name = ?1";
constexpr const char* network_users_drop = "DELETE FROM network_user WHERE network = ?1";
constexpr const char* network_user_add =
    "INSERT OR IGNORE INTO network_user (network, machine) VALUES (?1, ?2)";
constexpr const char* network_drop =
    "DELETE FROM network WHERE name = ?1 RETURNING address, prefix";
}  // namespace

namespace store {
std::optional<RunRecord> read_run(const Statement& row, int first) {
  if (row.is_null(first)) return std::nullopt;
  RunRecord run;
  run.boot_id = row.text(first);
  run.pid = static_cast<int>(row.integer(first + 1));
  run.start_time = static_cast<std::uint64_t>(row.integer(first + 2));
  run.boot = static_cast<unsigned>(row.integer(first + 3));
  run.since = row.text(first + 4);
  if (!row.is_null(first + 5)) run.display = static_cast<unsigned>(row.integer(first + 5));
  run.vnc_listen = row.text(first + 6);
  for (char c : row.text(first + 7)) {
    if (c == '/') {
      run.taps.emplace_back();
    } else if (!run.taps.empty()) {
      run.taps.back() += c;
    }
  }
  run.accel = row.text(first + 8);
  const std::string volumes = row.text(first + 9);
  for (std::size_t at = 0, end = 0; at < volumes.size(); at = end + 1) {
    end = std::min(volumes.find(' ', at), volumes.size());
    run.volumes.push_back(volumes.substr(at, end - at));
  }
  run.guests = row.text(first + 10);
  return run;
}

void write_run(Connection& db, const Uuid& machine, const RunRecord& run) {
  std::string taps;
  for (const std::string& tap : run.taps) taps += "/" + tap;
  std::string volumes;  // no name of LVM's has a space
  for (const std::string& volume : run.volumes) volumes += (volumes.empty() ? "" : " ") + volume;
  db.run(run_add, machine.text, run.boot_id, run.pid, static_cast<std::int64_t>(run.start_time),
         run.boot, run.since, run.display, run.vnc_listen, taps, run.accel, volumes, run.guests);
}
}  // namespace store

Transaction::State::~State() { close(); }

void Transaction::State::close() noexcept {
  if (!core || !core->open) return;
  core->open = false;
  book.reset();
  core->db.roll_back();  // nothing, after a commit
  if (core->in_memory) return;
  try {
    core->db.execute("PRAGMA synchronous = NORMAL");
  } catch (const Error&) {
    // FULL is slower, and as safe.
  }
}

Transaction::Transaction(std::unique_ptr<State> state) : state_(std::move(state)) {}
Transaction::Transaction(Transaction&&) noexcept = default;
Transaction::~Transaction() = default;

Allocator& Transaction::allocator() { return *state_->book; }

void Transaction::add_machine(const MachineRow& row) {
  auto& db = state_->db();
  std::string short_id = row.uuid.short_id();
  {
    Statement other = db.use(machine_clash, row.name.cloud, row.name.name, short_id);
    if (other.step()) {
      MachineName name{other.text(0), other.text(1)};
      if (name == row.name) {
        throw Conflict("machine " + to_string(name) + " exists already; choose another name");
      }
      throw Conflict("machine " + to_string(row.name) + ": its id " + short_id +
                     " is that of machine " + to_string(name) + "; run the command again");
    }
  }
  db.run(machine_add, row.uuid.text, short_id, row.name.cloud, row.name.name, row.spec.cpus,
         static_cast<std::int64_t>(row.spec.memory), row.created, row.boots,
         row.boot_once_consumed ? 1 : 0, row.last_end, to_json(row.spec).dump());
  if (row.run) store::write_run(db, row.uuid, *row.run);
}

void Transaction::change_spec(const Uuid& uuid, const MachineSpec& spec) {
  auto& db = state_->db();
  db.run(machine_change, uuid.text, to_json(spec).dump(), spec.cpus,
         static_cast<std::int64_t>(spec.memory));
  if (db.changes() == 0) {
    throw NotFound("machine " + to_string(spec.name) + " is no longer in the registry");
  }
}

void Transaction::remove_machine(const Uuid& uuid) {
  auto& db = state_->db();
  state_->book->release_all(uuid);
  db.run(user_drop, uuid.text);
  db.run(machine_drop, uuid.text);
}

void Transaction::begin_run(const Uuid& uuid, const RunRecord& run) {
  auto& db = state_->db();
  {
    Statement on = db.use(run_find, uuid.text);
    if (on.step()) {
      throw Conflict("machine " + uuid.short_id() +
                     " has a run that is on or not yet collected; run `nutshell gc`");
    }
  }
  db.run(machine_boots, uuid.text, run.boot);
  if (db.changes() == 0) {
    throw NotFound("machine " + uuid.short_id() + " is no longer in the registry");
  }
  store::write_run(db, uuid, run);
}

void Transaction::end_run(const Uuid& uuid, const std::string& end) {
  auto& db = state_->db();
  db.run(run_drop, uuid.text);
  const bool was_on = db.changes() > 0;
  // A run that never was: the next one has its number, and how the last one ended still stands.
  if (!end.empty())
    db.run(machine_end, uuid.text, end);
  else if (was_on)
    db.run(machine_no_run, uuid.text);
  state_->book->release(uuid, Lifetime::run);
}

void Transaction::add_network(const NetworkRow& row) {
  auto& db = state_->db();
  {
    Statement other = db.use(network_clash, row.name, row.bridge);
    if (other.step()) {
      throw Conflict("network " + row.name + ": its name or its bridge " + row.bridge +
                     " is that of network " + other.text(0) + "; choose another");
    }
  }
  db.run(network_add, row.name, row.bridge, row.address.address.value, row.address.prefix,
         static_cast<std::int64_t>(row.bridge_mac.value), to_string(row.mode), row.mtu, row.ipv6,
         row.dns ? 1 : 0, row.by_hand ? 1 : 0);
  store::PoolBook(db).make(store::network_pool(row.name, row.address));
  for (const Uuid& user : row.users) db.run(network_user_add, row.name, user.text);
}

void Transaction::change_network(const NetworkRow& row) {
  auto& db = state_->db();
  db.run(network_change, row.name, row.bridge, row.address.address.value, row.address.prefix,
         static_cast<std::int64_t>(row.bridge_mac.value), to_string(row.mode), row.mtu, row.ipv6,
         row.dns ? 1 : 0, row.by_hand ? 1 : 0);
  if (db.changes() == 0) throw NotFound("there is no network " + row.name + " in the registry");
  db.run(network_users_drop, row.name);
  for (const Uuid& user : row.users) db.run(network_user_add, row.name, user.text);
  store::PoolBook pools(db);
  store::Pool now = store::network_pool(row.name, row.address);
  store::Pool old = pools.named(now.name);
  if (old.range != now.range || old.excluded != now.excluded) pools.redefine(old, now);
}

void Transaction::remove_network(const std::string& name) {
  auto& db = state_->db();
  store::PoolBook pools(db);
  if (auto pool = pools.find("ipv4:" + name)) {
    pools.drop(*pool, "remove the machines of network " + name + " first");
  }
  std::optional<Ipv4Net> net;
  {
    Statement gone = db.use(network_drop, name);
    while (gone.step()) {
      net = Ipv4Net{Ipv4{static_cast<std::uint32_t>(gone.integer(0))},
                    static_cast<unsigned>(gone.integer(1))};
    }
  }
  if (net && pools.find("subnet")) {
    Ipv4Net subnet{net->first(), net->prefix};
    auto lease = state_->book->who("subnet", to_string(subnet));
    if (lease && lease->value == to_string(subnet) && lease->lifetime == Lifetime::network) {
      state_->book->release_value("subnet", lease->value);
    }
  }
}

void Transaction::commit() {
  auto& core = *state_->core;
  if (!core.open) throw std::logic_error("the transaction is over already");
  if (core.options.mode == Registry::Mode::look) {
    throw std::logic_error(
        "a transaction of a registry that is only looked at cannot be committed");
  }
  if (state_->book->spoilt()) {
    throw std::logic_error("a reservation of this transaction failed; it can only be rolled back");
  }
  core.db.execute("COMMIT");
  state_->close();
}

}  // namespace nutshell
