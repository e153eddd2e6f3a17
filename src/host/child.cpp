// fork and exec, by hand because nothing else lets go of rights and descriptors in the order that
// is needed. Between fork and exec only async-signal-safe calls are made; what goes wrong there
// comes back through a pipe that exec closes.
#include "host/child.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "host/fd.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

enum class Stage : int { parent_gone, descriptors, groups, gid, uid, privileges, exec };

const char* words(Stage stage) {
  switch (stage) {
    case Stage::parent_gone: return "the launcher went away";
    case Stage::descriptors: return "cannot hand over the descriptors";
    case Stage::groups: return "cannot drop the groups";
    case Stage::gid: return "cannot change the group";
    case Stage::uid: return "cannot change the user";
    case Stage::privileges: return "cannot give up new privileges";
    case Stage::exec: return "cannot be executed";
  }
  return "";
}

struct Report {
  Stage stage;
  int error;
};

// Everything the child needs, made before the fork: it may not allocate afterwards.
struct Prepared {
  std::vector<char*> argv;
  std::vector<std::pair<int, int>> handed;
  int input, output, report;
  const RunAs* run_as;
  pid_t parent;
};

[[noreturn]] void fail(const Prepared& p, Stage stage) {
  const Report report{stage, errno};
  [[maybe_unused]] const auto written = write(p.report, &report, sizeof report);
  _exit(127);
}

// Whoever called us may have left descriptors open that are none of QEMU's business: all are closed
// by exec, except the copies made here. The sources lie above every target, so no dup2 can hit a
// source that is still needed.
void place_descriptors(const Prepared& p) {
  if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) != 0) fail(p, Stage::descriptors);
  if (dup2(p.input, 0) < 0 || dup2(p.output, 1) < 0 || dup2(p.output, 2) < 0)
    fail(p, Stage::descriptors);
  for (const auto& [from, to] : p.handed)
    if (dup2(from, to) < 0) fail(p, Stage::descriptors);
}

[[noreturn]] void become_child(const Prepared& p) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != p.parent) {
    errno = ESRCH;
    fail(p, Stage::parent_gone);
  }
  setsid();
  umask(077);
  if (chdir("/") != 0) fail(p, Stage::descriptors);
  place_descriptors(p);
  if (p.run_as) {
    const gid_t gid = p.run_as->gid;
    if (setgroups(1, &gid) != 0) fail(p, Stage::groups);
    if (setresgid(gid, gid, gid) != 0) fail(p, Stage::gid);
    if (setresuid(p.run_as->uid, p.run_as->uid, p.run_as->uid) != 0) fail(p, Stage::uid);
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail(p, Stage::privileges);
  for (int signal_number = 1; signal_number < 32; ++signal_number) signal(signal_number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  prctl(PR_SET_PDEATHSIG, 0);
  execv(p.argv[0], p.argv.data());
  fail(p, Stage::exec);
}

// A copy of the descriptor above all targets, closed by exec.
Fd lift(int fd, int above) {
  Fd copy(fcntl(fd, F_DUPFD_CLOEXEC, above));
  if (!copy) throw SystemError(errno, "cannot duplicate a descriptor for QEMU");
  return copy;
}

}  // namespace

Identity start_child(const ChildStart& start) {
  int above = 3;
  for (const auto& [from, to] : start.handed) above = std::max(above, to + 1);
  Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  int ends[2];
  if (!null || pipe2(ends, O_CLOEXEC) != 0)
    throw SystemError(errno, "cannot prepare the start of " + start.argv.at(0));
  const Fd read_end(ends[0]);
  Fd write_end(ends[1]);

  std::vector<Fd> lifted;
  Prepared p;
  for (const auto& [from, to] : start.handed) {
    lifted.push_back(lift(from, above));
    p.handed.emplace_back(lifted.back().get(), to);
  }
  const Fd input = lift(null.get(), above),
           output = lift(start.output < 0 ? null.get() : start.output, above);
  Fd report = lift(write_end.get(), above);
  write_end.reset();
  for (const std::string& word : start.argv) p.argv.push_back(const_cast<char*>(word.c_str()));
  p.argv.push_back(nullptr);
  p.input = input.get();
  p.output = output.get();
  p.report = report.get();
  p.run_as = start.run_as ? &*start.run_as : nullptr;
  p.parent = getpid();

  const pid_t pid = fork();
  if (pid < 0) throw SystemError(errno, start.argv[0] + ": cannot fork");
  if (pid == 0) become_child(p);
  report.reset();
  Report failed{};
  ssize_t got;
  do got = read(read_end.get(), &failed, sizeof failed);
  while (got < 0 && errno == EINTR);
  if (got == sizeof failed) {
    waitpid(pid, nullptr, 0);
    throw SystemError(failed.error, start.argv[0] + ": " + words(failed.stage));
  }
  return {pid, host::start_time(pid).value_or(0)};
}

}  // namespace nutshell::host
