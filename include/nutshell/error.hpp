// The one tree of errors. A function throws when it could not do its job; `main` turns the error
// into one sentence and an exit code. "There is none" is a std::optional, never an error.
#pragma once
#include <stdexcept>
#include <string>
#include <vector>

namespace nutshell {

/// What the process exits with; the numbers are part of the interface (nutshell(1), EXIT STATUS).
enum class Exit {
  done = 0,
  failed = 1,
  usage = 2,
  bad_spec = 3,
  conflict = 4,
  left_behind = 5,
  not_found = 6,
  wait_not_met = 7,
  interrupted = 130,
};

/// The root: `what()` is one sentence that says what, where and what next; `exit()` is the
/// process's exit code.
class Error : public std::runtime_error {
 public:
  Error(Exit exit, const std::string& sentence) : std::runtime_error(sentence), exit_(exit) {}
  [[nodiscard]] Exit exit() const { return exit_; }

 private:
  Exit exit_;
};

/// The command line is wrong (unknown option or command, missing argument). Exit 2.
class UsageError : public Error {
 public:
  explicit UsageError(const std::string& sentence) : Error(Exit::usage, sentence) {}
};

/// One mistake in a spec or a config file. `where` is "FILE:LINE" or an option such as "--disk".
struct Problem {
  std::string where;
  std::string what;
  bool operator==(const Problem&) const = default;
};
using Problems = std::vector<Problem>;

/// A spec or a config file is wrong; carries every mistake that was found. Exit 3.
class ConfigError : public Error {
 public:
  explicit ConfigError(Problems problems);
  ConfigError(const std::string& where, const std::string& what)
      : ConfigError(Problems{{where, what}}) {}
  [[nodiscard]] const Problems& problems() const { return problems_; }

 private:
  Problems problems_;
};

/// A pool has nothing left to give. Exit 4.
class Exhausted : public Error {
 public:
  explicit Exhausted(const std::string& sentence) : Error(Exit::conflict, sentence) {}
};

/// A thing is taken, in use, or in the wrong state. Exit 4.
class Conflict : public Error {
 public:
  explicit Conflict(const std::string& sentence) : Error(Exit::conflict, sentence) {}
};

/// There is no such machine, pool, lease or file. Exit 6.
class NotFound : public Error {
 public:
  explicit NotFound(const std::string& sentence) : Error(Exit::not_found, sentence) {}
};

/// A wait was not met in time; the machine runs on. Exit 7.
class WaitNotMet : public Error {
 public:
  explicit WaitNotMet(const std::string& sentence) : Error(Exit::wait_not_met, sentence) {}
};

/// Ctrl-C or SIGTERM was seen between two steps. Exit 130.
class Interrupted : public Error {
 public:
  Interrupted() : Error(Exit::interrupted, "interrupted; what had been begun is undone") {}
  explicit Interrupted(const std::string& sentence) : Error(Exit::interrupted, sentence) {}
};

/// The job could not be done for a reason that is none of the above. Exit 1.
class Failed : public Error {
 public:
  explicit Failed(const std::string& sentence) : Error(Exit::failed, sentence) {}
};

/// A system call failed. `doing` names the thing and the operation ("disk /x: cannot open"); the
/// errno is captured by the caller before it formats anything, and its text is appended. Exit 1.
class SystemError : public Error {
 public:
  SystemError(int error_number, const std::string& doing);
  [[nodiscard]] int code() const { return code_; }

 private:
  int code_;
};

/// A program that we ran failed: its command, how it ended, and the tail of its stderr. Exit 1.
class CommandFailed : public Error {
 public:
  CommandFailed(std::vector<std::string> argv, const std::string& ended,
                const std::string& stderr_tail);
  [[nodiscard]] const std::vector<std::string>& argv() const { return argv_; }

 private:
  std::vector<std::string> argv_;
};

}  // namespace nutshell
