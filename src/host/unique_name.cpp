// 64 random bits from the kernel: two commands can never meet on one name, and O_EXCL says so if
// they did.
#include "host/unique_name.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <memory>

#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {
constexpr std::string_view prefix = ".nutshell-";

/// A lock of the open file description, as in lock.cpp, which dies with its process.
bool lock_whole(const Fd& file) {
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  return ::fcntl(file.get(), F_OFD_SETLK, &range) == 0;
}

bool has_a_name(const Fd& file) {
  struct stat facts {};
  return ::fstat(file.get(), &facts) == 0 && facts.st_nlink > 0;
}
}  // namespace

std::string unique_name_beside(const std::string& path) {
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) != sizeof random)
    throw SystemError(errno, "cannot get random bytes");
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  return fmt::format("{}{}{:016x}", folder, prefix, random);
}

bool is_unique_name(std::string_view name) {
  return name.size() == prefix.size() + 16 && name.starts_with(prefix) &&
         name.find_first_not_of("0123456789abcdef", prefix.size()) == std::string_view::npos;
}

// Between its making and its lock a file may be swept: whoever makes it looks whether it still has
// its name, and begins again where it has not. Whoever sweeps takes the lock first.
Temporary make_temporary(const std::string& path, mode_t mode) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    Temporary made{unique_name_beside(path), {}};
    made.file.reset(::open(made.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!made.file) throw SystemError(errno, fmt::format("file {}: cannot make it", path));
    if (lock_whole(made.file) && has_a_name(made.file)) return made;
    ::unlink(made.path.c_str());
  }
  throw SystemError(EBUSY, fmt::format("file {}: cannot make it", path));
}

void drop_temporaries(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> list(::opendir(folder.c_str()), ::closedir);
  while (const dirent* entry = list ? ::readdir(list.get()) : nullptr) {
    if (!is_unique_name(entry->d_name)) continue;
    const int within = ::dirfd(list.get());
    const Fd file(::openat(within, entry->d_name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (file && lock_whole(file)) ::unlinkat(within, entry->d_name, 0);
  }
}

}  // namespace nutshell::host
