// A thin wrapper of SQLite: a connection that waits for locks as we want it to, and statements that
// are prepared once and reset by scope. No SQLite header is seen outside sqlite.cpp.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

struct sqlite3;
struct sqlite3_stmt;

namespace nutshell::store {

class Connection;

/// One use of a prepared statement: bound, stepped, and reset at the end of the scope.
class Statement {
 public:
  Statement(Connection& connection, sqlite3_stmt* statement)
      : connection_(&connection), statement_(statement) {}
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  /// True when there is a row. Throws as Connection::fail does.
  bool step();
  /// Columns of the current row, counted from 0.
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] bool is_null(int column) const;

  void bind(int index, std::int64_t value);
  void bind(int index, int value) { bind(index, std::int64_t{value}); }
  void bind(int index, unsigned value) { bind(index, std::int64_t{value}); }
  void bind(int index, const std::string& value);
  void bind(int index, const char* value) { bind(index, std::string(value)); }
  /// Without a value: NULL.
  template <class T>
  void bind(int index, const std::optional<T>& value) {
    if (value) bind(index, *value);
  }

 private:
  Connection* connection_;
  sqlite3_stmt* statement_;
};

/// How a lock is waited for.
struct Wait {
  unsigned limit_ms = 30'000;
  unsigned notice_ms = 2'000;
  std::function<void(const std::string&)> notice;  ///< called once per wait; may be empty
};

class Connection {
 public:
  enum class Access {
    write,           ///< the file exists; its log outlives us, and is folded into it when long
    read,            ///< nothing is written at all; the log has its index, the -shm file
    read_and_index,  ///< the same where that index is missing: it is made
    immutable,       ///< no lock at all: for a file that has no log
  };
  /// Opens an existing file. Throws as fail() does.
  Connection(const std::string& path, Access access, Wait wait);
  /// An empty database in memory; `path` is what errors call it.
  static Connection in_memory(const std::string& path);
  Connection(Connection&&) noexcept = default;
  Connection& operator=(Connection&&) noexcept = default;
  /// Folds a long log into the file.
  ~Connection();

  /// What this connection sees, copied into memory.
  [[nodiscard]] Connection copy();

  /// The statement with its parameters bound, ready to step. `sql` must be a constant: statements
  /// are kept by its address.
  template <class... Values>
  Statement use(const char* sql, const Values&... values) {
    Statement statement(*this, prepared(sql));
    int index = 0;
    (statement.bind(++index, values), ...);
    return statement;
  }
  /// Runs a statement that gives no row.
  template <class... Values>
  void run(const char* sql, const Values&... values) {
    Statement statement = use(sql, values...);
    while (statement.step()) {}
  }
  /// Runs one or more statements without parameters and without rows.
  void execute(const char* sql);
  /// Changes the file to write-ahead logging; waits where others are opening it too.
  void make_wal();
  /// Undoes the open transaction; never throws.
  void roll_back() noexcept;
  [[nodiscard]] std::int64_t last_insert_id() const;
  /// How many rows the last statement changed.
  [[nodiscard]] std::int64_t changes() const;
  [[nodiscard]] bool read_only() const;
  [[nodiscard]] const std::string& path() const { return path_; }

  /// True, after a pause, when that result code may be another one the next time: a reader that
  /// must not write found the log's index half made.
  bool may_pass(int code, int count);
  /// Throws the sentence for an SQLite result code: Conflict when locked, else Failed.
  [[noreturn]] void fail(int code);

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  struct Waiting;
  Connection() = default;
  sqlite3_stmt* prepared(const char* sql);
  [[nodiscard]] bool damaged() noexcept;

  std::string path_;
  std::shared_ptr<Waiting> waiting_;
  std::unique_ptr<int> log_pages_;  ///< of the write-ahead log, as of the last commit
  std::unique_ptr<sqlite3, Close> db_;
  std::map<const char*, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;
};

}  // namespace nutshell::store
