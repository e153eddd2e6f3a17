// A signal that comes between a look at what is there and the wait for more must end that wait.
#pragma once
#include <csignal>

namespace nutshell::host {

/// Keeps SIGINT and SIGTERM waiting as long as it lives; open() is the mask for ppoll(2), which
/// lets them in.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t held;
    sigemptyset(&held);
    for (const int each : {SIGINT, SIGTERM}) sigaddset(&held, each);
    ::pthread_sigmask(SIG_BLOCK, &held, &before_);
  }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
  ~SignalsHeld() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  /// As it was before.
  [[nodiscard]] const sigset_t* open() const { return &before_; }

 private:
  sigset_t before_;
};

}  // namespace nutshell::host
