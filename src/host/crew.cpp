// One loop over the pipes and pidfds of all that run. Signals are let in only while it waits, so
// that one which comes at any moment is seen; what has it to do with whom is passed on once.
#include "host/crew.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <memory>

#include "host/fd.hpp"
#include "host/signals_held.hpp"
#include "nutshell/error.hpp"
#include "nutshell/values.hpp"

namespace nutshell::host {
namespace {

constexpr std::size_t most_kept = mebi;  // of each stream; more is read, and let go

struct Stream {
  Fd read;
  std::string text;

  /// Opens the pipe, and gives the end that the child writes to.
  Fd open() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw SystemError(errno, "cannot make a pipe");
    read = Fd(ends[0]);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return Fd(ends[1]);
  }
  void drain() {
    std::array<char, 16384> part;
    for (ssize_t got; (got = ::read(read.get(), part.data(), part.size())) != 0;) {
      if (got < 0) {
        if (errno == EINTR) continue;
        return;
      }
      if (text.size() < most_kept) text.append(part.data(), static_cast<std::size_t>(got));
    }
    read.reset();
  }
};

[[noreturn]] void become(const Errand& errand, int output, int errors, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(127);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(null, 0);
  ::dup2(output, 1);
  ::dup2(errors, 2);
  // What has come since the fork ends this process, and not a handler of the parent's.
  for (const int each : {SIGINT, SIGTERM}) ::signal(each, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  std::vector<char*> argv{const_cast<char*>("nutshell")};
  for (const std::string& word : errand.words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  ::execv("/proc/self/exe", argv.data());
  ::_exit(127);
}

struct Worker {
  std::size_t errand = 0;
  pid_t pid = -1;
  Fd pidfd;
  Stream output, errors;

  Worker(std::size_t number, const Errand& what) : errand(number) {
    const Fd to_output = output.open(), to_errors = errors.open();
    const pid_t parent = ::getpid();
    pid = ::fork();
    if (pid < 0) throw SystemError(errno, "cannot make a process");
    if (pid == 0) become(what, to_output.get(), to_errors.get(), parent);
    pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    if (pid <= 0) return;
    ::kill(pid, SIGTERM);
    static_cast<void>(reap());
  }

  ErrandEnd reap() {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    pid = -1;
    if (output.read) output.drain();
    if (errors.read) errors.drain();
    const bool exited = WIFEXITED(status);
    return {exited ? ErrandEnd::How::ended : ErrandEnd::How::killed,
            exited ? WEXITSTATUS(status) : WTERMSIG(status), std::move(output.text),
            std::move(errors.text)};
  }
};

class Crew {
 public:
  Crew(const std::vector<Errand>& errands, std::size_t most,
       const std::function<void(std::size_t, const ErrandEnd&)>& ended)
      : errands_(errands), most_(most), ended_(ended), states_(errands.size(), State::waits) {}

  void run(const std::function<bool()>& stopped) {
    const SignalsHeld signals;
    stopping_ = stopped();
    for (;;) {
      begin_what_can();
      if (workers_.empty()) break;
      wait(*signals.open());
      collect();
    }
    for (std::size_t i = 0; i < states_.size(); ++i)
      if (states_[i] == State::waits) ended_(i, {});
  }

 private:
  enum class State { waits, runs, done, failed };

  const std::vector<Errand>& errands_;
  std::size_t most_, working_ = 0;
  const std::function<void(std::size_t, const ErrandEnd&)>& ended_;
  std::vector<State> states_;
  std::vector<std::unique_ptr<Worker>> workers_;
  bool stopping_ = false;

  [[nodiscard]] bool can_begin(std::size_t i) const {
    const Errand& errand = errands_[i];
    return states_[i] == State::waits && (errand.idle || working_ < most_) &&
           std::all_of(errand.after.begin(), errand.after.end(),
                       [&](std::size_t other) { return states_[other] == State::done; });
  }
  void begin_what_can() {
    for (std::size_t i = 0; i < errands_.size() && !stopping_; ++i) {
      if (!can_begin(i)) continue;
      workers_.push_back(std::make_unique<Worker>(i, errands_[i]));
      states_[i] = State::runs;
      if (!errands_[i].idle) ++working_;
    }
  }
  void wait(const sigset_t& open) {
    std::vector<pollfd> waiting;
    for (const auto& worker : workers_) {
      waiting.push_back({worker->pidfd.get(), POLLIN, 0});
      waiting.push_back({worker->output.read.get(), POLLIN, 0});
      waiting.push_back({worker->errors.read.get(), POLLIN, 0});
    }
    if (::ppoll(waiting.data(), waiting.size(), nullptr, &open) < 0 && errno == EINTR) {
      stopping_ = true;
      for (const auto& worker : workers_) ::kill(worker->pid, SIGTERM);
    }
  }
  void collect() {
    for (std::size_t i = 0; i < workers_.size();) {
      Worker& worker = *workers_[i];
      if (worker.output.read) worker.output.drain();
      if (worker.errors.read) worker.errors.drain();
      pollfd over{worker.pidfd.get(), POLLIN, 0};
      if (::poll(&over, 1, 0) != 1) {
        ++i;
        continue;
      }
      const std::size_t errand = worker.errand;
      ErrandEnd end = worker.reap();
      workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
      const auto& is_done = errands_[errand].is_done;
      if (end.how == ErrandEnd::How::ended && !end.done() && is_done && is_done())
        end = {ErrandEnd::How::ended, 0, "", ""};
      states_[errand] = end.done() ? State::done : State::failed;
      if (!errands_[errand].idle) --working_;
      ended_(errand, end);
    }
  }
};

}  // namespace

void run_errands(const std::vector<Errand>& errands, std::size_t most,
                 const std::function<void(std::size_t, const ErrandEnd&)>& ended,
                 const std::function<bool()>& stopped) {
  Crew(errands, most, ended).run(stopped);
}

}  // namespace nutshell::host
