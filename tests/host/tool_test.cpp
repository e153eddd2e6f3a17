// Programs that misbehave in every way that one has been seen to: each call returns in time, and
// leaves no process.
#include "host/tool.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>

#include "host/proc.hpp"
#include "host/process.hpp"
#include "host/scratch.hpp"
#include "nutshell/error.hpp"

using namespace nutshell::host;
using namespace std::chrono_literals;
using nutshell::CommandFailed;
using nutshell::Failed;

namespace {
Tool tool(std::vector<std::string> argv, std::chrono::milliseconds timeout = 20s) {
  return {.argv = std::move(argv), .input = {}, .timeout = timeout, .environment = {}};
}
/// A number of seconds to sleep that no other process sleeps for, so that ours can be told.
std::string ages() {
  static int next = 0;
  return std::to_string(1'000'000 + ::getpid()) + "." + std::to_string(++next);
}
/// True as soon as no process has `text` among its arguments.
bool nobody_has(const std::string& text) {
  return scratch::soon([&] {
    for (const int pid : pids())
      for (const std::string& each : command_line(pid))
        if (each == text) return false;
    return true;
  });
}
}  // namespace

TEST_CASE("output, stderr, exit status and input come through") {
  const ToolResult result = run(tool({"sh", "-c", "echo out; echo err >&2; exit 7"}));
  CHECK(result.status == 7);
  CHECK(result.output == "out\n");
  CHECK(result.stderr_tail == "err\n");
  Tool with_input = tool({"cat"});
  with_input.input.assign(300'000, 'x');
  CHECK(output_of(with_input) == with_input.input);
  Tool unread = tool({"true"});
  unread.input.assign(300'000, 'x');
  CHECK(run(unread).status == 0);
  CHECK(run(tool({"cat"})).output.empty());  // stdin is /dev/null
  CHECK(output_of(tool({"printf", "%s|", "a b", "", "c'\"\n$d"})) == "a b||c'\"\n$d|");
}

TEST_CASE("a failure carries the command and what it said") {
  const std::string sentence = scratch::sentence_of([] {
    (void)output_of(tool({"sh", "-c", "echo disk full >&2; exit 3"}));
  });
  CHECK(sentence.find("exited with 3") != std::string::npos);
  CHECK(sentence.find("disk full") != std::string::npos);
  CHECK_THROWS_AS((void)output_of(tool({"false"})), CommandFailed);
  CHECK_THROWS_AS((void)run(tool({"sh", "-c", "kill -SEGV $$"})), CommandFailed);
}

TEST_CASE("a missing program is named with the package that has it") {
  const scratch::Folder empty;
  CHECK(missing_program("qemu-img").find("qemu-utils") != std::string::npos);
  CHECK(missing_program("/usr/sbin/dnsmasq").find("dnsmasq-base") != std::string::npos);
  CHECK_THROWS_AS((void)run(tool({"no-such-program-at-all"})), Failed);
  CHECK_FALSE(find_program(empty / "x"));
  CHECK_FALSE(find_program("/tmp"));
  scratch::put(empty / "not-executable", "x");
  CHECK_FALSE(find_program(empty / "not-executable"));
  CHECK(find_program("dnsmasq") == std::optional<std::string>("/usr/sbin/dnsmasq"));
}

TEST_CASE("one that sleeps for ever is ended in time") {
  const std::string nap = ages();
  const auto start = std::chrono::steady_clock::now();
  const std::string sentence = scratch::sentence_of([&] {
    (void)run(tool({"sleep", nap}, 200ms));
  });
  CHECK(sentence.find("did not end within 200 ms") != std::string::npos);
  CHECK(scratch::seconds_since(start) < 3);
  CHECK(nobody_has(nap));
}

TEST_CASE("one that ignores SIGTERM, and whose children do, is ended in time") {
  const std::string child = ages(), again = ages();
  const auto start = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(
      (void)run(tool(
          {"sh", "-c", "trap '' TERM; sleep " + child + " & while :; do sleep " + again + "; done"},
          200ms)),
      CommandFailed);
  CHECK(scratch::seconds_since(start) < 5);
  CHECK(nobody_has(child));
  CHECK(nobody_has(again));
}

TEST_CASE("one that floods is ended, on either pipe, without keeping what it printed") {
  for (const std::string where : {"", " >&2"}) {
    const std::string nap = ages();
    const auto start = std::chrono::steady_clock::now();
    const std::string sentence = scratch::sentence_of([&] {
      (void)run(tool({"sh", "-c", "head -c 104857600 /dev/zero" + where + "; sleep " + nap}));
    });
    CHECK(sentence.find("printed more than 1M") != std::string::npos);
    CHECK(sentence.size() < 100'000);
    CHECK(scratch::seconds_since(start) < 5);
    CHECK(nobody_has(nap));
  }
  Tool wide = tool({"head", "-c", "104857600", "/dev/zero"});
  wide.output_limit = 200 << 20;
  CHECK(run(wide).output.size() == 104857600);
}

TEST_CASE("a grandchild that keeps the pipe open keeps nobody") {
  const std::string nap = ages();
  const auto start = std::chrono::steady_clock::now();
  const ToolResult result = run(tool({"sh", "-c", "sleep " + nap + " & echo done"}));
  CHECK(result.output == "done\n");
  CHECK(scratch::seconds_since(start) < 3);
  CHECK(nobody_has(nap));
  // One that left the group too: it is not ours to kill, but it does not keep us.
  const auto again = std::chrono::steady_clock::now();
  CHECK(run(tool({"setsid", "--wait", "sh", "-c", "sleep 6 & echo done"})).output == "done\n");
  CHECK(scratch::seconds_since(again) < 5);
}

TEST_CASE("no descriptor, no signal state of ours gets through") {
  const int leak = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC, as a library would
  REQUIRE(leak > 2);
  const std::string seen = output_of(tool({"sh", "-c", "ls /proc/$$/fd"}));
  CHECK(seen == "0\n1\n2\n");
  ::close(leak);
  ::signal(SIGPIPE, SIG_IGN);
  const std::string status = output_of(tool({"grep", "SigIgn", "/proc/self/status"}));
  ::signal(SIGPIPE, SIG_DFL);
  CHECK(status == "SigIgn:\t0000000000000000\n");
  ::setenv("LC_ALL", "de_DE.UTF-8", 1);
  Tool asks = tool({"sh", "-c", "echo $LC_ALL $EXTRA"});
  asks.environment = {{"EXTRA", "yes"}};
  CHECK(output_of(asks) == "C yes\n");
  ::unsetenv("LC_ALL");
}

TEST_CASE("it leaves neither descriptors nor zombies") {
  const auto open_now = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  (void)run(tool({"true"}));
  const auto before = open_now();
  for (int i = 0; i < 20; ++i) (void)run(tool({"true"}));
  CHECK_THROWS((void)run(tool({"sleep", "9"}, 1ms)));
  CHECK(open_now() == before);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("its output can be watched as it comes, and the watcher can end it") {
  Tool slow = tool({"sh", "-c", "echo one; sleep 0.3; echo two; sleep 1.5; echo three"});
  std::vector<std::string> seen;
  int empty = 0;
  slow.watch = [&](std::string_view text) {
    if (text.empty())
      ++empty;
    else
      seen.emplace_back(text);
  };
  CHECK(run(slow).output == "one\ntwo\nthree\n");
  CHECK(seen == std::vector<std::string>{"one\n", "two\n", "three\n"});
  CHECK(empty >= 1);  // in the second and a half of silence

  const std::string nap = ages();
  Tool ended = tool({"sleep", nap});
  ended.watch = [](std::string_view) { throw std::runtime_error("enough"); };
  const auto start = std::chrono::steady_clock::now();
  CHECK(scratch::sentence_of([&] { (void)run(ended); }) == "enough");
  CHECK(scratch::seconds_since(start) < 5);
  CHECK(nobody_has(nap));
}

TEST_CASE("one that stands still is ended, one that works may take its time") {
  const std::string nap = ages();
  Tool still = tool({"sleep", nap}, 1ms);
  still.idle = 1500ms;
  const auto start = std::chrono::steady_clock::now();
  const std::string sentence = scratch::sentence_of([&] { (void)run(still); });
  CHECK(sentence.find("did nothing for 1500 ms") != std::string::npos);
  CHECK(scratch::seconds_since(start) < 10);
  CHECK(nobody_has(nap));
  // It computes without a word for longer than that.
  Tool busy = tool(
      {"sh", "-c", "end=$(($(date +%s) + 4)); while [ $(date +%s) -lt $end ]; do :; done"}, 1ms);
  busy.idle = 1500ms;
  CHECK(run(busy).status == 0);
}

namespace {
volatile sig_atomic_t heard = 0;
/// Handlers as a command has them.
class Handlers {
 public:
  Handlers() {
    struct sigaction action {};
    action.sa_handler = [](int) { heard = heard + 1; };
    for (std::size_t i = 0; i < 2; ++i) ::sigaction(signals[i], &action, &before_[i]);
    heard = 0;
  }
  Handlers(const Handlers&) = delete;
  Handlers& operator=(const Handlers&) = delete;
  ~Handlers() {
    for (std::size_t i = 0; i < 2; ++i) ::sigaction(signals[i], &before_[i], nullptr);
  }
  static constexpr int signals[2] = {SIGINT, SIGTERM};

 private:
  struct sigaction before_[2]{};
};
}  // namespace

TEST_CASE("Ctrl-C ends a tool that hangs, and the next one is not troubled") {
  const Handlers handlers;
  for (const int signal : Handlers::signals) {
    heard = 0;
    const std::string nap = ages();
    const process::Child other([signal, self = ::getpid()] {
      ::usleep(300'000);
      ::kill(self, signal);
    });
    const auto start = std::chrono::steady_clock::now();
    CHECK_THROWS_AS((void)run(tool({"sleep", nap})), nutshell::Interrupted);
    CHECK(scratch::seconds_since(start) < 3);
    CHECK(heard == 1);
    CHECK(nobody_has(nap));
    CHECK(output_of(tool({"echo", "undone"})) == "undone\n");
    CHECK(heard == 1);
  }
}

TEST_CASE("Ctrl-C ends one that ignores SIGTERM after three seconds, whatever its grace") {
  const Handlers handlers;
  const std::string nap = ages();
  // It raises the signal itself: before, while or after we begin to wait.
  Tool stubborn =
      tool({"sh", "-c", "trap '' TERM; kill -INT $PPID; while :; do sleep " + nap + "; done"});
  stubborn.grace = 60s;
  const auto start = std::chrono::steady_clock::now();
  CHECK_THROWS_AS((void)run(stubborn), nutshell::Interrupted);
  CHECK(scratch::seconds_since(start) > 2);
  CHECK(scratch::seconds_since(start) < 6);
  CHECK(nobody_has(nap));
  sigset_t held;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &held);
  CHECK_FALSE(sigismember(&held, SIGINT));
  CHECK_FALSE(sigismember(&held, SIGTERM));
  // What it does on SIGTERM is waited for.
  const scratch::Folder folder;
  Tool tidy = tool({"sh", "-c",
                    "trap 'sleep 1; echo yes >" + (folder / "tidied") +
                        "; exit' TERM; kill -INT $PPID; while :; do sleep 0.1; done"});
  tidy.grace = 10s;
  CHECK_THROWS_AS((void)run(tidy), nutshell::Interrupted);
  CHECK(scratch::get(folder / "tidied") == "yes\n");
}

TEST_CASE("one that must finish does so when we are killed") {
  const scratch::Folder folder;
  for (const int signal : {SIGTERM, SIGKILL}) {
    const std::string done = folder / ("done" + std::to_string(signal));
    const std::string ready = folder / ("ready" + std::to_string(signal));
    process::Child parent([&] {
      Tool finishes = tool({"sh", "-c",
                            "trap 'sleep 0.2; echo yes >" + done + "; exit' TERM; echo >" + ready +
                                "; while :; do sleep 0.1; done",
                            "sh", ready});
      finishes.orphan_signal = signal;
      (void)run(finishes);
    });
    REQUIRE(scratch::soon([&] { return std::filesystem::exists(ready); }));
    ::kill(parent.pid(), SIGKILL);  // it alone: its tool is in a group of its own
    parent.wait();
    if (signal == SIGTERM)
      CHECK(scratch::soon([&] { return scratch::get(done) == "yes\n"; }));
    else
      CHECK(nobody_has(ready));
  }
}
