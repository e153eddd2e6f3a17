// The route socket that every operation of this library goes through.
#pragma once

#include <memory>

namespace nl {

class Wire;

/// A NETLINK_ROUTE socket in the network namespace that the calling thread has when it is made; it
/// stays there even if the thread moves on. Close-on-exec, move-only; one thread at a time. Throws
/// nl::Error.
class Socket {
 public:
  Socket();
  Socket(Socket&&) noexcept;
  Socket& operator=(Socket&&) noexcept;
  ~Socket();

  /// The descriptor, for poll() or to look at; the Socket keeps it.
  int fd() const;
  /// For the library's own sources.
  Wire& wire() { return *wire_; }

 private:
  std::unique_ptr<Wire> wire_;
};

}  // namespace nl
