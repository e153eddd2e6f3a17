// Each change of the schema is a dated entry of a list and is applied once, in order, in the one
// transaction that also raises the number in the file's header. That number is all that an opening
// reads, so a registry that is up to date costs nothing here.
#include "store/migrations.hpp"

#include <fmt/format.h>

#include <array>

#include "nutshell/error.hpp"
#include "nutshell/values.hpp"
#include "store/free_space.hpp"
#include "store/lease_book.hpp"
#include "store/pool_book.hpp"

namespace nutshell::store {

namespace {
struct Migration {
  std::int64_t number;
  const char* dated;
  const char* const* sql;
};
constexpr const char* volumes_of_a_run =
    "ALTER TABLE run ADD COLUMN volumes TEXT NOT NULL DEFAULT ''";  // "VG/LV", a space between two
/// Networks differ in kind, and those that were made by `network create` stay.
const char* const networks_sql =
    "ALTER TABLE network ADD COLUMN mode TEXT NOT NULL DEFAULT 'nat';"
    "ALTER TABLE network ADD COLUMN mtu INTEGER NOT NULL DEFAULT 1500;"
    "ALTER TABLE network ADD COLUMN ipv6 TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE network ADD COLUMN dns INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE network ADD COLUMN by_hand INTEGER NOT NULL DEFAULT 0;";
/// What the firewall has of a run; security groups; public addresses and where they lead.
const char* const firewall_sql =
    "ALTER TABLE run ADD COLUMN guests TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE firewall_group ("
    "  cloud TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,"
    "  PRIMARY KEY (cloud, name)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE firewall_rule ("
    "  cloud TEXT NOT NULL, name TEXT NOT NULL, protocol TEXT NOT NULL, low INTEGER NOT NULL,"
    "  high INTEGER NOT NULL, source TEXT NOT NULL, source_group TEXT NOT NULL,"
    "  PRIMARY KEY (cloud, name, protocol, low, high, source, source_group),"
    "  FOREIGN KEY (cloud, name) REFERENCES firewall_group (cloud, name) ON DELETE CASCADE"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE public_address ("
    "  address INTEGER PRIMARY KEY, pool TEXT NOT NULL, cloud TEXT NOT NULL,"
    "  machine TEXT REFERENCES machine (uuid) ON DELETE SET NULL, since TEXT NOT NULL) STRICT;"
    "CREATE INDEX public_address_machine ON public_address (machine);";
/// Clouds, and free extents by what fits into them (NULL: single values only).
const char* const clouds_sql =
    "CREATE TABLE cloud ("
    "  name TEXT PRIMARY KEY, file TEXT NOT NULL, spec TEXT NOT NULL, created TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "ALTER TABLE extent ADD COLUMN block INTEGER;"
    "CREATE INDEX extent_block ON extent (pool, block, high - low, low) WHERE block IS NOT NULL;";
/// What is reserved by hand is written down after each change, beside a million leases, too.
constexpr const char* reserved_sql =
    "CREATE INDEX lease_reserved ON lease (pool, low) WHERE reserved = 1";
constexpr std::array migrations{
    Migration{1, "2026-11-20", &schema_sql},   Migration{2, "2026-11-20", &volumes_of_a_run},
    Migration{3, "2026-11-20", &networks_sql}, Migration{4, "2026-11-20", &firewall_sql},
    Migration{5, "2026-11-21", &clouds_sql},   Migration{6, "2026-11-21", &reserved_sql}};
constexpr std::int64_t application_id = 0x6e757473;  // "nuts"

std::int64_t number_of(Connection& db, const char* pragma) {
  Statement row = db.use(pragma);
  return row.step() ? row.integer(0) : 0;
}
std::int64_t version_of(Connection& db) { return number_of(db, "PRAGMA user_version"); }
}  // namespace

const std::int64_t schema_number = migrations.back().number;

bool needs_migration(Connection& db) {
  std::int64_t version = version_of(db);
  std::int64_t id = number_of(db, "PRAGMA application_id");
  std::string name = "registry " + printable(db.path());
  if (id != application_id) {
    bool empty =
        id == 0 && version == 0 && number_of(db, "SELECT count(*) FROM sqlite_schema") == 0;
    if (empty) return true;
    // Each of these was a look of its own: another process may have made the schema in between.
    if (number_of(db, "PRAGMA application_id") == application_id) return needs_migration(db);
    throw Failed(name +
                 " is a database of something else; move it away and run `nutshell recover`");
  }
  if (version > schema_number) {
    throw Conflict(
        fmt::format("{} was written by a newer nutshell (schema {}, this one knows {}); "
                    "use that version",
                    name, version, schema_number));
  }
  return version < schema_number;
}

void migrate(Connection& db, std::uint64_t random) {
  db.execute("BEGIN IMMEDIATE");
  try {
    std::int64_t version = version_of(db);  // another process may have been faster
    for (const Migration& next : migrations) {
      if (next.number <= version) continue;
      db.execute(*next.sql);
      db.run("INSERT INTO migration (number, dated, applied) VALUES (?1, ?2, ?3)", next.number,
             next.dated, utc_now());
    }
    if (version < 5) {
      for (const Pool& pool : PoolBook(db).all()) FreeSpace(db, pool).measure();
    }
    if (version == 0) {
      db.run("INSERT INTO setting (name, value) VALUES ('tag', ?1)",
             fmt::format("{:04x}", mixed(random, 0) & 0xffff));
      db.execute("INSERT INTO setting (name, value) VALUES ('born', lower(hex(randomblob(8))))");
    }
    db.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", application_id,
                           schema_number)
                   .c_str());
    db.execute("COMMIT");
  } catch (...) {
    db.roll_back();
    throw;
  }
}

}  // namespace nutshell::store
