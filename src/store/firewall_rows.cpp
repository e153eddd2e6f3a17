// Security groups and public addresses: small tables, read whole and written row by row, a group
// with all its rules at once.
#include <fmt/format.h>

#include "nutshell/error.hpp"
#include "nutshell/registry.hpp"
#include "store/core.hpp"
#include "store/free_space.hpp"
#include "store/pool_book.hpp"

namespace nutshell {

using store::Statement;

namespace {
constexpr const char* group_all =
    "SELECT g.cloud, g.name, g.description, r.protocol, r.low, r.high, r.source, r.source_group "
    "FROM firewall_group g LEFT JOIN firewall_rule r ON r.cloud = g.cloud AND r.name = g.name "
    "ORDER BY g.cloud, g.name, r.protocol, r.low, r.high, r.source, r.source_group";
constexpr const char* group_put =
    "INSERT INTO firewall_group (cloud, name, description) VALUES (?1, ?2, ?3) "
    "ON CONFLICT (cloud, name) DO UPDATE SET description = excluded.description";
constexpr const char* group_drop = "DELETE FROM firewall_group WHERE cloud = ?1 AND name = ?2";
constexpr const char* rules_drop = "DELETE FROM firewall_rule WHERE cloud = ?1 AND name = ?2";
constexpr const char* rule_add =
    "INSERT OR IGNORE INTO firewall_rule (cloud, name, protocol, low, high, source, source_group) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
constexpr const char* address_all =
    "SELECT address, pool, cloud, machine, since FROM public_address ORDER BY address";
constexpr const char* address_put =
    "INSERT OR REPLACE INTO public_address (address, pool, cloud, machine, since) "
    "VALUES (?1, ?2, ?3, ?4, ?5)";
constexpr const char* address_drop = "DELETE FROM public_address WHERE address = ?1";
constexpr const char* guests_change = "UPDATE run SET guests = ?2 WHERE machine = ?1";
}  // namespace

std::vector<GroupRow> Registry::groups() {
  std::vector<GroupRow> rows;
  Statement row = state_->core->db.use(group_all);
  while (row.step()) {
    if (rows.empty() || rows.back().cloud != row.text(0) || rows.back().name != row.text(1))
      rows.push_back({row.text(0), row.text(1), row.text(2), {}});
    if (row.is_null(3)) continue;
    rows.back().rules.push_back({row.text(3), static_cast<unsigned>(row.integer(4)),
                                 static_cast<unsigned>(row.integer(5)), row.text(6), row.text(7)});
  }
  return rows;
}

std::vector<PublicAddress> Registry::addresses() {
  std::vector<PublicAddress> rows;
  Statement row = state_->core->db.use(address_all);
  while (row.step()) {
    PublicAddress one{Ipv4{static_cast<std::uint32_t>(row.integer(0))}, row.text(1), row.text(2),
                      std::nullopt, row.text(4)};
    if (!row.is_null(3)) one.machine = Uuid{row.text(3)};
    rows.push_back(std::move(one));
  }
  return rows;
}

void Transaction::change_guests(const Uuid& uuid, const std::string& guests) {
  state_->db().run(guests_change, uuid.text, guests);
}

void Transaction::put_group(const GroupRow& row) {
  auto& db = state_->db();
  db.run(group_put, row.cloud, row.name, row.description);
  db.run(rules_drop, row.cloud, row.name);
  for (const GroupRule& rule : row.rules)
    db.run(rule_add, row.cloud, row.name, rule.protocol, rule.low, rule.high, rule.from,
           rule.from_group);
}

void Transaction::remove_group(const std::string& cloud, const std::string& name) {
  state_->db().run(group_drop, cloud, name);
}

void Transaction::count_kept() { store::PoolBook(state_->db()).count_kept(); }

void Transaction::put_address(const PublicAddress& row) {
  state_->db().run(address_put, row.address.value, row.pool, row.cloud,
                   row.machine ? std::optional(row.machine->text) : std::nullopt, row.since);
}

void Transaction::remove_address(Ipv4 address) { state_->db().run(address_drop, address.value); }

}  // namespace nutshell
