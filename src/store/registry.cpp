// What the registry knows, read back as values. Each function is one statement, so that what it
// returns was true at one moment.
#include "nutshell/registry.hpp"

#include <stdexcept>

#include "nutshell/error.hpp"
#include "store/core.hpp"
#include "store/statements.hpp"

namespace nutshell {

using store::Statement;

namespace {
#define NUTSHELL_COLUMNS                                                                     \
  "SELECT machine.uuid, machine.cloud, machine.name, machine.spec, machine.boots, "          \
  "machine.last_end, machine.cpus, machine.memory, machine.created, machine.once_consumed, " \
  "run.boot_id, run.pid, run.start_time, run.boot, run.since, run.display, run.vnc_listen, " \
  "run.taps, run.accel, run.volumes, run.guests FROM "
#define NUTSHELL_MACHINE NUTSHELL_COLUMNS "machine LEFT JOIN run ON run.machine = machine.uuid "
constexpr const char* machine_all = NUTSHELL_MACHINE "ORDER BY machine.cloud, machine.name";
// CROSS JOIN is SQLite's word for this order of the loops.
constexpr const char* machine_runs = NUTSHELL_COLUMNS
    "run CROSS JOIN machine ON machine.uuid = run.machine ORDER BY machine.cloud, machine.name";
constexpr const char* machine_by_uuid = NUTSHELL_MACHINE "WHERE machine.uuid = ?1";
constexpr const char* machine_by_name =
    NUTSHELL_MACHINE "WHERE machine.cloud = ?1 AND machine.name = ?2";
constexpr const char* machine_by_bare_name =
    NUTSHELL_MACHINE "WHERE machine.name = ?1 ORDER BY machine.cloud";
#undef NUTSHELL_MACHINE
#undef NUTSHELL_COLUMNS
constexpr int run_first = 10;

constexpr const char* network_all =
    "SELECT network.name, bridge, address, prefix, mac, network_user.machine, mode, mtu, ipv6, "
    "dns, "
    "by_hand FROM network "
    "LEFT JOIN network_user ON network_user.network = network.name "
    "ORDER BY network.name, network_user.machine";
// Each lease by how many values of the pool it has, counted in ?2 integers: one at least, as it may
// lie outside of the pool's range, ?3 to ?4, or be smaller than a subnet of the pool's.
constexpr const char* pool_counts =
    "SELECT coalesce(sum(n), 0), coalesce(sum(n * reserved), 0), "
    "coalesce(sum(n * (\"foreign\" <> '')), 0) FROM (SELECT reserved, \"foreign\", "
    "max(1, (min(high, ?4) - max(low, ?3) + ?2) / ?2) AS n FROM lease WHERE pool = ?1)";
constexpr const char* set_process_sql =
    "UPDATE run SET pid = ?2, start_time = ?3 WHERE machine = ?1";
constexpr const char* set_once_sql = "UPDATE machine SET once_consumed = ?2 WHERE uuid = ?1";

MachineSummary read_summary(const Statement& row) {
  MachineSummary made;
  made.uuid.text = row.text(0);
  made.name = {row.text(1), row.text(2)};
  made.spec_json = row.text(3);
  made.boots = static_cast<unsigned>(row.integer(4));
  made.last_end = row.text(5);
  made.cpus = static_cast<unsigned>(row.integer(6));
  made.memory = static_cast<Bytes>(row.integer(7));
  made.run = store::read_run(row, run_first);
  return made;
}

MachineRow read_machine(const store::Connection& db, const Statement& row) {
  MachineSummary summary = read_summary(row);
  MachineRow made;
  made.uuid = std::move(summary.uuid);
  made.name = std::move(summary.name);
  made.boots = summary.boots;
  made.last_end = std::move(summary.last_end);
  made.run = std::move(summary.run);
  made.created = row.text(8);
  made.boot_once_consumed = row.integer(9) != 0;
  try {
    made.spec = spec_from_json(Json::parse(summary.spec_json));
  } catch (const Failed& fault) {
    throw Failed("registry " + printable(db.path()) + ": the spec of machine " +
                 printable(to_string(made.name)) + " cannot be read (" + fault.what() +
                 "); run `nutshell recover` to rebuild it");
  }
  return made;
}

std::vector<MachineRow> read_machines(const store::Connection& db, Statement statement) {
  std::vector<MachineRow> rows;
  while (statement.step()) rows.push_back(read_machine(db, statement));
  return rows;
}

std::optional<MachineRow> first_of(std::vector<MachineRow> rows) {
  if (rows.empty()) return std::nullopt;
  return std::move(rows.front());
}
}  // namespace

Registry::Registry(std::unique_ptr<State> state) : state_(std::move(state)) {}
Registry::Registry(Registry&&) noexcept = default;
Registry::~Registry() = default;

Registry Registry::open(const Options& options) {
  return Registry(std::make_unique<State>(State{store::open_core(options)}));
}

std::vector<MachineRow> Registry::machines() {
  auto& db = state_->core->db;
  return read_machines(db, db.use(machine_all));
}

std::vector<MachineSummary> Registry::summaries() {
  std::vector<MachineSummary> rows;
  each_summary([&](MachineSummary row) { rows.push_back(std::move(row)); });
  return rows;
}
void Registry::each_summary(const std::function<void(MachineSummary)>& use) {
  Statement statement = state_->core->db.use(machine_all);
  while (statement.step()) use(read_summary(statement));
}
std::vector<MachineSummary> Registry::runs() {
  std::vector<MachineSummary> rows;
  Statement statement = state_->core->db.use(machine_runs);
  while (statement.step()) rows.push_back(read_summary(statement));
  return rows;
}

std::optional<MachineRow> Registry::machine(const MachineName& name) {
  auto& db = state_->core->db;
  return first_of(read_machines(db, db.use(machine_by_name, name.cloud, name.name)));
}
std::optional<MachineRow> Registry::machine(const Uuid& uuid) {
  auto& db = state_->core->db;
  return first_of(read_machines(db, db.use(machine_by_uuid, uuid.text)));
}
std::vector<MachineRow> Registry::machines_named(const std::string& bare_name) {
  auto& db = state_->core->db;
  return read_machines(db, db.use(machine_by_bare_name, bare_name));
}

std::vector<NetworkRow> Registry::networks() {
  std::vector<NetworkRow> rows;
  Statement statement = state_->core->db.use(network_all);
  while (statement.step()) {
    std::string name = statement.text(0);
    if (rows.empty() || rows.back().name != name) {
      NetworkRow made;
      made.name = name;
      made.bridge = statement.text(1);
      made.address = {Ipv4{static_cast<std::uint32_t>(statement.integer(2))},
                      static_cast<unsigned>(statement.integer(3))};
      made.bridge_mac.value = static_cast<std::uint64_t>(statement.integer(4));
      from_word(statement.text(6), made.mode);
      made.mtu = static_cast<unsigned>(statement.integer(7));
      made.ipv6 = statement.text(8);
      made.dns = statement.integer(9) != 0;
      made.by_hand = statement.integer(10) != 0;
      rows.push_back(std::move(made));
    }
    if (!statement.is_null(5)) rows.back().users.push_back(Uuid{statement.text(5)});
  }
  return rows;
}

std::optional<NetworkRow> Registry::network(const std::string& name) {
  for (NetworkRow& row : networks()) {
    if (row.name == name) return std::move(row);
  }
  return std::nullopt;
}

std::vector<Lease> Registry::leases() { return store::LeaseBook(state_->core->db).leases(); }
std::vector<Lease> Registry::leases_of(const Uuid& uuid) {
  return store::LeaseBook(state_->core->db).leases_of(uuid);
}
std::vector<Lease> Registry::leases_in(const std::string& pool) {
  return store::LeaseBook(state_->core->db).leases_in(pool);
}
std::string Registry::born() { return store::PoolBook(state_->core->db).born(); }
std::int64_t Registry::kept() { return store::PoolBook(state_->core->db).kept(); }
std::string Registry::tag() { return store::PoolBook(state_->core->db).tag(); }

std::vector<Registry::PoolState> Registry::pools() {
  auto& core = *state_->core;
  store::PoolBook book(core.db);
  // The config's word stands, also before the first write has brought the registry to it.
  std::vector<store::Pool> pools;
  for (const PoolRange& range : core.options.pools) pools.push_back(store::pool_from(range));
  for (store::Pool& kept : book.all()) {
    bool said = false;
    for (store::Pool& pool : pools) {
      if (pool.name != kept.name) continue;
      pool.id = kept.id;
      said = true;
    }
    if (!said && !kept.by_value_only()) pools.push_back(std::move(kept));
  }
  std::vector<PoolState> states;
  for (const store::Pool& pool : pools) {
    PoolState state;
    state.range = store::range_from(pool);
    for (const PoolRange& range : core.options.pools) {
      if (range.name == pool.name) state.range = range;
    }
    state.size = store::count(pool.allowed()) / static_cast<std::uint64_t>(pool.unit());
    Statement row = core.db.use(pool_counts, pool.id, pool.unit(), pool.range.low, pool.range.high);
    row.step();
    state.reserved = static_cast<std::uint64_t>(row.integer(1));
    state.foreign = static_cast<std::uint64_t>(row.integer(2));
    state.leased = static_cast<std::uint64_t>(row.integer(0)) - state.reserved - state.foreign;
    states.push_back(std::move(state));
  }
  return states;
}

Transaction Registry::begin() {
  auto& core = *state_->core;
  if (core.open) throw std::logic_error("a transaction on this registry is open already");
  if (core.options.mode == Mode::look && !core.in_memory) {
    core.db = core.db.copy();
    core.in_memory = true;
  }
  if (!core.in_memory) core.db.execute("PRAGMA synchronous = FULL");
  core.db.execute("BEGIN IMMEDIATE");
  core.open = true;
  auto state = std::make_unique<Transaction::State>();
  state->core = state_->core;
  store::PoolBook(core.db).follow(core.options.pools, core.options.random);
  state->book = std::make_unique<store::LeaseBook>(core.db);
  return Transaction(std::move(state));
}

void Registry::set_process(const Uuid& uuid, int pid, std::uint64_t start_time) {
  state_->core->db.run(set_process_sql, uuid.text, pid, static_cast<std::int64_t>(start_time));
}
void Registry::set_boot_once_consumed(const Uuid& uuid, bool consumed) {
  state_->core->db.run(set_once_sql, uuid.text, consumed ? 1 : 0);
}

}  // namespace nutshell
