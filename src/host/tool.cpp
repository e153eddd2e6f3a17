// One poll loop over the tool's two pipes and its pidfd. It ends when the tool has ended, not when
// the pipes close: a grandchild that keeps them open must not keep us. The tool leads a process
// group, and the group is killed while its leader is still a zombie, so that the number cannot have
// passed to anybody else. SIGINT and SIGTERM are let in only while we wait, so that one that comes
// at any moment ends the wait; only they have handlers. Boost.Process starts the tool; that library
// is used nowhere else.
#include "host/tool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/posix.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

#include "host/fd.hpp"
#include "host/signals_held.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

namespace bp = boost::process;
using Clock = std::chrono::steady_clock;

constexpr std::size_t tail_size = 4096;
constexpr std::chrono::milliseconds one_look{1000};
constexpr std::chrono::milliseconds grace_when_interrupted{3000};

struct Pipe {
  Fd read, write;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw SystemError(errno, "cannot make a pipe");
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return {Fd(ends[0]), Fd(ends[1])};
}

/// A memfd cannot block us and raises no SIGPIPE when the tool does not read it all.
Fd make_input(const std::string& text) {
  if (text.empty()) {
    Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!null) throw SystemError(errno, "/dev/null: cannot open");
    return null;
  }
  Fd file(::memfd_create("input", MFD_CLOEXEC));
  if (!file) throw SystemError(errno, "cannot make a file in memory");
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t put = ::write(file.get(), text.data() + at, text.size() - at);
    if (put < 0) throw SystemError(errno, "cannot write a file in memory");
    at += static_cast<std::size_t>(put);
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

std::vector<std::string> environment_of(const Tool& tool) {
  auto added = tool.environment;
  added.emplace_back("LC_ALL", "C");
  std::vector<std::string> all;
  for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
    const std::string_view name = std::string_view(*each).substr(0, std::strcspn(*each, "="));
    if (std::none_of(added.begin(), added.end(), [&](auto& a) { return a.first == name; }))
      all.emplace_back(*each);
  }
  for (const auto& [name, value] : added) all.push_back(fmt::format("{}={}", name, value));
  return all;
}

/// The running tool. Whatever happens, it and its group are gone when this goes.
class Running {
 public:
  Running(const std::string& program, const Tool& tool, const Fd& in, const Fd& out,
          const Fd& err) {
    const std::vector<std::string> environment = environment_of(tool);
    std::vector<char*> envp;
    for (const std::string& each : environment) envp.push_back(const_cast<char*>(each.c_str()));
    envp.push_back(nullptr);
    const std::vector<std::string> args(tool.argv.begin() + 1, tool.argv.end());
    std::error_code error;
    bp::child child(
        bp::exe = program, bp::args = args, error, bp::posix::fd.bind(0, in.get()),
        bp::posix::fd.bind(1, out.get()), bp::posix::fd.bind(2, err.get()),
        bp::extend::on_setup = [&](auto& exec) { exec.env = envp.data(); },
        bp::extend::on_exec_setup =
            [parent = ::getpid(), orphan_signal = tool.orphan_signal](auto&) {
              // A command that is killed leaves no tool at work on what the next one puts right.
              ::prctl(PR_SET_PDEATHSIG, orphan_signal);
              if (::getppid() != parent) ::_exit(127);
              ::setpgid(0, 0);
              sigset_t none;
              sigemptyset(&none);
              ::sigprocmask(SIG_SETMASK, &none, nullptr);
              for (const int each : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD})
                ::signal(each, SIG_DFL);
              ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
            });
    if (error) throw SystemError(error.value(), fmt::format("{}: cannot start", program));
    pid_ = child.id();
    child.detach();         // we wait ourselves: the group is to be killed before it is reaped
    ::setpgid(pid_, pid_);  // whoever comes first; the child does the same
    pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!pidfd_) {
      const int error_number = errno;
      end();
      throw SystemError(error_number, fmt::format("{}: cannot open a pidfd", program));
    }
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { end(); }

  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  [[nodiscard]] pid_t pid() const { return pid_; }

  /// SIGTERM to the group, a moment to tidy up, then end().
  void terminate(std::chrono::milliseconds grace) {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGTERM);
    pollfd ended{pidfd_.get(), POLLIN, 0};
    (void)::poll(&ended, 1, static_cast<int>(grace.count()));
    end();
  }

  /// Kills what is left of the group, reaps the tool, and gives its wait status.
  int end() {
    if (pid_ <= 0) return status_;
    ::kill(-pid_, SIGKILL);
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {}
    pid_ = -1;
    return status_;
  }

 private:
  pid_t pid_ = -1;
  int status_ = 0;
  Fd pidfd_;
};

/// Takes what is in the pipe now. False when it is at its end, or the limit is passed.
bool drain(Fd& pipe, std::string& text, Bytes limit) {
  std::array<char, 65536> part;
  while (text.size() <= limit) {
    const ssize_t got = ::read(pipe.get(), part.data(), part.size());
    if (got > 0) {
      text.append(part.data(), static_cast<std::size_t>(got));
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return true;
    break;
  }
  pipe.reset();
  return false;
}

std::string seconds(std::chrono::milliseconds time) {
  return time.count() % 1000 == 0 ? fmt::format("{} s", time.count() / 1000)
                                  : fmt::format("{} ms", time.count());
}

/// What changes as long as a process does anything: its processor time (proc(5), stat) and what it
/// has read and written (io). Another text than the last time: it is at work.
std::string traces_of(pid_t pid) {
  std::string traces;
  for (const char* name : {"stat", "io"}) {
    const Fd file(::open(fmt::format("/proc/{}/{}", pid, name).c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 1024> text;
    const ssize_t got = file ? ::read(file.get(), text.data(), text.size()) : 0;
    if (got > 0) traces.append(text.data(), static_cast<std::size_t>(got));
  }
  return traces;
}

/// When a tool is to be ended: at a moment, or when it has stood still for long enough.
class Patience {
 public:
  Patience(const Tool& tool, pid_t pid)
      : tool_(tool), pid_(pid), end_(Clock::now() + span()), looked_(Clock::now()) {}

  /// How long to wait for something to happen; nullopt: it is over.
  std::optional<std::chrono::milliseconds> wait() {
    const auto now = Clock::now();
    if (tool_.idle.count() > 0 && now - looked_ >= one_look / 2) {
      looked_ = now;
      std::string traces = traces_of(pid_);
      if (traces != traces_) end_ = now + tool_.idle;
      traces_ = std::move(traces);
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - now);
    if (left.count() <= 0) return std::nullopt;
    return tool_.watch || tool_.idle.count() > 0 ? std::min(left, one_look) : left;
  }
  [[nodiscard]] std::string words() const {
    return fmt::format("did {} {}, and was killed",
                       tool_.idle.count() > 0 ? "nothing for" : "not end within", seconds(span()));
  }

 private:
  [[nodiscard]] std::chrono::milliseconds span() const {
    return tool_.idle.count() > 0 ? tool_.idle : tool_.timeout;
  }
  const Tool& tool_;
  pid_t pid_;
  Clock::time_point end_, looked_;
  std::string traces_;
};

std::string tail(const std::string& text) {
  return text.size() > tail_size ? text.substr(text.size() - tail_size) : text;
}

}  // namespace

ToolResult run(const Tool& tool) {
  if (tool.argv.empty()) throw Failed("there is no program to run");
  const std::optional<std::string> program = find_program(tool.argv[0]);
  if (!program) throw Failed(missing_program(tool.argv[0]));

  const Fd in = make_input(tool.input);
  Pipe out = make_pipe(), err = make_pipe();
  const SignalsHeld signals;
  Running running(*program, tool, in, out.write, err.write);
  Patience patience(tool, running.pid());
  out.write.reset();
  err.write.reset();

  std::string output, errors, broken;
  std::size_t watched = 0;
  const auto flooded = [&] {
    return output.size() > tool.output_limit || errors.size() > tool.output_limit;
  };
  for (bool ended = false; !ended && broken.empty();) {
    const auto wait = patience.wait();
    if (!wait) {
      broken = patience.words();
      break;
    }
    std::array<pollfd, 3> waiting{
        {{running.pidfd(), POLLIN, 0}, {out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}}};
    const timespec time{wait->count() / 1000, wait->count() % 1000 * 1'000'000};
    if (::ppoll(waiting.data(), waiting.size(), &time, signals.open()) < 0 && errno == EINTR) {
      running.terminate(std::min(tool.grace, grace_when_interrupted));
      throw Interrupted(fmt::format("interrupted while {} was at work, which was ended",
                                    printable(tool.argv[0])));
    }
    ended = waiting[0].revents != 0;  // read before the pipes: what it wrote is then all there
    if (out.read && (ended || waiting[1].revents)) drain(out.read, output, tool.output_limit);
    if (err.read && (ended || waiting[2].revents)) drain(err.read, errors, tool.output_limit);
    if (flooded())
      broken = fmt::format("printed more than {}, and was killed", format_size(tool.output_limit));
    if (tool.watch) tool.watch(std::string_view(output).substr(watched));
    watched = output.size();
  }
  if (!broken.empty()) {
    running.terminate(tool.grace);
    throw CommandFailed(tool.argv, broken, tail(errors));
  }
  const int status = running.end();
  if (WIFSIGNALED(status)) {
    throw CommandFailed(tool.argv, fmt::format("was killed by signal {}", WTERMSIG(status)),
                        tail(errors));
  }
  return {WEXITSTATUS(status), std::move(output), tail(errors)};
}

std::string output_of(const Tool& tool) {
  ToolResult result = run(tool);
  if (result.status != 0) {
    throw CommandFailed(tool.argv, fmt::format("exited with {}", result.status),
                        result.stderr_tail);
  }
  return std::move(result.output);
}

}  // namespace nutshell::host
