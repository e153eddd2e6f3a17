// A fresh network namespace for one test body, so that links, addresses and traffic of a test can
// touch nobody. The idea: a network namespace belongs to a thread, not to a process. The body runs
// in a thread that has unshared its own, loopback up; processes that it starts inherit it; when the
// thread and they are gone, the kernel drops it all. Failed checks and exceptions of the body come
// out of in_new_netns() as if it had run in place.
#pragma once

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace netns {

/// One descriptor of a network namespace; it keeps the namespace alive while it is open.
class Handle {
 public:
  explicit Handle(int fd) : fd_(fd) {}
  Handle(Handle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Handle() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

/// The calling thread's namespace. (Not /proc/self/..., which is the main thread's.)
inline Handle current() {
  int fd = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    throw std::system_error(errno, std::generic_category(),
                            "cannot open this thread's network namespace");
  return Handle(fd);
}

/// Sets the loopback of the calling thread's namespace up.
inline void raise_loopback() {
  int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "cannot open a socket");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  int rc = ::ioctl(fd, SIOCSIFFLAGS, &request);
  int error = errno;
  ::close(fd);
  if (rc < 0) throw std::system_error(error, std::generic_category(), "cannot set the loopback up");
}

/// Runs `body` in a thread of its own after `enter`, waits for it, and rethrows what it threw.
inline void in_thread(const std::function<void()>& enter, const std::function<void()>& body) {
  std::exception_ptr thrown;
  std::thread thread([&] {
    try {
      enter();
      body();
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  thread.join();
  if (thrown) std::rethrow_exception(thrown);
}

/// Runs `body` in a new network namespace with loopback up. Needs CAP_SYS_ADMIN.
inline void in_new_netns(const std::function<void()>& body) {
  in_thread(
      [] {
        if (::unshare(CLONE_NEWNET) != 0) {
          throw std::system_error(errno, std::generic_category(),
                                  "cannot make a network namespace (run the tests as root)");
        }
        raise_loopback();
      },
      body);
}

/// Runs `body` in the namespace that `where` holds. Needs CAP_SYS_ADMIN.
inline void in_netns(const Handle& where, const std::function<void()>& body) {
  in_thread(
      [&] {
        if (::setns(where.fd(), CLONE_NEWNET) != 0) {
          throw std::system_error(errno, std::generic_category(),
                                  "cannot enter the network namespace");
        }
      },
      body);
}

/// A new network namespace with loopback up, to be entered with in_netns(). Needs CAP_SYS_ADMIN.
inline Handle make() {
  Handle made(-1);
  in_new_netns([&] { made = current(); });
  return made;
}

}  // namespace netns
