// Zeroes, where a guest would otherwise see what the last owner left. A device zeroes itself where
// it can (BLKZEROOUT: the kernel writes zeros where the device cannot), a file by its file system
// (FALLOC_FL_ZERO_RANGE); else zeros are written past the page cache. In pieces, so that somebody
// can watch and stop it. When only the beginning is wiped the last megabyte is, too: the backup GPT
// and the superblocks of md 0.90 and 1.0 live there, and would be found by the guest's installer.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "host/fd.hpp"
#include "host/lvm.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr Bytes piece = 16 * mebi;  // a slow disk writes it in a second
constexpr Bytes written_at_once = mebi;
constexpr Bytes at_the_end = mebi;
constexpr std::size_t page = 4096;

class Zeroes {
 public:
  explicit Zeroes(const std::string& path) : path_(path) {
    // O_EXCL: of a device that is mounted, or that something is built on, nothing is wiped.
    fd_.reset(::open(path.c_str(), O_WRONLY | O_EXCL | O_CLOEXEC));
    if (!fd_) {
      const int error = errno;
      if (error == EBUSY)
        throw Conflict(
            fmt::format("{} is in use (mounted, or something is built on it); end that "
                        "first",
                        printable(path)));
      throw SystemError(error, fmt::format("{}: cannot open it to write zeros", path));
    }
    struct stat facts {};
    if (::fstat(fd_.get(), &facts) != 0)
      throw SystemError(errno, fmt::format("{}: cannot look at it", path));
    block_ = S_ISBLK(facts.st_mode);
    if (!block_ && !S_ISREG(facts.st_mode))
      throw Conflict(fmt::format("{} is neither a block device nor a file", printable(path)));
    size_ = static_cast<Bytes>(facts.st_size);
    std::uint64_t length = 0;
    if (block_ && ::ioctl(fd_.get(), BLKGETSIZE64, &length) != 0)
      throw SystemError(errno, fmt::format("{}: cannot read its size", path));
    if (block_) size_ = length;
  }

  [[nodiscard]] Bytes size() const { return size_; }

  void put(Bytes from, Bytes length) {
    if (length == 0 || (block_ ? by_device(from, length) : by_file(from, length))) return;
    by_hand(from, length);
  }

  void sync() {
    if (::fsync(fd_.get()) != 0)
      throw SystemError(errno, fmt::format("{}: the zeros may not have reached the disk", path_));
  }

 private:
  /// False when the device has no way for it, or its sectors are not met; a true error is met again
  /// when zeros are written.
  bool by_device(Bytes from, Bytes length) {
    std::uint64_t range[2] = {from, length};
    return ::ioctl(fd_.get(), BLKZEROOUT, range) == 0;
  }
  bool by_file(Bytes from, Bytes length) {
    return ::fallocate(fd_.get(), FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                       static_cast<off_t>(from), static_cast<off_t>(length)) == 0;
  }
  void by_hand(Bytes from, Bytes length) {
    if (!zeros_) {
      zeros_.reset(static_cast<char*>(std::aligned_alloc(page, written_at_once)));
      if (!zeros_) throw SystemError(ENOMEM, fmt::format("{}: cannot write zeros", path_));
      std::fill_n(zeros_.get(), written_at_once, '\0');
    }
    // Past the page cache where the range allows it: a whole disk of zeros would push all else out.
    const bool direct = from % page == 0 && length % page == 0 && set_direct(true);
    for (Bytes done = 0; done < length;) {
      const std::size_t part = std::min<Bytes>(length - done, written_at_once);
      const ssize_t put = ::pwrite(fd_.get(), zeros_.get(), part, static_cast<off_t>(from + done));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && errno == EINVAL && direct && set_direct(false)) continue;
      if (put <= 0) {
        throw SystemError(put < 0 ? errno : ENOSPC,
                          fmt::format("{}: cannot write zeros at {}", path_, from + done));
      }
      done += static_cast<Bytes>(put);
    }
    set_direct(false);
  }
  bool set_direct(bool on) {
    const int flags = ::fcntl(fd_.get(), F_GETFL);
    return ::fcntl(fd_.get(), F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
  }

  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  std::string path_;
  Fd fd_;
  bool block_ = false;
  Bytes size_ = 0;
  std::unique_ptr<char, Free> zeros_;
};

}  // namespace

void wipe(const std::string& path, Bytes bytes, const Progress& progress) {
  Zeroes zeroes(path);
  const Bytes size = zeroes.size();
  const bool all = bytes == 0 || bytes >= size;
  const Bytes first = all ? size : bytes;
  const Bytes last = all ? 0 : std::min(at_the_end, size - first);
  for (Bytes done = 0; done < first;) {
    const Bytes part = std::min(piece, first - done);
    zeroes.put(done, part);
    done += part;
    if (progress) progress(done, first + last);
  }
  zeroes.put(size - last, last);
  if (last > 0 && progress) progress(first + last, first + last);
  zeroes.sync();
}

}  // namespace nutshell::host
