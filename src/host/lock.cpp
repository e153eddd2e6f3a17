// A flock that is tested by taking it lies to two testers at once; F_OFD_GETLK takes nothing. The
// holder of an operation lock writes its pid into the file, because the kernel names no process
// for such a lock. A lock won on a file that was unlinked meanwhile guards nothing, so that case
// opens the path again.
#include "host/lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

struct flock whole_file() {
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  return range;
}

Fd open_lock_file(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) throw SystemError(errno, fmt::format("lock {}: cannot open", path));
  return fd;
}

bool take(const Fd& fd, const std::string& path) {
  struct flock range = whole_file();
  if (::fcntl(fd.get(), F_OFD_SETLK, &range) == 0) return true;
  const int error = errno;
  if (error == EAGAIN || error == EACCES) return false;
  throw SystemError(error, fmt::format("lock {}: cannot lock", path));
}

bool still_there(const Fd& fd, const std::string& path) {
  struct stat mine {
  }, named{};
  return ::fstat(fd.get(), &mine) == 0 && ::stat(path.c_str(), &named) == 0 &&
         mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
}

void sign(const Fd& fd) {
  const std::string pid = fmt::format("{}\n", ::getpid());
  // Only for the sentence of somebody else's error: a full disk must not stop the command here.
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) return;
}

std::string holder(const Fd& fd) {
  char text[32] = {};
  if (::pread(fd.get(), text, sizeof text - 1, 0) <= 0) return "another process";
  const long pid = std::strtol(text, nullptr, 10);
  if (pid <= 0 || ::access(fmt::format("/proc/{}", pid).c_str(), F_OK) != 0)
    return "another process";
  return fmt::format("process {}", pid);
}

}  // namespace

std::optional<Lock> Lock::try_exclusive(const std::string& path) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    Fd fd = open_lock_file(path);
    if (!take(fd, path)) return std::nullopt;
    if (!still_there(fd, path)) continue;
    sign(fd);
    return Lock(std::move(fd));
  }
  return std::nullopt;  // the file is unlinked as fast as it is made: somebody is at work on it
}

Lock Lock::exclusive(const std::string& path, std::chrono::milliseconds wait,
                     const std::string& what) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + wait;
  for (auto pause = std::chrono::microseconds(500);;) {
    if (auto lock = try_exclusive(path)) return std::move(*lock);
    const auto now = Clock::now();
    if (now >= end) break;
    std::this_thread::sleep_for(std::min<Clock::duration>(pause, end - now));
    pause = std::min(pause * 2, std::chrono::microseconds(20'000));
  }
  throw Conflict(
      fmt::format("{}: another command is at work on it ({} holds {}); try again when it has ended",
                  what, holder(open_lock_file(path)), path));
}

void Lock::share_with_programs() const {
  if (::fcntl(fd_.get(), F_SETFD, 0) != 0)
    throw SystemError(errno, "a lock cannot be shared with programs");
}

bool is_held(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) return false;
    throw SystemError(error, fmt::format("lock {}: cannot open", path));
  }
  struct flock range = whole_file();
  if (::fcntl(fd.get(), F_OFD_GETLK, &range) != 0) {
    const int error = errno;
    throw SystemError(error, fmt::format("lock {}: cannot look at it", path));
  }
  return range.l_type != F_UNLCK;
}

Fd open_locked(const std::string& path) {
  Fd fd = open_lock_file(path);
  if (!take(fd, path))
    throw Conflict(fmt::format("lock {}: held by a process that runs already", path));
  return fd;
}

}  // namespace nutshell::host
