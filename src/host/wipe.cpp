// Zeroes, where a guest would otherwise see what the last owner left. A device zeroes itself where
// it can (BLKZEROOUT: the kernel writes zeros where the device cannot), a file by its file system
// (FALLOC_FL_ZERO_RANGE); else zeros are written past the page cache. In pieces, so that somebody
// can watch and stop it. When only the beginning is wiped the last megabyte is, too: the backup GPT
// and the superblocks of md 0.90 and 1.0 live there, and would be found by the guest's installer.
// What takes no room yet (holes of a file, blocks that a thin pool has not given) is zero and takes
// none afterwards: a pool that is filled by zeros stops all its guests.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>

#include "host/disk_fd.hpp"
#include "host/fd.hpp"
#include "host/files.hpp"
#include "host/lvm.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr Bytes piece = 16 * mebi;  // a slow disk writes it in a second
constexpr Bytes written_at_once = mebi;
constexpr Bytes at_the_end = mebi;
constexpr std::size_t page = 4096;
constexpr std::size_t thin_block = 64 * kibi;  // what a thin pool gives is a multiple of it

/// A thin volume stands on its pool's device, which lvm names VG-POOL-tpool.
bool is_thin(dev_t device) {
  const std::string below =
      fmt::format("/sys/dev/block/{}:{}/slaves", major(device), minor(device));
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(below, none)) {
    std::string name = read_file((entry.path() / "dm/name").string()).value_or("");
    name.resize(std::min(name.find('\n'), name.size()));
    if (name.ends_with("-tpool")) return true;
  }
  return false;
}

class Zeroes {
 public:
  // O_EXCL: of a device that is mounted, or that something is built on, nothing is wiped.
  explicit Zeroes(const std::string& path) : path_(path), fd_(open_disk(path, O_RDWR | O_EXCL)) {
    struct stat facts {};
    if (::fstat(fd_.get(), &facts) != 0)
      throw SystemError(errno, fmt::format("{}: cannot look at it", path));
    block_ = S_ISBLK(facts.st_mode);
    size_ = static_cast<Bytes>(facts.st_size);
    std::uint64_t length = 0;
    if (block_ && ::ioctl(fd_.get(), BLKGETSIZE64, &length) != 0)
      throw SystemError(errno, fmt::format("{}: cannot read its size", path));
    if (block_) size_ = length;
    thin_ = block_ && is_thin(facts.st_rdev);
  }

  [[nodiscard]] Bytes size() const { return size_; }

  void put(Bytes from, Bytes length) {
    if (thin_)
      where_not_zero(from, length);
    else if (block_)
      write(from, length);
    else
      where_data(from, length);
  }

  void sync() {
    if (::fsync(fd_.get()) != 0)
      throw SystemError(errno, fmt::format("{}: the zeros may not have reached the disk", path_));
  }

 private:
  void write(Bytes from, Bytes length) {
    if (length == 0 || (block_ ? by_device(from, length) : by_file(from, length))) return;
    by_hand(from, length);
  }
  /// A file's holes stay holes: they are zero already.
  void where_data(Bytes from, Bytes length) {
    for (const Bytes end = from + length; from < end;) {
      const off_t data = ::lseek(fd_.get(), static_cast<off_t>(from), SEEK_DATA);
      if (data < 0 && errno == ENXIO) return;
      const Bytes start = data < 0 ? from : static_cast<Bytes>(data);
      if (start >= end) return;
      const off_t hole = data < 0 ? -1 : ::lseek(fd_.get(), data, SEEK_HOLE);
      const Bytes until = hole < 0 ? end : std::min(end, static_cast<Bytes>(hole));
      write(start, until - start);
      from = until;
    }
  }
  /// Blocks that no room was taken for read as zero, and none is taken.
  void where_not_zero(Bytes from, Bytes length) {
    if (!read_) read_ = memory();
    const bool direct = from % page == 0 && length % page == 0 && set_direct(true);
    for (Bytes done = 0; done < length;) {
      const std::size_t part = std::min<Bytes>(length - done, written_at_once);
      const ssize_t got = ::pread(fd_.get(), read_.get(), part, static_cast<off_t>(from + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EINVAL && direct && set_direct(false)) continue;
      // What cannot be read is overwritten.
      const std::size_t seen = got <= 0 ? part : static_cast<std::size_t>(got);
      for (std::size_t at = 0; at < seen;) {
        const std::size_t start = at;
        const auto is_zero = [&](std::size_t block) {
          const std::string_view text(read_.get() + block, std::min(thin_block, seen - block));
          return got > 0 && text.find_first_not_of('\0') == std::string_view::npos;
        };
        while (at < seen && !is_zero(at)) at += std::min(thin_block, seen - at);
        if (at > start) write(from + done + start, at - start);
        while (at < seen && is_zero(at)) at += std::min(thin_block, seen - at);
      }
      done += seen;
    }
    set_direct(false);
  }
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
      zeros_ = memory();
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
  using Memory = std::unique_ptr<char, Free>;
  [[nodiscard]] Memory memory() const {
    Memory part(static_cast<char*>(std::aligned_alloc(page, written_at_once)));
    if (!part) throw SystemError(ENOMEM, fmt::format("{}: cannot write zeros", path_));
    return part;
  }

  std::string path_;
  Fd fd_;
  bool block_ = false, thin_ = false;
  Bytes size_ = 0;
  Memory zeros_, read_;
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
