// The allocator of the embedded registry, inside one transaction.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "nutshell/allocator.hpp"
#include "store/free_space.hpp"
#include "store/pool_book.hpp"
#include "store/sqlite.hpp"

namespace nutshell::store {

/// UTC now, ISO 8601 to the second.
std::string utc_now();

/// A row of the lease table.
struct LeaseRow {
  std::int64_t pool = 0;
  Interval values;
  Lease lease;  ///< pool and value are rendered last
  bool named = false, reserved = false, tried = false;
};

/// Throws Exhausted: what the pool has no more of, and how to get some.
[[noreturn]] void exhausted(const Pool& pool, const Want& want);

class LeaseBook : public Allocator {
 public:
  explicit LeaseBook(Connection& db) : db_(db), pools_(db), now_(utc_now()) {}

  Taken take(const Uuid& holder, const std::vector<Want>& wants, const Facts& facts) override;
  std::vector<std::string> candidates(const std::string& pool, unsigned count,
                                      const Facts& facts) override;
  std::optional<std::string> obstacle(const Uuid& holder, const Want& want,
                                      const Facts& facts) override;
  void release(const Uuid& holder, Lifetime lifetime) override;
  void release_value(const std::string& pool, const std::string& value) override;
  void reserve(const std::string& pool, const std::string& value, const std::string& note) override;
  void mark_foreign(const std::string& pool, const std::string& value,
                    const std::string& holder) override;
  std::vector<Lease> leases_of(const Uuid& holder) override;
  std::vector<Lease> leases() override;
  std::optional<Lease> who(const std::string& pool, const std::string& value) override;

  std::vector<Lease> leases_in(const std::string& pool);
  /// Gives back all that the holder has, whatever its lifetime.
  void release_all(const Uuid& holder);
  /// Drops the marks of all pools that name that holder: it is gone.
  void drop_marks(const std::string& holder);
  /// The pool has changed.
  void forget(const std::string& pool) {
    known_.erase(pool);
    of_addresses_.clear();
  }
  /// True when a take() failed: what it took until then must not be kept.
  [[nodiscard]] bool spoilt() const { return spoilt_; }

 private:
  /// For whom a pool is looked at.
  struct Taker {
    bool sees = false;    ///< other pools, too
    std::string cloud;    ///< empty: no cloud's
    bool ranges = false;  ///< takes whole ranges, in which a cloud's machines may be
    Uuid holder;
  };
  /// A pool as this transaction knows it, with what the facts show in it once that was asked for.
  struct Known {
    Pool pool;
    Foreign foreign;
    std::vector<LeaseRow> marked;  ///< foreign marks that still hold
    bool looked = false;
    Taker taker;
  };
  Known& known(const std::string& name);
  void look(Known& known, const Facts& facts, const Uuid& holder, Lifetime lifetime);
  [[nodiscard]] Taker taker_of(const Pool& pool, const Facts& facts, const Uuid& holder,
                               Lifetime lifetime);
  /// Who else has of these values, by the facts or in another pool; nullopt: nobody. O(log n) in
  /// the leases of other pools but those of the taker's own cloud.
  std::optional<Foreign::Holding> other_in(const Known& known, const Interval& values);
  std::optional<Foreign::Holding> elsewhere(const Known& known, const Interval& values);
  /// The highest row in `pool` of these values that is in the way of the taker of `known`.
  std::optional<LeaseRow> row_in_way(const Known& known, const Pool& pool, const Interval& values);
  Lease take_value(Known& known, const Uuid& holder, const Want& want);
  Lease take_next(Known& known, const Uuid& holder, const Want& want,
                  std::vector<Skipped>& skipped);
  Lease take_name(const Pool& pool, const Uuid& holder, const Want& want);
  /// Each finds free values, takes them out of the free space, and marks what it passes over: what
  /// the want asks for, the next single value, so many addresses in one piece, a whole subnet.
  Interval find_any(Known& known, const Want& want, std::vector<Skipped>& skipped);
  Interval find_free(Known& known, const Want& want, std::vector<Skipped>& skipped);
  Interval find_piece(Known& known, const Want& want, std::vector<Skipped>& skipped);
  Interval find_block(Known& known, const Want& want, std::vector<Skipped>& skipped);
  /// Marks all that a stranger has of `room`, which is free; `values` is what might have been
  /// taken.
  Interval pass_over(const Pool& pool, const Interval& room, const Foreign::Holding& other,
                     const Interval& values, std::vector<Skipped>& skipped);
  void drop_stale(Known& known);

  [[nodiscard]] std::optional<LeaseRow> row_at(const Pool& pool, const Interval& values);
  [[nodiscard]] std::optional<LeaseRow> row_named(const Pool& pool, const std::string& name);
  [[nodiscard]] std::optional<LeaseRow> row_of(const Pool& pool, const std::string& value);
  std::vector<LeaseRow> rows(Statement statement);
  std::vector<Lease> rendered(std::vector<LeaseRow> rows);
  void add(const Pool& pool, const Interval& values, const Lease& lease, bool reserved, bool tried);
  void give_back(const LeaseRow& row);
  [[noreturn]] void refuse(const Pool& pool, const std::string& value, const LeaseRow& row);

  Connection& db_;
  PoolBook pools_;
  std::string now_;
  std::map<std::string, Known> known_;
  std::vector<Pool> of_addresses_;  ///< PoolBook::of_addresses(), once they were asked for
  bool spoilt_ = false;
};

}  // namespace nutshell::store
