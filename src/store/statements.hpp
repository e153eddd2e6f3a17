// Every statement by which the allocator takes, gives back and looks up. They stand in one list, so
// that a test can ask SQLite how it runs each of them: none may scan a table.
#pragma once
#include <array>

namespace nutshell::store::sql {

inline constexpr const char* pool_named =
    "SELECT id, name, kind, low, high, prefix, excluded, source FROM pool WHERE name = ?1";
inline constexpr const char* pool_numbered =
    "SELECT id, name, kind, low, high, prefix, excluded, source FROM pool WHERE id = ?1";

inline constexpr const char* extent_first =
    "SELECT low, high, turn FROM extent WHERE pool = ?1 ORDER BY turn, low LIMIT 1";
inline constexpr const char* extent_after =
    "SELECT low, high, turn FROM extent WHERE pool = ?1 AND (turn, low) > (?2, ?3) "
    "ORDER BY turn, low LIMIT 1";
inline constexpr const char* extent_last =
    "SELECT low, high, turn FROM extent WHERE pool = ?1 ORDER BY turn DESC, low DESC LIMIT 1";
inline constexpr const char* extent_at =
    "SELECT low, high, turn FROM extent WHERE pool = ?1 AND low <= ?2 ORDER BY low DESC LIMIT 1";
/// The smallest that has so many values or more, the lowest of equals, and the one behind that.
inline constexpr const char* extent_fits =
    "SELECT low, high, turn FROM extent WHERE pool = ?1 AND block = 0 AND high - low >= ?2 "
    "ORDER BY high - low, low LIMIT 1";
inline constexpr const char* extent_fits_after =
    "SELECT low, high, turn FROM extent WHERE pool = ?1 AND block = 0 AND high - low >= ?2 "
    "AND (high - low, low) > (?2, ?3) ORDER BY high - low, low LIMIT 1";
/// The smallest of those whose largest aligned block is the smallest that is large enough.
inline constexpr const char* extent_block_from =
    "SELECT low, high, turn FROM extent WHERE pool = ?1 AND block >= ?2 "
    "ORDER BY block, high - low, low LIMIT 1";
inline constexpr const char* extent_block =
    "SELECT low, high, turn FROM extent WHERE pool = ?1 AND block = ?2 "
    "ORDER BY high - low, low LIMIT 1";
inline constexpr const char* extents_in =
    "SELECT low, high FROM extent WHERE pool = ?1 ORDER BY low";
inline constexpr const char* extent_add =
    "INSERT INTO extent (pool, low, high, turn, block) VALUES (?1, ?2, ?3, ?4, ?5)";
inline constexpr const char* extent_drop = "DELETE FROM extent WHERE pool = ?1 AND low = ?2";
inline constexpr const char* extent_set_low =
    "UPDATE extent SET low = ?3, turn = ?4, block = ?5 WHERE pool = ?1 AND low = ?2";
inline constexpr const char* extent_set_high =
    "UPDATE extent SET high = ?3, block = ?4 WHERE pool = ?1 AND low = ?2";

// `use` names the index where the planner, which knows nothing of the numbers, would not take it.
#define NUTSHELL_LEASE(use)                                                                  \
  "SELECT lease.low, lease.high, lease.text, lease.holder, lease.place, lease.lifetime, "    \
  "lease.reserved, lease.\"foreign\", lease.tried, lease.since, lease.note, machine.cloud, " \
  "machine.name, lease.pool FROM lease " use " LEFT JOIN machine ON machine.uuid = lease.holder "
inline constexpr const char* lease_at =
    NUTSHELL_LEASE("") "WHERE lease.pool = ?1 AND lease.low <= ?2 ORDER BY lease.low DESC LIMIT 1";
inline constexpr const char* lease_text =
    NUTSHELL_LEASE("") "WHERE lease.pool = ?1 AND lease.text = ?2";
inline constexpr const char* leases_foreign =
    NUTSHELL_LEASE("INDEXED BY lease_foreign") "WHERE lease.pool = ?1 AND lease.\"foreign\" <> ''";
inline constexpr const char* leases_of =
    NUTSHELL_LEASE("INDEXED BY lease_holder") "WHERE lease.holder = ?1 AND lease.holder <> '' ORDER BY lease.lifetime";
inline constexpr const char* leases_in =
    NUTSHELL_LEASE("") "WHERE lease.pool = ?1 ORDER BY lease.low";
inline constexpr const char* leases_between =
    "SELECT low, high FROM lease WHERE pool = ?1 AND low BETWEEN ?2 AND ?3 ORDER BY low";
#undef NUTSHELL_LEASE
inline constexpr const char* lease_last =
    "SELECT low FROM lease WHERE pool = ?1 ORDER BY low DESC LIMIT 1";
inline constexpr const char* lease_add =
    "INSERT INTO lease (pool, low, high, text, holder, place, lifetime, reserved, \"foreign\", "
    "tried, since, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
inline constexpr const char* lease_drop = "DELETE FROM lease WHERE pool = ?1 AND low = ?2";
inline constexpr const char* lease_set_foreign =
    "UPDATE lease SET \"foreign\" = ?3, tried = ?4, since = ?5 WHERE pool = ?1 AND low = ?2";

inline constexpr const char* cloud_of_machine = "SELECT cloud FROM machine WHERE uuid = ?1";
inline constexpr const char* address_between =
    "SELECT address, cloud FROM public_address WHERE address BETWEEN ?1 AND ?2 ORDER BY address";

/// All of the above.
inline constexpr std::array allocator_statements{
    pool_named,       pool_numbered,  extent_first,      extent_after,      extent_last,
    extent_at,        extent_fits,    extent_fits_after, extent_block_from, extent_block,
    extents_in,       extent_add,     extent_drop,       extent_set_low,    extent_set_high,
    lease_at,         lease_text,     leases_foreign,    leases_of,         leases_in,
    leases_between,   lease_last,     lease_add,         lease_drop,        lease_set_foreign,
    cloud_of_machine, address_between};

}  // namespace nutshell::store::sql
