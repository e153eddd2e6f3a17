// Walks /proc/PID/fd, asking the kernel what each descriptor is (stat through the link), not what
// its path was called: names change, are deleted, and mean other things in other namespaces.
#include "host/holder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "host/files.hpp"
#include "host/observe.hpp"
#include "host/proc.hpp"
#include "nutshell/error.hpp"
#include "nutshell/values.hpp"

namespace nutshell::host {
namespace {

/// Calls `check(folder descriptor, name)` for each descriptor of each other process until it says
/// yes.
template <typename Check>
std::optional<int> first_process(Check check) {
  const int self = ::getpid();
  for (const int pid : pids()) {
    if (pid == self) continue;
    const std::unique_ptr<DIR, int (*)(DIR*)> list(
        ::opendir(fmt::format("/proc/{}/fd", pid).c_str()), ::closedir);
    if (!list) continue;
    while (const dirent* entry = ::readdir(list.get()))
      if (entry->d_name[0] != '.' && check(::dirfd(list.get()), pid, entry->d_name)) return pid;
  }
  return std::nullopt;
}

bool is_open_for_writing(int pid, const char* fd) {
  try {
    const std::string info = read_file(fmt::format("/proc/{}/fdinfo/{}", pid, fd)).value_or("");
    const std::size_t at = info.find("flags:");
    if (at == std::string::npos) return false;
    const long flags = std::strtol(info.c_str() + at + 6, nullptr, 8);
    return (flags & O_PATH) == 0 && (flags & O_ACCMODE) != O_RDONLY;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::string process_words(int pid) {
  const std::string name = process_name(pid);
  return name.empty() ? fmt::format("process {}", pid)
                      : fmt::format("{} (pid {})", printable(name), pid);
}

std::optional<int> find_socket_holder(std::uint32_t inode) {
  if (inode == 0) return std::nullopt;
  return first_process([&](int folder, int, const char* name) {
    struct stat facts {};
    return ::fstatat(folder, name, &facts, 0) == 0 && S_ISSOCK(facts.st_mode) &&
           facts.st_ino == inode;
  });
}

std::optional<int> find_file_holder(dev_t device, ino_t inode, OpenFor open_for) {
  return first_process([&](int folder, int pid, const char* name) {
    struct stat facts {};
    if (::fstatat(folder, name, &facts, 0) != 0) return false;
    const bool same = S_ISBLK(facts.st_mode) ? inode == 0 && facts.st_rdev == device
                                             : S_ISREG(facts.st_mode) && facts.st_dev == device &&
                                                   facts.st_ino == inode;
    return same && (open_for == OpenFor::anything || is_open_for_writing(pid, name));
  });
}

std::string socket_holder(std::uint32_t inode) {
  const auto pid = find_socket_holder(inode);
  return pid ? process_words(*pid) : "another process";
}

}  // namespace nutshell::host
