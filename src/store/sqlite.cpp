// The one file that includes SQLite. It exists so that the rest of the room sees only values and
// exceptions of ours: every result code becomes, here and nowhere else, one sentence that says what
// is wrong with which registry and what to do next. Waiting is ours too: SQLite's own time-out says
// nothing to the user, and it is not consulted when a database changes to write-ahead logging.
#include "store/sqlite.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

#include "nutshell/error.hpp"
#include "nutshell/values.hpp"
#include "store/waiting.hpp"

namespace nutshell::store {

namespace {
// A command opens the file afresh and reads the log through, at two to three microseconds a page.
// So a log is folded into the file when it is longer than this, by the command that made it so, as
// the last thing it does: only the process that checkpoints knows that the log can begin anew.
constexpr int short_log_pages = 400;
constexpr int long_log_pages = 4000;  // while one process writes and writes

int on_commit(void* pages, sqlite3* db, const char* name, int count) {
  *static_cast<int*>(pages) = count;
  if (count > long_log_pages) {
    sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  }
  return SQLITE_OK;
}

// SQLite syncs the directory of a log that it may have made. A log that is there already needs no
// such thing, and the sync would double what a commit costs: so it is opened without the right to
// make it; and to look, without the right to write. All else is SQLite's own.
template <bool may_write>
int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  sqlite3_vfs* own = sqlite3_vfs_find(nullptr);
  if (name && (flags & SQLITE_OPEN_WAL)) {
    int exists = 0;
    own->xAccess(own, name, SQLITE_ACCESS_EXISTS, &exists);
    if (exists) flags &= ~SQLITE_OPEN_CREATE;
    if (!may_write) flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_WAL;
  }
  return own->xOpen(vfs, name, file, flags, out_flags);
}

template <bool may_write>
const char* our_vfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_initialize();
    sqlite3_vfs made = *sqlite3_vfs_find(nullptr);
    made.zName = may_write ? "nutshell" : "nutshell-look";
    made.pNext = nullptr;
    made.xOpen = open_file<may_write>;
    return made;
  }();
  static const int registered = sqlite3_vfs_register(&vfs, 0);
  return registered == SQLITE_OK ? vfs.zName : nullptr;
}
}  // namespace

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_), statement_(other.statement_) {
  other.statement_ = nullptr;
}
Statement::~Statement() {
  if (!statement_) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}
bool Statement::step() {
  int code = sqlite3_step(statement_);
  for (int count = 0; connection_->may_pass(code, count); ++count) {
    sqlite3_reset(statement_);
    code = sqlite3_step(statement_);
  }
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  connection_->fail(code);
}
std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}
std::string Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return text
             ? std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
             : std::string();
}
bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
void Statement::bind(int index, std::int64_t value) {
  if (int code = sqlite3_bind_int64(statement_, index, value)) connection_->fail(code);
}
void Statement::bind(int index, const std::string& value) {
  int code = sqlite3_bind_text(statement_, index, value.data(), static_cast<int>(value.size()),
                               SQLITE_TRANSIENT);
  if (code) connection_->fail(code);
}

void Connection::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }
void Connection::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Connection::Connection(const std::string& path, Access access, Wait wait)
    : path_(path), waiting_(std::make_shared<Waiting>()) {
  waiting_->wait = std::move(wait);
  std::string name = path;
  int flags = SQLITE_OPEN_NOMUTEX;
  if (access != Access::write) {
    name = "file:";
    for (char c : path) {
      if (c == '%' || c == '?' || c == '#') {
        const char* digits = "0123456789abcdef";
        name += {'%', digits[(c >> 4) & 15], digits[c & 15]};
      } else {
        name += c;
      }
    }
    // The log's index, too, is only read; where it is not up to date, SQLite makes one in memory.
    if (access == Access::immutable) name += "?immutable=1";
    if (access == Access::read) name += "?readonly_shm=1";
    flags |= SQLITE_OPEN_URI;
  }
  flags |= access == Access::write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  sqlite3* db = nullptr;
  int code = sqlite3_open_v2(name.c_str(), &db, flags,
                             access == Access::write ? our_vfs<true>() : our_vfs<false>());
  db_.reset(db);
  if (code) fail(code);
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_handler(db, Waiting::on_busy, waiting_.get());
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (access != Access::write) {
    // Who looks reads most pages once: each that is kept costs a page of memory, and its fault. The
    // log's index may have to be waited for, which execute() would not do.
    run("PRAGMA cache_size = 64");
    return;
  }
  int persist = 1;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
  log_pages_ = std::make_unique<int>(0);
  sqlite3_wal_hook(db, on_commit, log_pages_.get());
}

Connection::~Connection() {
  if (!db_ || !log_pages_ || *log_pages_ <= short_log_pages) return;
  statements_.clear();
  sqlite3_busy_handler(db_.get(), nullptr, nullptr);  // whoever is busy will do it
  sqlite3_wal_checkpoint_v2(db_.get(), "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
}

Connection Connection::in_memory(const std::string& path) {
  Connection connection;
  connection.path_ = path;
  sqlite3* db = nullptr;
  int code = sqlite3_open_v2(
      ":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  connection.db_.reset(db);
  if (code) connection.fail(code);
  sqlite3_extended_result_codes(db, 1);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  return connection;
}

Connection Connection::copy() {
  Connection made = in_memory(path_);
  sqlite3_backup* backup = sqlite3_backup_init(made.db_.get(), "main", db_.get(), "main");
  if (!backup) made.fail(sqlite3_extended_errcode(made.db_.get()));
  int code = SQLITE_OK;
  for (int count = 0; (code = sqlite3_backup_step(backup, -1)) != SQLITE_DONE; ++count) {
    bool busy = (code & 0xff) == SQLITE_BUSY || code == SQLITE_LOCKED;
    if (!may_pass(code, count) && (!busy || !waiting_ || !waiting_->once_more(count))) break;
  }
  sqlite3_backup_finish(backup);
  if (code != SQLITE_DONE) fail(code);
  return made;
}

// A look may come when the log's index has to be made anew after a writer that was killed: that is
// for the next writer to do, and until then it cannot be read.
bool Connection::may_pass(int code, int count) {
  const bool passes = code == SQLITE_READONLY_RECOVERY || code == SQLITE_READONLY_CANTLOCK ||
                      code == SQLITE_READONLY_CANTINIT;
  return passes && waiting_ && waiting_->once_more(count);
}

sqlite3_stmt* Connection::prepared(const char* sql) {
  auto& kept = statements_[sql];
  if (!kept) {
    sqlite3_stmt* made = nullptr;
    const auto prepare = [&] {
      return sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr);
    };
    int code = prepare();
    for (int count = 0; may_pass(code, count); ++count) code = prepare();
    if (code) {
      statements_.erase(sql);
      fail(code);
    }
    kept.reset(made);
  } else if (sqlite3_stmt_busy(kept.get())) {
    throw std::logic_error(std::string("statement is in use already: ") + sql);
  }
  return kept.get();
}

void Connection::execute(const char* sql) {
  if (int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr)) fail(code);
}

void Connection::make_wal() {
  for (int count = 0;; ++count) {
    sqlite3_stmt* made = nullptr;
    int code = sqlite3_prepare_v2(db_.get(), "PRAGMA journal_mode = wal", -1, &made, nullptr);
    std::unique_ptr<sqlite3_stmt, Finalize> statement(made);
    if (!code) code = sqlite3_step(made);
    if (code == SQLITE_ROW) {
      std::string mode = reinterpret_cast<const char*>(sqlite3_column_text(made, 0));
      if (mode == "wal") return;
      throw Failed("registry " + printable(path_) +
                   ": its file system cannot hold a write-ahead log; put it on a local disk");
    }
    statement.reset();
    if ((code & 0xff) != SQLITE_BUSY || !waiting_->once_more(count)) fail(code);
  }
}

void Connection::roll_back() noexcept {
  if (!sqlite3_get_autocommit(db_.get())) {
    sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}
std::int64_t Connection::last_insert_id() const { return sqlite3_last_insert_rowid(db_.get()); }
std::int64_t Connection::changes() const { return sqlite3_changes64(db_.get()); }
bool Connection::read_only() const { return sqlite3_db_readonly(db_.get(), "main") == 1; }

bool Connection::damaged() noexcept {
  bool bad = true;
  auto row = [](void* bad_, int, char** values, char**) {
    *static_cast<bool*>(bad_) = !values[0] || std::string(values[0]) != "ok";
    return 0;
  };
  return sqlite3_exec(db_.get(), "PRAGMA quick_check(1)", row, &bad, nullptr) != SQLITE_OK || bad;
}

void Connection::fail(int code) {
  int error = db_ ? sqlite3_system_errno(db_.get()) : 0;
  std::string text = printable(db_ ? sqlite3_errmsg(db_.get()) : sqlite3_errstr(code));
  std::string name = "registry " + printable(path_);
  int group = code & 0xff;
  const std::string full = name + ": the disk is full; make room there and run the command again";
  const std::string closed =
      name + " cannot be written: the file, its directory or the file " +
      "system is read-only to this user; run as its owner, or use --root DIR";
  const std::string broken =
      name + " is damaged (" + text + "); run `nutshell recover` to rebuild it";
  if (group == SQLITE_FULL || error == ENOSPC || error == EDQUOT) throw Failed(full);
  switch (group) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: {
      unsigned limit = waiting_ ? waiting_->wait.limit_ms : 0;
      std::string waited =
          limit % 1000 == 0 ? std::to_string(limit / 1000) + " s" : std::to_string(limit) + " ms";
      throw Conflict(name + " has been locked by another program for " + waited +
                     "; see which by `fuser " + shell_quote(path_) + "` and try again");
    }
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: throw Failed(broken);
    case SQLITE_READONLY:
    case SQLITE_PERM: throw Failed(closed);
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
      if (error == EACCES || error == EROFS || error == EPERM) throw Failed(closed);
      if (code == SQLITE_IOERR_SHORT_READ) throw Failed(broken);
      throw Failed(name + " cannot be read or written (" +
                   (error ? SystemError(error, text).what() : text) +
                   "); see that its directory is there and its disk is well");
    default: break;
  }
  // Nothing that a healthy registry answers: look for damage before blaming ourselves.
  if (db_ && damaged()) throw Failed(broken);
  throw Failed(name + " refused a statement (" + text + "); please report this, with what was run");
}

}  // namespace nutshell::store
