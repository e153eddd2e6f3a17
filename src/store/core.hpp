// What a Registry and its Transactions share.
#pragma once
#include <memory>
#include <string>

#include "nutshell/registry.hpp"
#include "store/lease_book.hpp"
#include "store/sqlite.hpp"

namespace nutshell {

namespace store {
struct Core {
  Registry::Options options;
  Connection db;
  bool in_memory = false;  ///< what is seen is a copy, or was never there; nothing is kept
  bool open = false;       ///< a transaction is on
};

/// Opens the registry as Registry::open does.
std::shared_ptr<Core> open_core(const Registry::Options& options);

/// The statements that read a run's columns end with these, in this order.
inline constexpr int run_columns = 9;
/// The run in columns `first`..; nullopt where they are NULL.
std::optional<RunRecord> read_run(const Statement& row, int first);
void write_run(Connection& db, const Uuid& machine, const RunRecord& run);
}  // namespace store

struct Registry::State {
  std::shared_ptr<store::Core> core;
};

struct Transaction::State {
  std::shared_ptr<store::Core> core;
  std::unique_ptr<store::LeaseBook> book;
  ~State();
  void close() noexcept;
  [[nodiscard]] store::Connection& db() const { return core->db; }
};

}  // namespace nutshell
