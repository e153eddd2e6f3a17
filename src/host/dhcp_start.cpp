// dnsmasq, started by root as root, drops to a user that must have a name and must then be able to
// walk to its hosts file by path. Instead it is that user before it starts: with three capabilities
// that survive exec (to bind port 67, to answer by raw socket, to set a neighbour entry), with
// no_new_privs, and standing in its folder already. -d keeps it there (-k would go to "/"), keeps
// its stderr, and makes it change no user. It is forked twice, so that whoever lives long
// (`nutshell supervise`) gets no zombie of it.
#include "host/dhcp_start.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <sstream>

#include "host/accounts.hpp"
#include "host/fd.hpp"
#include "host/files.hpp"
#include "host/tool.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

/// Where there is no account `dnsmasq`: a number that no account has, beyond the pool of uids that
/// machines run as. Unlike dnsmasq's own --user, it needs no name.
constexpr unsigned spare_id = 1900065536;
constexpr std::array capabilities{CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW};

struct Ids {
  unsigned uid = spare_id, gid = spare_id;
  bool change = true;  ///< false in a user namespace that does not have them: root there is nobody
};

/// True when /proc/self/uid_map (or gid_map) has that id.
bool is_mapped(const char* map, unsigned id) {
  std::istringstream lines(read_file(map).value_or(""));
  unsigned long inside = 0, outside = 0, count = 0;
  while (lines >> inside >> outside >> count)
    if (id >= inside && id - inside < count) return true;
  return false;
}

Ids find_ids() {
  Ids ids;
  if (const auto user = user_named("dnsmasq")) {
    ids.uid = user->first;
    ids.gid = user->second;
  }
  ids.change = is_mapped("/proc/self/uid_map", ids.uid) && is_mapped("/proc/self/gid_map", ids.gid);
  return ids;
}

/// What the child tells: its pid, and an errno when it could not become dnsmasq.
struct Word {
  pid_t pid = 0;
  int error = 0;
};

/// All that the child needs, made before the fork: it makes system calls only.
struct Prepared {
  Ids ids;
  std::string program;
  std::vector<char*> argv;
  Fd folder, log, null;
};

bool become_ordinary(const Ids& ids) {
  if (!ids.change) return true;
  ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  if (::syscall(SYS_setgroups, 0, nullptr) != 0 ||
      ::syscall(SYS_setresgid, ids.gid, ids.gid, ids.gid) != 0 ||
      ::syscall(SYS_setresuid, ids.uid, ids.uid, ids.uid) != 0)
    return false;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  for (const int each : capabilities) sets[0].effective |= 1U << each;
  sets[0].permitted = sets[0].inheritable = sets[0].effective;
  if (::syscall(SYS_capset, &header, sets.data()) != 0) return false;
  for (const int each : capabilities)
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, each, 0, 0) != 0) return false;
  return true;
}

[[noreturn]] void be_dnsmasq(const Prepared& prepared, int told) {
  Word word{::getpid(), 0};
  (void)!::write(told, &word, sizeof word);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int each : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGALRM, SIGUSR1, SIGUSR2})
    ::signal(each, SIG_DFL);
  ::umask(022);
  const bool ready = ::fchdir(prepared.folder.get()) == 0 && become_ordinary(prepared.ids) &&
                     ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                     ::dup2(prepared.null.get(), 0) == 0 && ::dup2(prepared.log.get(), 1) == 1 &&
                     ::dup2(prepared.log.get(), 2) == 2 &&
                     ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
  if (ready) ::execv(prepared.program.c_str(), prepared.argv.data());
  word.error = errno;
  (void)!::write(told, &word, sizeof word);
  ::_exit(127);
}

Fd opened(const std::string& path, int flags) {
  Fd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (!fd) throw SystemError(errno, fmt::format("file {}: cannot open", path));
  return fd;
}

/// dnsmasq rewrites its lease file in place, and so must own it; it may not make it in our folder.
void make_lease_file(const std::string& path, const Ids& ids) {
  const Fd leases = opened(path, O_RDWR | O_CREAT | O_NOFOLLOW);
  if (!ids.change) return;
  if (::fchown(leases.get(), ids.uid, ids.gid) != 0)
    throw SystemError(errno, fmt::format("file {}: cannot give it to dnsmasq's user", path));
}

}  // namespace

Identity start_dnsmasq(const DnsmasqStart& start) {
  const auto program = find_program("dnsmasq");
  if (!program) throw Failed(missing_program("dnsmasq"));
  std::array<std::string, 4> words{"dnsmasq", "-d", "--conf-file=dnsmasq.conf", start.proof};
  Prepared prepared;
  prepared.ids = find_ids();
  prepared.program = *program;
  for (std::string& each : words) prepared.argv.push_back(each.data());
  prepared.argv.push_back(nullptr);
  make_lease_file(start.folder + "/leases", prepared.ids);
  prepared.folder = opened(start.folder, O_PATH | O_DIRECTORY);
  prepared.log = opened(start.log, O_WRONLY | O_APPEND | O_CREAT);
  prepared.null = opened("/dev/null", O_RDONLY);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw SystemError(errno, "cannot make a pipe");
  const Fd told(ends[0]);
  Fd tells(ends[1]);

  const pid_t middle = ::fork();
  if (middle < 0) throw SystemError(errno, "dnsmasq: cannot fork");
  if (middle == 0) {
    ::setsid();
    const pid_t child = ::fork();
    if (child == 0) be_dnsmasq(prepared, tells.get());
    ::_exit(child < 0 ? 1 : 0);
  }
  tells.reset();
  while (::waitpid(middle, nullptr, 0) < 0 && errno == EINTR) {}
  // The pipe closes when dnsmasq is there, by exec; one word is its pid, a second one its failure.
  Word first, second;
  const auto hear = [&](Word& word) {
    ssize_t got = 0;
    do got = ::read(told.get(), &word, sizeof word);
    while (got < 0 && errno == EINTR);
    return got == sizeof word;
  };
  if (!hear(first)) throw Failed("dnsmasq: cannot start a process for it");
  if (hear(second))
    throw SystemError(second.error, fmt::format("dnsmasq: cannot start {} as uid {}", *program,
                                                prepared.ids.uid));
  return {first.pid, start_time(first.pid).value_or(0)};
}

}  // namespace nutshell::host
