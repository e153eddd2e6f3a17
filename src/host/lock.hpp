// Locks on files that belong to the open file description (F_OFD_SETLK, fcntl(2)): they pass
// through fork and exec, die with the last descriptor, and can be looked at without being taken.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "host/fd.hpp"

namespace nutshell::host {

/// The lock of one operation (on a machine, a network, a QMP socket); released when it goes.
class Lock {
 public:
  /// Waits up to `wait` for the lock on `path`, which is made (0600) when it is missing. `what`
  /// names the thing for the error. Throws Conflict naming the holder's pid when the time is up,
  /// SystemError when the file cannot be opened (ENOENT: its folder is gone).
  static Lock exclusive(const std::string& path, std::chrono::milliseconds wait,
                        const std::string& what);
  /// The lock if it is free now, else nullopt. Throws SystemError.
  static std::optional<Lock> try_exclusive(const std::string& path);

  /// From here programs that this process executes have the lock, too: it lasts until the last of
  /// them has ended, also where this process is killed before. Throws SystemError.
  void share_with_programs() const;

  /// The descriptor that holds it.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit Lock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

/// True when somebody holds a lock on `path`. Takes nothing, so any number may ask at once; a
/// missing file is held by nobody. Throws SystemError.
bool is_held(const std::string& path);
/// Makes and locks the liveness file of a machine, to be inherited by its QEMU; the lock lasts
/// until the last process that has the descriptor is gone. Throws Conflict when it is held.
Fd open_locked(const std::string& path);

}  // namespace nutshell::host
