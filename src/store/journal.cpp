// The journal: a plan is written with the leases it needs, in their transaction; then each step
// leaves a mark before and after. Whoever finds a plan without its end knows how far it came. The
// marks are not synced to the disk: they outlive a killed process, and after a power cut the host's
// facts decide.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "nutshell/error.hpp"
#include "nutshell/registry.hpp"
#include "nutshell/values.hpp"
#include "store/core.hpp"

namespace nutshell {

using store::Statement;

namespace {
constexpr const char* journal_add =
    "INSERT INTO journal (plan, steps, owner_pid, owner_start, boot_id, since) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
constexpr const char* journal_adopt =
    "UPDATE journal SET owner_pid = ?4, owner_start = ?5, boot_id = ?6 "
    "WHERE id = ?1 AND owner_pid = ?2 AND owner_start = ?3";
constexpr const char* journal_drop = "DELETE FROM journal WHERE id = ?1";
constexpr const char* journal_all =
    "SELECT id, plan, owner_pid, owner_start, boot_id FROM journal ORDER BY id";
constexpr const char* step_set =
    "INSERT OR REPLACE INTO journal_step (journal, step, state) VALUES (?1, ?2, ?3)";
constexpr const char* step_all = "SELECT step, state FROM journal_step WHERE journal = ?1";

void set_step(store::Core& core, std::int64_t id, std::size_t step, Unfinished::State state) {
  core.db.run(step_set, id, static_cast<std::int64_t>(step), static_cast<int>(state));
}

/// Marks and undo of one plan write less than this, as pages of the log.
constexpr off_t log_room = 512 * 1024;

/// Room in the log before anything is begun: so a disk that fills up meanwhile cannot keep a plan
/// from being undone, and what is kept from earlier commands lets a machine be removed from a disk
/// that is full. Blocks are reserved behind the log's end; its size and its bytes stay. (SQLite
/// locks the file and its index, never the log, so that closing a descriptor of it is harmless.)
void reserve_log_room(const std::string& registry, OnFailure on_failure) {
  const int log = ::open((registry + "-wal").c_str(), O_WRONLY | O_CLOEXEC);
  if (log < 0) return;  // in memory
  struct stat status {};
  const bool full = ::fstat(log, &status) == 0 &&
                    ::fallocate(log, FALLOC_FL_KEEP_SIZE, status.st_size, log_room) != 0 &&
                    (errno == ENOSPC || errno == EDQUOT);
  ::close(log);
  if (full && on_failure == OnFailure::undo)
    throw Failed("registry " + printable(registry) +
                 ": the disk is full; make room there and run the command again");
}
}  // namespace

std::int64_t Transaction::journal(const Plan& plan, int owner_pid, std::uint64_t owner_start_time,
                                  const std::string& boot_id) {
  auto& db = state_->db();
  if (!state_->core->in_memory) reserve_log_room(db.path(), plan.on_failure);
  db.run(journal_add, to_json(plan).dump(), static_cast<std::int64_t>(plan.steps.size()), owner_pid,
         static_cast<std::int64_t>(owner_start_time), boot_id, store::utc_now());
  return db.last_insert_id();
}

bool Transaction::adopt(std::int64_t id, int dead_pid, std::uint64_t dead_start_time, int owner_pid,
                        std::uint64_t owner_start_time, const std::string& boot_id) {
  auto& db = state_->db();
  db.run(journal_adopt, id, dead_pid, static_cast<std::int64_t>(dead_start_time), owner_pid,
         static_cast<std::int64_t>(owner_start_time), boot_id);
  return db.changes() == 1;
}

void Registry::begun(std::int64_t id, std::size_t step) {
  set_step(*state_->core, id, step, Unfinished::State::begun);
}
void Registry::done(std::int64_t id, std::size_t step) {
  set_step(*state_->core, id, step, Unfinished::State::done);
}
void Registry::undone(std::int64_t id, std::size_t step) {
  set_step(*state_->core, id, step, Unfinished::State::undone);
}
void Registry::finished(std::int64_t id) { state_->core->db.run(journal_drop, id); }

std::vector<Unfinished> Registry::unfinished() {
  auto& db = state_->core->db;
  std::vector<Unfinished> all;
  Statement row = db.use(journal_all);
  while (row.step()) {
    Unfinished one;
    one.id = row.integer(0);
    try {
      one.plan = plan_from_json(Json::parse(row.text(1)));
    } catch (const Failed& fault) {
      throw Failed("registry " + printable(db.path()) + ": plan " + std::to_string(one.id) +
                   " of the journal cannot be read (" + fault.what() +
                   "); run `nutshell recover` to rebuild it");
    }
    one.owner_pid = static_cast<int>(row.integer(2));
    one.owner_start_time = static_cast<std::uint64_t>(row.integer(3));
    one.boot_id = row.text(4);
    one.steps.assign(one.plan.steps.size(), Unfinished::State::untouched);
    Statement step = db.use(step_all, one.id);
    while (step.step()) {
      auto at = static_cast<std::size_t>(step.integer(0));
      auto state = step.integer(1);
      if (at < one.steps.size() && state >= 1 && state <= 3) {
        one.steps[at] = static_cast<Unfinished::State>(state);
      }
    }
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace nutshell
