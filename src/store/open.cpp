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
#include <fstream>
#include <iterator>
#include <optional>

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

/// What the file holds, if it is exactly so long.
std::optional<std::string> bytes_of(const std::string& path, off_t length) {
  if (size_of(path) != length) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  if (!file || static_cast<off_t>(bytes.size()) != length) return std::nullopt;
  return bytes;
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

constexpr off_t log_header = 32;  // bytes: https://www.sqlite.org/fileformat2.html, section 4.1
constexpr int most_copies = 5;    // each fails only because somebody wrote at that moment

/// A writer that was killed between its log's header and the first frame leaves a log that is a
/// header alone: there is nothing in it, but SQLite 3.40 looks for it for ten seconds and gives up,
/// unless it may write. So the file alone is copied, which is all there is as long as the log is
/// still the same afterwards.
std::optional<Connection> copy_beside_empty_log(const std::string& path, const Wait& wait) {
  const std::string log = path + "-wal";
  for (int i = 0; i < most_copies; ++i) {
    const auto before = bytes_of(log, log_header);
    if (!before) return std::nullopt;
    Connection made = Connection(path, Connection::Access::immutable, wait).copy();
    if (bytes_of(log, log_header) == before) return made;
  }
  return std::nullopt;
}

Connection open_to_look(const Registry::Options& options, const Wait& wait, bool& in_memory) {
  in_memory = !exists(options.path);
  if (in_memory) return Connection::in_memory(options.path);
  refuse_beheaded(options.path);
  if (auto made = copy_beside_empty_log(options.path, wait)) {
    in_memory = true;
    return std::move(*made);
  }
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
