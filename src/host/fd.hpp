// The one owner of a file descriptor in this room: closes it when it goes, moves, never copies.
#pragma once
#include <unistd.h>

#include <utility>

namespace nutshell::host {

/// An open descriptor, or none. Whoever opens one gives O_CLOEXEC; only start's child clears that.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Fd() { reset(); }

  /// The number, or -1.
  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  /// Gives the number away; the caller closes it.
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  /// Closes what it has, and takes `fd`. An error of close(2) has nobody to tell it to.
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace nutshell::host
