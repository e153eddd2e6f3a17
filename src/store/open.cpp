// Opening must cost next to nothing, as every command does it: one read of the file's header, no
// schema work, and seldom a checkpoint at the end (the log stays for the next command). Looking
// must cost the host nothing at all: the file is opened without the right to write, and the moment
// something is to be tried out (a dry run takes leases like any other), it is tried on a copy in
// memory.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "nutshell/error.hpp"
#include "store/core.hpp"
#include "store/migrations.hpp"

namespace nutshell::store {

namespace {
bool exists(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return true;
  int error = errno;
  if (error == ENOENT || error == ENOTDIR) return false;
  throw Failed("registry " + printable(path) + " cannot be looked at (" + std::strerror(error) +
               "); run as its owner, or use --root DIR");
}

off_t size_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_size : 0;
}

/// Makes an empty file that only its owner reads; another process may be faster.
void make_file(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  int error = errno;
  if (fd >= 0) {
    ::close(fd);
    return;
  }
  std::string name = "registry " + printable(path);
  switch (error) {
    case EEXIST: return;
    case ENOSPC:
    case EDQUOT:
      throw Failed(name + ": the disk is full; make room there and run the command again");
    case EACCES:
    case EPERM:
    case EROFS:
      throw Failed(name + " cannot be written: its directory or file system is read-only to this " +
                   "user; run as its owner, or use --root DIR");
    default: throw SystemError(error, name + ": cannot be made");
  }
}

/// A database that lost its head while its log is still there is damaged, not new.
void refuse_beheaded(const std::string& path) {
  if (size_of(path) == 0 && size_of(path + "-wal") > 0) {
    throw Failed(
        "registry " + printable(path) +
        " is damaged (it is empty, but its log is not); run `nutshell recover` to rebuild it");
  }
}

Connection open_to_look(const Registry::Options& options, const Wait& wait, bool& in_memory) {
  in_memory = !exists(options.path);
  if (in_memory) return Connection::in_memory(options.path);
  refuse_beheaded(options.path);
  using Access = Connection::Access;
  Access access = Access::immutable;  // without a log, opening would make one
  if (exists(options.path + "-wal"))
    access = exists(options.path + "-shm") ? Access::read : Access::read_and_index;
  return Connection(options.path, access, wait);
}
}  // namespace

std::shared_ptr<Core> open_core(const Registry::Options& options) {
  Wait wait{options.wait_limit_ms, options.wait_notice_ms, options.waiting};
  if (options.mode == Registry::Mode::look) {
    bool in_memory = false;
    Connection db = open_to_look(options, wait, in_memory);
    if (needs_migration(db)) {
      if (!in_memory) db = db.copy();
      in_memory = true;
      migrate(db, options.random);
    }
    return std::make_shared<Core>(Core{options, std::move(db), in_memory});
  }
  if (!exists(options.path)) make_file(options.path);
  refuse_beheaded(options.path);
  Connection db(options.path, Connection::Access::write, wait);
  if (needs_migration(db)) {
    db.make_wal();
    migrate(db, options.random);
  }
  if (db.read_only()) {
    throw Failed("registry " + printable(options.path) +
                 " cannot be written: the file or its file system is read-only to this user; run " +
                 "as its owner, or use --root DIR");
  }
  db.execute("PRAGMA synchronous = NORMAL");
  return std::make_shared<Core>(Core{options, std::move(db)});
}

}  // namespace nutshell::store
