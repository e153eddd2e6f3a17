// A piece of a test in a process of its own: it may lose its rights, have its own mounts, be
// killed. What it has to say comes back through a pipe.
#pragma once
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

namespace store_test {

class Child {
 public:
  /// Runs `body` in a child; it is given a pause() that returns when the parent calls let_go().
  /// What it returns, or the sentence of what it throws, is its answer.
  using Body = std::function<std::string(const std::function<void()>& pause)>;
  explicit Child(const Body& body) {
    int up[2], down[2];
    if (pipe2(up, O_CLOEXEC) || pipe2(down, O_CLOEXEC)) throw std::runtime_error("pipe");
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("fork");
    if (pid_ == 0) {
      close(up[0]);
      close(down[1]);
      std::string answer;
      try {
        answer = body([&] {
          char c = '!';
          (void)!write(up[1], &c, 1);
          (void)!read(down[0], &c, 1);
        });
      } catch (const std::exception& error) {
        answer = error.what();
      }
      (void)!write(up[1], answer.data(), answer.size());
      _exit(0);
    }
    close(up[1]);
    close(down[0]);
    answer_ = up[0];
    hold_ = down[1];
  }
  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)),
        answer_(std::exchange(other.answer_, -1)),
        hold_(std::exchange(other.hold_, -1)) {}
  ~Child() {
    if (pid_ > 0) kill_it();
    close(answer_);
    if (hold_ >= 0) close(hold_);
  }
  /// Waits until the child pauses.
  void paused() const {
    char c = 0;
    if (read(answer_, &c, 1) != 1 || c != '!') throw std::runtime_error("the child did not pause");
  }
  void let_go() {
    if (hold_ >= 0) close(std::exchange(hold_, -1));
  }
  void kill_it() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  /// Waits for its end.
  std::string answer() {
    let_go();
    std::string text;
    char buffer[4096];
    for (ssize_t n = 0; (n = read(answer_, buffer, sizeof buffer)) > 0;) {
      text.append(buffer, static_cast<std::size_t>(n));
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    if (WIFSIGNALED(status)) text += " (killed by signal " + std::to_string(WTERMSIG(status)) + ")";
    return text;
  }

 private:
  pid_t pid_ = -1;
  int answer_ = -1, hold_ = -1;
};

inline std::string in_child(const std::function<std::string()>& body) {
  return Child([&](const std::function<void()>&) { return body(); }).answer();
}

/// Gives up root, for whom no file is read-only. In a child only.
inline void become_nobody() {
  if (geteuid() != 0) return;
  if (setgroups(0, nullptr) || setgid(65534) || setuid(65534)) {
    throw std::runtime_error("cannot give up root");
  }
}

}  // namespace store_test
