// A fork without exec: nothing has to be found, loaded or linked at the moment when the network is
// gone. It looks at the note a few times a second rather than be told, so that whoever confirms
// needs nothing of it, and it does nothing without the lock that the others take, too.
#include "host/dead_man.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <map>
#include <thread>

#include "host/adoption.hpp"
#include "host/answers.hpp"
#include "host/fd.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds look_every = 200ms, probe_every = 1s, answer_patience = 300ms,
                                    lock_patience = 5s;
constexpr int most_attempts = 5;
constexpr const char* name_of_process = "nutshell-dead";

volatile sig_atomic_t told_to_end = 0;
void note_signal(int) { told_to_end = 1; }

/// The descriptors that the dead-man keeps, at fixed numbers; everything else is closed.
struct Post {
  int lock = -1, timer = -1, command = -1, ready = -1;
};

class Watch {
 public:
  Watch(std::string folder, Adoption adoption, const Post& post)
      : folder_(std::move(folder)), adoption_(std::move(adoption)), post_(post) {}

  void run() {
    for (auto next_probe = std::chrono::steady_clock::now() + probe_every;;) {
      const bool due = wait();
      const auto note = read();
      if (!note) return;  // confirmed, put back, or another's
      std::string reason = why_now(*note, due);
      if (reason.empty() && std::chrono::steady_clock::now() >= next_probe) {
        if (note->state == AdoptionState::waiting) reason = who_is_silent(*note);
        next_probe = std::chrono::steady_clock::now() + probe_every;
      }
      if (!reason.empty() && put_back(reason)) return;
    }
  }

 private:
  /// True when the deadline has passed.
  bool wait() {
    pollfd waits[] = {{post_.timer, POLLIN, 0}, {command_gone_ ? -1 : post_.command, POLLIN, 0}};
    ::poll(waits, 2, static_cast<int>(look_every.count()));
    if (waits[1].revents != 0) command_gone_ = true;
    if (waits[0].revents != 0) std::this_thread::sleep_for(10ms);  // it stays readable
    return waits[0].revents != 0;
  }

  /// The note while it is this adoption's and nobody has decided yet. One that is gone, or cannot
  /// be read, decides nothing: whoever has done with it waits for us before he takes it away.
  std::optional<Adoption> read() {
    try {
      const auto note = read_adoption(folder_, adoption_.before.bridge);
      if (!note) return adoption_;
      if (note->id != adoption_.id) return std::nullopt;
      if (note->state == AdoptionState::confirmed || note->state == AdoptionState::restored)
        return std::nullopt;
      return adoption_ = *note;
    } catch (const std::exception&) {
      return adoption_;
    }
  }

  std::string why_now(const Adoption& note, bool due) const {
    if (told_to_end) return "its dead-man was told to end";
    if (note.state == AdoptionState::begun && command_gone_) return "the command was cut short";
    if (due) return fmt::format("no confirm came within {} s", note.timeout);
    return "";
  }

  /// In turn, each with its own count, and no further than the first who is silent: with a dead
  /// network a round would take seconds.
  std::string who_is_silent(const Adoption& note) {
    for (const std::string& asked : note.asked) {
      int& lost = lost_[asked];
      lost = answers(note.before.bridge, asked, answer_patience) ? 0 : lost + 1;
      if (lost >= most_lost)
        return fmt::format("{} stopped answering ({} probes in a row were lost)",
                           asked.substr(asked.find(' ') + 1), lost);
      if (lost > 0) break;
    }
    return "";
  }

  /// True when there is nothing more to do.
  bool put_back(const std::string& reason) {
    std::optional<Lock> lock;
    try {
      lock = take_lock();
      if (!lock) return false;
    } catch (const std::exception&) {
      // The folder is gone, or the disk: then nobody else can be at it, and the network comes
      // first.
    }
    if (!read()) return true;  // somebody was faster
    for (int attempt = 0; attempt < most_attempts; ++attempt) {
      if (restore_adoption(folder_, adoption_, reason).empty()) break;
      std::this_thread::sleep_for(1s);
    }
    return true;
  }

  /// Whoever holds it is a command at work; the one that adopts and does not come to an end by now
  /// (stopped, or hanging) is ended.
  std::optional<Lock> take_lock() {
    const auto end = std::chrono::steady_clock::now() + lock_patience;
    for (;;) {
      if (auto lock = Lock::try_exclusive(adoption_lock(folder_))) return lock;
      if (std::chrono::steady_clock::now() >= end) break;
      std::this_thread::sleep_for(20ms);
    }
    if (!command_gone_) ::syscall(SYS_pidfd_send_signal, post_.command, SIGKILL, nullptr, 0);
    return std::nullopt;
  }

  std::string folder_;
  Adoption adoption_;
  Post post_;
  bool command_gone_ = false;
  std::map<std::string, int> lost_;
};

void settle_in() {
  ::setsid();
  ::prctl(PR_SET_NAME, name_of_process, 0, 0, 0);
  struct sigaction action {};
  action.sa_handler = note_signal;
  ::sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTSTP})
    ::sigaction(signal, &action, nullptr);
  if (::chdir("/") != 0) _exit(1);
  ::mlockall(MCL_CURRENT | MCL_FUTURE);  // a disk that is reached over that uplink is no help now
}

/// 0, 1, 2 lead nowhere, then the kept ones; nothing else is open.
Post keep_descriptors(const Post& given) {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  Post high;  // out of the way of the targets first
  high.lock = ::fcntl(given.lock, F_DUPFD_CLOEXEC, 100);
  high.timer = ::fcntl(given.timer, F_DUPFD_CLOEXEC, 100);
  high.command = ::fcntl(given.command, F_DUPFD_CLOEXEC, 100);
  high.ready = ::fcntl(given.ready, F_DUPFD_CLOEXEC, 100);
  for (int fd = 0; fd < 3; ++fd) ::dup2(null, fd);
  const Post kept{3, 4, 5, 6};
  if (::dup2(high.lock, kept.lock) < 0 || ::dup2(high.timer, kept.timer) < 0 ||
      ::dup2(high.command, kept.command) < 0 || ::dup2(high.ready, kept.ready) < 0)
    _exit(1);
  ::syscall(SYS_close_range, 7U, ~0U, 0U);
  for (const int fd : {3, 4, 5, 6}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return kept;
}

/// The lock file names who holds it; it was taken before the fork.
void sign(int lock) {
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock, 0) != 0 || ::pwrite(lock, pid.data(), pid.size(), 0) < 0) return;
}

Fd make_timer(std::uint64_t deadline) {
  Fd timer(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  itimerspec at{};
  at.it_value.tv_sec = static_cast<time_t>(deadline / 1000);
  at.it_value.tv_nsec = static_cast<long>(deadline % 1000) * 1'000'000;
  if (!timer || ::timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &at, nullptr) != 0)
    throw SystemError(errno, "the dead-man: cannot have a timer");
  return timer;
}

}  // namespace

Identity start_dead_man(const std::string& folder, const Adoption& adoption) {
  const auto lock = Lock::try_exclusive(dead_man_lock(folder, adoption.before.bridge));
  if (!lock)
    throw Conflict(
        fmt::format("{}: the dead-man of an earlier adoption is still there; wait for it",
                    adoption.before.bridge));
  const Fd timer = make_timer(adoption.deadline);
  const Fd command(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  int ends[2];
  if (!command || ::pipe2(ends, O_CLOEXEC) != 0)
    throw SystemError(errno, "the dead-man: cannot watch this command");
  Fd ready(ends[0]), child_end(ends[1]);

  const pid_t pid = ::fork();
  if (pid < 0) throw SystemError(errno, "the dead-man: cannot be started");
  if (pid == 0) {
    settle_in();
    const Post post = keep_descriptors({lock->fd(), timer.get(), command.get(), child_end.get()});
    sign(post.lock);
    if (::write(post.ready, "r", 1) != 1) _exit(1);
    ::close(post.ready);
    try {
      Watch(folder, adoption, post).run();
    } catch (...) {
      _exit(1);
    }
    _exit(0);
  }
  child_end.reset();
  char answer = 0;
  if (::read(ready.get(), &answer, 1) != 1)
    throw Failed("the dead-man: ended at once; nothing was changed, try again");
  return {pid, start_time(pid).value_or(0)};
}

bool end_dead_man(const std::string& folder, const Adoption& adoption) {
  const std::string path = dead_man_lock(folder, adoption.before.bridge);
  const int pid = std::atoi(read_file(path).value_or("").c_str());
  const Fd handle(pid > 1 ? static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)) : -1);
  if (handle && process_name(pid) == name_of_process)
    ::syscall(SYS_pidfd_send_signal, handle.get(), SIGKILL, nullptr, 0);
  for (int attempt = 0; attempt < 100; ++attempt) {
    if (!is_held(path)) return true;
    std::this_thread::sleep_for(20ms);
  }
  return false;
}

}  // namespace nutshell::host
