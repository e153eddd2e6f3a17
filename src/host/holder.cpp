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
#include <set>
#include <sstream>

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

/// Adds the inodes of the sockets that /proc/thread-self/net/FILE shows bound to that port. Its
/// lines: "sl local:PORT remote:PORT state tx:rx tr:when retrnsmt uid timeout inode ...", in hex
/// (proc(5)); a TCP socket counts while it listens (state 0A).
void add_bound(const char* file, unsigned port, std::set<std::uint32_t>& inodes) {
  std::istringstream lines(
      read_file(fmt::format("/proc/thread-self/net/{}", file), 64 * mebi).value_or(""));
  const bool tcp = file[0] == 't';
  std::string line;
  for (std::getline(lines, line); std::getline(lines, line);) {
    std::istringstream words(line);
    std::string number, local, remote, state, skipped;
    std::uint32_t inode = 0;
    words >> number >> local >> remote >> state;
    for (int i = 0; i < 5; ++i) words >> skipped;
    words >> inode;
    const std::size_t colon = local.rfind(':');
    if (!words || colon == std::string::npos || (tcp && state != "0A")) continue;
    if (std::strtoul(local.c_str() + colon + 1, nullptr, 16) == port) inodes.insert(inode);
  }
}

}  // namespace

std::string port_holders(unsigned port, Transport transport) {
  std::set<std::uint32_t> inodes;
  for (const char* file : {"udp", "udp6", "tcp", "tcp6"})
    if (file[0] == 'u' || transport == Transport::both) add_bound(file, port, inodes);
  std::set<std::string> holders;
  for (const std::uint32_t inode : inodes) holders.insert(socket_holder(inode));
  std::string words;
  for (const std::string& each : holders) words += (words.empty() ? "" : " and ") + each;
  return words.empty() ? "another process" : words;
}

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
