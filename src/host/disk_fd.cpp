// A volume's path is only a name: a link, or a second name of somebody's file, would have that file
// overwritten. So the name is resolved once (O_PATH, which has no effect on what it finds), what it
// led to is looked at, and that same thing is opened through /proc/self/fd.
#include "host/disk_fd.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "nutshell/error.hpp"
#include "nutshell/values.hpp"

namespace nutshell::host {
namespace {

/// Links are how /dev names its devices. /dev/shm is no part of that: anybody may write there.
bool among_devices(const std::string& path) {
  return path.starts_with("/dev/") && !path.starts_with("/dev/shm/") &&
         path.find("/../") == std::string::npos;
}

std::string fault_of(const struct stat& facts, bool device) {
  if (S_ISBLK(facts.st_mode)) return {};
  if (device) return "is no block device";
  if (S_ISLNK(facts.st_mode))
    return "is a link, and what it leads to is left alone; name that file itself";
  if (!S_ISREG(facts.st_mode)) return "is neither a block device nor a file";
  if (facts.st_nlink > 1)
    return fmt::format(
        "is one of {} names of the same file, which is left alone; copy it, or remove the other "
        "names (`find -samefile` shows them)",
        facts.st_nlink);
  return {};
}

}  // namespace

Fd open_disk(const std::string& path, int how) {
  const bool device = among_devices(path);
  const Fd found(::open(path.c_str(), O_PATH | O_CLOEXEC | (device ? 0 : O_NOFOLLOW)));
  struct stat facts {};
  if (!found || ::fstat(found.get(), &facts) != 0)
    throw SystemError(errno, fmt::format("{}: cannot open", path));
  if (const std::string fault = fault_of(facts, device); !fault.empty())
    throw Conflict(fmt::format("{} {}", printable(path), fault));
  const std::string same = fmt::format("/proc/self/fd/{}", found.get());
  Fd disk(::open(same.c_str(), how | O_CLOEXEC));
  if (disk) return disk;
  const int error = errno;
  if (error == EBUSY)
    throw Conflict(fmt::format(
        "{} is in use (mounted, or something is built on it); end that first", printable(path)));
  throw SystemError(error, fmt::format("{}: cannot open", path));
}

}  // namespace nutshell::host
