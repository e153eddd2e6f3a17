// The registry's schema through time.
#pragma once
#include <cstdint>

#include "store/sqlite.hpp"

namespace nutshell::store {

/// The text of schema.sql.
extern const char* const schema_sql;
/// The schema that this program knows.
extern const std::int64_t schema_number;

/// Checks that the database is a registry of ours that this program can read. True when it needs
/// migrate(). Throws Conflict for a newer one, Failed for one that is no registry.
bool needs_migration(Connection& db);
/// Applies what is missing, each migration once, in one transaction; `random` draws the tag of a
/// new registry.
void migrate(Connection& db, std::uint64_t random);

}  // namespace nutshell::store
