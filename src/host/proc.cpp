// Reading /proc, and acting on a process only through a descriptor of it. The order in
// open_checked_pidfd is the point: opened first and checked afterwards, what was checked is what
// the signal will hit; the other way round the pid may have passed to somebody else in between.
#include "host/proc.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

std::string read_proc(int pid, const char* name) {
  const Fd fd(::open(fmt::format("/proc/{}/{}", pid, name).c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!fd) return text;
  constexpr std::size_t most = 4 << 20;  // a command line may hold 2 MiB (ARG_MAX) and more
  for (char part[16384]; text.size() < most;) {
    const ssize_t got = ::read(fd.get(), part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(part, static_cast<std::size_t>(got));
  }
  return text;
}

bool has_pair(const std::vector<std::string>& argv, std::string_view option,
              std::string_view value) {
  for (std::size_t i = 0; i + 1 < argv.size(); ++i)
    if (argv[i] == option && argv[i + 1] == value) return true;
  return false;
}

bool looks_like_qemu(const std::vector<std::string>& argv) {
  if (argv.empty()) return false;
  const std::string_view path = argv[0];
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name.find("qemu-system-") != std::string_view::npos || name == "qemu-kvm" ||
         name == "kvm" || name == "qemu";
}

template <typename Check>
std::optional<Fd> open_checked(const Identity& identity, Check check) {
  if (identity.pid <= 0) return std::nullopt;
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, identity.pid, 0)));
  if (!pidfd) {
    const int error = errno;
    if (error == ESRCH || error == EINVAL) return std::nullopt;
    throw SystemError(error, fmt::format("process {}: cannot open a pidfd", identity.pid));
  }
  if (start_time(identity.pid) != identity.start_time) return std::nullopt;
  if (!check(command_line(identity.pid))) return std::nullopt;
  return pidfd;
}

}  // namespace

std::optional<std::uint64_t> start_time(int pid) {
  const std::string stat = read_proc(pid, "stat");
  // The name, field 2, may hold spaces and parentheses: count from the last one.
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= stat.size()) return std::nullopt;
  // One that has ended, and whose parent has not asked how, does nothing any more (proc(5)).
  if (stat[name_end + 2] == 'Z' || stat[name_end + 2] == 'X') return std::nullopt;
  std::size_t at = name_end + 1;
  for (int field = 2; field < 22; ++field) {
    at = stat.find(' ', at);
    if (at == std::string::npos) return std::nullopt;
    ++at;
  }
  std::uint64_t ticks = 0;
  const char* end = stat.data() + stat.size();
  if (std::from_chars(stat.data() + at, end, ticks).ec != std::errc()) return std::nullopt;
  return ticks;
}

std::vector<std::string> command_line(int pid) {
  const std::string text = read_proc(pid, "cmdline");
  std::vector<std::string> argv;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find('\0', at);
    if (end == std::string::npos) end = text.size();
    argv.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return argv;
}

bool is_stopped(int pid) {
  const std::string stat = read_proc(pid, "stat");
  const std::size_t name_ends = stat.rfind(") ");
  if (name_ends == std::string::npos || name_ends + 2 >= stat.size()) return false;
  const char state = stat[name_ends + 2];
  return state == 'T' || state == 't';
}

std::string process_name(int pid) {
  std::string name = read_proc(pid, "comm");
  while (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

std::vector<int> pids() {
  std::vector<int> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc"), ::closedir);
  if (!folder) throw SystemError(errno, "/proc: cannot list the processes");
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    int pid = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (parsed.ec == std::errc() && parsed.ptr == name.data() + name.size()) found.push_back(pid);
  }
  return found;
}

std::optional<int> find_qemu_by_uuid(const Uuid& uuid) {
  std::optional<int> by_argument;
  for (const int pid : pids()) {
    const std::vector<std::string> argv = command_line(pid);
    if (!has_pair(argv, "-uuid", uuid.text)) continue;
    if (looks_like_qemu(argv)) return pid;
    // A QEMU may have any file name; a wrapper (strace, say) shows the same argument and is
    // taken only when nothing better is there.
    if (!by_argument) by_argument = pid;
  }
  return by_argument;
}

std::optional<Fd> open_checked_pidfd(const Identity& identity, const Uuid& uuid) {
  return open_checked(identity,
                      [&](const auto& argv) { return has_pair(argv, "-uuid", uuid.text); });
}

std::optional<Fd> open_checked_pidfd(const Identity& identity, const std::string& argument) {
  return open_checked(identity, [&](const auto& argv) {
    return std::find(argv.begin(), argv.end(), argument) != argv.end();
  });
}

std::optional<Fd> open_pidfd(const Identity& identity) {
  return open_checked(identity, [](const auto&) { return true; });
}

bool send_signal(const Fd& pidfd, int signal) {
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0) return true;
  const int error = errno;
  if (error == ESRCH) return false;
  throw SystemError(error, fmt::format("cannot send signal {} to a process", signal));
}

bool wait_until_gone(const Fd& pidfd, std::chrono::milliseconds wait) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + wait;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd ended{pidfd.get(), POLLIN, 0};
    const int ready = ::poll(&ended, 1, static_cast<int>(std::clamp<long long>(left, 0, 1 << 30)));
    if (ready > 0) return true;
    if (ready == 0) return false;
    const int error = errno;
    if (error != EINTR) throw SystemError(error, "cannot wait for a process");
    if (Clock::now() >= end) return false;
  }
}

std::vector<QemuProcess> running_qemus() {
  std::vector<QemuProcess> found;
  for (const int pid : pids()) {
    const std::vector<std::string> argv = command_line(pid);
    if (!looks_like_qemu(argv)) continue;
    found.push_back(parse_qemu(argv));
    found.back().pid = pid;
  }
  return found;
}

}  // namespace nutshell::host
