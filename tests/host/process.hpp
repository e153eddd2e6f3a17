// Child processes of a test: forked to run a function, or started from an argv; killed and reaped
// when the test is done with them.
#pragma once
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace process {

class Child {
 public:
  explicit Child(const std::function<void()>& body) {
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("cannot fork");
    if (pid_ > 0) ::setpgid(pid_, pid_);
    if (pid_ == 0) {
      ::setpgid(0, 0);
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a killed test leaves none of them
      int status = 0;
      try {
        body();
      } catch (...) {
        status = 99;
      }
      ::_exit(status);
    }
  }
  explicit Child(const std::vector<std::string>& argv)
      : Child([&] {
          std::vector<char*> words;
          for (const std::string& each : argv) words.push_back(const_cast<char*>(each.c_str()));
          words.push_back(nullptr);
          ::execvp(words[0], words.data());
          ::_exit(127);
        }) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { kill(); }

  [[nodiscard]] int pid() const { return pid_; }
  /// Waits for its end; the exit status, or -1 when a signal ended it.
  int wait() {
    if (pid_ <= 0) return status_;
    int raw = 0;
    ::waitpid(pid_, &raw, 0);
    pid_ = -1;
    status_ = WIFEXITED(raw) ? WEXITSTATUS(raw) : -1;
    return status_;
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);  // with what it started
    wait();
  }

 private:
  int pid_ = -1;
  int status_ = -1;
};

}  // namespace process
