// QEMU appends to its logs for as long as it runs and knows no limit. Truncating would lose the
// end, renaming would lose the writer, so the beginning is made a hole.
#include "host/log_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/fd.hpp"

namespace nutshell::host {
namespace {
// Trimmed in steps, so that a log at its limit is not touched by every command.
constexpr Bytes slack = mebi;
}  // namespace

void trim_log(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return;
  const auto kept = static_cast<Bytes>(status.st_blocks) * 512;
  if (kept <= longest_log + slack || static_cast<Bytes>(status.st_size) <= longest_log) return;
  const Fd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return;
  const auto gone = static_cast<off_t>(static_cast<Bytes>(status.st_size) - longest_log);
  if (fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, gone) != 0) return;
}

long start_of_log(int fd) {
  const off_t start = lseek(fd, 0, SEEK_DATA);
  lseek(fd, 0, SEEK_SET);
  return start > 0 ? start : 0;
}

}  // namespace nutshell::host
