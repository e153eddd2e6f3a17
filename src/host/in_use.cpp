// Each kind of holder leaves its own trace, and each is looked for where the kernel shows it; the
// cheap ones first. A device is the same device under every name, so everything is compared by
// number (device and inode), never by path.
#include "host/in_use.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <sstream>
#include <thread>
#include <vector>

#include "host/fd.hpp"
#include "host/files.hpp"
#include "host/holder.hpp"
#include "nutshell/error.hpp"
#include "nutshell/values.hpp"

namespace nutshell::host {
namespace {

/// The identity of a disk, whatever it is called.
struct Disk {
  bool block = false;
  dev_t device = 0;  ///< of a block device its own number, of a file that of its file system
  ino_t inode = 0;   ///< of a file
  bool operator==(const Disk&) const = default;
};

std::optional<Disk> disk_at(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return std::nullopt;
  if (S_ISBLK(facts.st_mode)) return Disk{true, facts.st_rdev, 0};
  if (S_ISREG(facts.st_mode)) return Disk{false, facts.st_dev, facts.st_ino};
  return std::nullopt;
}

/// The first line of a file of the kernel; empty when it cannot be read.
std::string line_of(const std::string& path) {
  try {
    std::string text = read_file(path).value_or("");
    text.resize(std::min(text.find('\n'), text.size()));
    return text;
  } catch (const Error&) {
    return {};
  }
}

/// Everything of a file of the kernel; empty when it cannot be read.
std::string text_of(const std::string& path) {
  try {
    return read_file(path, 64 * mebi).value_or("");
  } catch (const Error&) {
    return {};
  }
}

std::string words_of_holder(const Disk& disk, OpenFor open_for, const std::string& otherwise) {
  const auto pid = find_file_holder(disk.device, disk.inode, open_for);
  return pid ? process_words(*pid) : otherwise;
}

/// QEMU locks single bytes of an image (block/file-posix.c): 100+N while it uses permission N,
/// 200+N while it lets nobody else use it. Permission 0 is consistent reading, 1 is writing.
std::optional<std::string> held_by_qemu(const Fd& image, const Disk& disk, bool read_only) {
  constexpr off_t used = 100, refused = 200;
  enum : off_t { read = 0, write = 1 };
  std::vector<off_t> bytes{refused + read, used + write};
  if (!read_only) bytes.push_back(refused + write);
  for (const off_t byte : bytes) {
    struct flock range {};
    range.l_type = F_WRLCK;  // would conflict with their read locks; it is asked, not taken
    range.l_whence = SEEK_SET;
    range.l_start = byte;
    range.l_len = 1;
    if (::fcntl(image.get(), F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK)
      return words_of_holder(disk, OpenFor::anything, "another QEMU, by its lock on the image");
  }
  return std::nullopt;
}

std::optional<std::string> mounted(const Disk& disk) {
  if (!disk.block) return std::nullopt;
  for (const char* table : {"/proc/self/mountinfo", "/proc/1/mountinfo"}) {
    if (auto where = find_mount(text_of(table), major(disk.device), minor(disk.device)))
      return "mounted on " + printable(*where);
  }
  return std::nullopt;
}

std::optional<std::string> swapped_on(const Disk& disk) {
  for (const std::string& path : swap_paths(text_of("/proc/swaps")))
    if (disk_at(path) == disk) return "in use as swap space";
  return std::nullopt;
}

std::optional<std::string> behind_a_loop(const Disk& disk) {
  for (const std::string& name : names_in("/sys/block")) {
    if (!name.starts_with("loop")) continue;
    const std::string path = line_of(fmt::format("/sys/block/{}/loop/backing_file", name));
    if (path.empty()) continue;
    bool same = disk_at(path) == disk;
    if (!same) {  // the path may be another one in our namespace, or deleted: ask the device
      loop_info64 info{};
      const Fd loop(::open(fmt::format("/dev/{}", name).c_str(), O_RDONLY | O_CLOEXEC));
      same = loop && !disk.block && ::ioctl(loop.get(), LOOP_GET_STATUS64, &info) == 0 &&
             info.lo_device == disk.device && info.lo_inode == disk.inode;
    }
    if (same) return fmt::format("the loop device /dev/{}", name);
  }
  return std::nullopt;
}

/// What the kernel has built on a device (device-mapper, RAID), and on its partitions.
std::optional<std::string> built_upon(const Disk& disk) {
  if (!disk.block) return std::nullopt;
  const std::string sys =
      fmt::format("/sys/dev/block/{}:{}", major(disk.device), minor(disk.device));
  for (const std::string& name : names_in(sys + "/holders")) {
    const std::string mapped = line_of(fmt::format("/sys/block/{}/dm/name", name));
    return mapped.empty() ? fmt::format("the device {}, which is built on it", name)
                          : fmt::format("the device-mapper device {}", printable(mapped));
  }
  for (const std::string& name : names_in(sys)) {
    unsigned high = 0, low = 0;
    if (line_of(fmt::format("{}/{}/partition", sys, name)).empty()) continue;
    if (std::sscanf(line_of(fmt::format("{}/{}/dev", sys, name)).c_str(), "%u:%u", &high, &low) !=
        2)
      continue;
    const Disk partition{true, makedev(high, low), 0};
    for (auto look : {mounted, swapped_on, built_upon})
      if (auto holder = look(partition))
        return fmt::format("its partition {} is {}{}", name,
                           holder->starts_with("the ") ? "in use by " : "", *holder);
  }
  return std::nullopt;
}

/// A claim of the kernel's that none of the others has shown: a mount in another namespace, a RAID
/// being assembled. Two that ask at one moment see each other, so it is asked more than once.
std::optional<std::string> claimed(const std::string& path) {
  constexpr int times = 5;
  for (int i = 0; i < times; ++i) {
    const Fd claim(::open(path.c_str(), O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC));
    if (claim || errno != EBUSY) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
  return "the kernel (mounted in another namespace, or part of a RAID or volume group)";
}

/// The kernel writes space, tab, newline and backslash of a path as \NNN.
std::string unescape_octal(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 |
                                 (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

}  // namespace

std::optional<std::string> find_mount(const std::string& mountinfo, unsigned major,
                                      unsigned minor) {
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    // ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [FIELDS] - TYPE SOURCE SUPEROPTIONS (proc(5))
    std::istringstream words(line);
    std::string id, parent, number, root, point, word, type, source;
    if (!(words >> id >> parent >> number >> root >> point)) continue;
    while (words >> word && word != "-") {}
    words >> type >> source;
    bool same = number == fmt::format("{}:{}", major, minor);
    if (!same && number.starts_with("0:") && source.starts_with("/dev/")) {
      const auto disk = disk_at(source);  // btrfs shows a number of its own
      same = disk && disk->block && disk->device == makedev(major, minor);
    }
    if (same) return unescape_octal(point);
  }
  return std::nullopt;
}

std::vector<std::string> swap_paths(const std::string& swaps) {
  std::vector<std::string> paths;
  std::istringstream lines(swaps);
  std::string line;
  std::getline(lines, line);  // the heading
  while (std::getline(lines, line))
    if (!line.empty() && line[0] == '/')
      paths.push_back(unescape_octal(line.substr(0, line.find_first_of(" \t"))));
  return paths;
}

std::optional<std::string> disk_holder(const std::string& path, bool read_only, Search search) {
  const auto disk = disk_at(path);
  if (!disk) return std::nullopt;
  const Fd image(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!image) {
    const int error = errno;
    if (error == ENOENT) return std::nullopt;
    throw SystemError(error, fmt::format("disk {}: cannot open", path));
  }
  if (auto holder = held_by_qemu(image, *disk, read_only)) return holder;
  if (read_only) return std::nullopt;
  for (auto look : {mounted, swapped_on, behind_a_loop, built_upon})
    if (auto holder = look(*disk)) return holder;
  if (disk->block)
    if (auto holder = claimed(path)) return holder;
  if (search == Search::quick) return std::nullopt;
  const auto pid = find_file_holder(disk->device, disk->inode, OpenFor::writing);
  if (!pid) return std::nullopt;
  return process_words(*pid) + ", which has it open for writing";
}

}  // namespace nutshell::host
