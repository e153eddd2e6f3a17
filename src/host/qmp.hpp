// The QEMU Machine Protocol over a Unix socket (QEMU: docs/interop/qmp-spec). One client at a time:
// commands take the lock beside the socket.
#pragma once
#include <chrono>
#include <deque>
#include <optional>
#include <string>

#include "host/fd.hpp"
#include "host/lock.hpp"
#include "nutshell/json.hpp"

namespace nutshell::host {

class Qmp {
 public:
  using Duration = std::chrono::milliseconds;
  /// Room for 32 machines that start at once on two cores.
  static constexpr Duration default_timeout{30000};

  struct Place {
    std::string socket;  ///< path of the socket
    std::string lock;    ///< path of the lock that commands take; empty: none (the watching socket)
    std::string who;     ///< the machine, for errors
  };
  /// call() and greet(). Throws WaitNotMet naming what was waited for, SystemError when nobody
  /// listens.
  static Qmp connect(const Place& place, Duration timeout = default_timeout);
  /// Takes the lock and connects: from then on nobody else is first. It needs no answer, so QEMU
  /// may still be starting.
  static Qmp call(const Place& place, Duration timeout = default_timeout);
  /// Reads the greeting, and leaves negotiation mode. Throws WaitNotMet, and Failed when QEMU ends.
  void greet(Duration timeout = default_timeout);

  /// Runs one command and returns what it returned. `fd` is sent along with it (SCM_RIGHTS), for
  /// getfd and add-fd. Events that come meanwhile are kept. Throws Failed with QEMU's own words, or
  /// WaitNotMet.
  Json execute(const std::string& command, const Json& arguments = {}, int fd = -1,
               Duration timeout = default_timeout);
  /// The next event, kept or new; nullopt when none came in time. Throws Failed when QEMU closed
  /// the socket.
  std::optional<Json> next_event(Duration timeout);
  /// For poll(2).
  [[nodiscard]] int descriptor() const { return socket_.get(); }

 private:
  Qmp(std::optional<Lock> lock, Fd socket, const Place& place)
      : lock_(std::move(lock)), socket_(std::move(socket)), path_(place.socket), who_(place.who) {}
  using Deadline = std::chrono::steady_clock::time_point;
  std::optional<Json> read_message(Deadline deadline);
  void send(const std::string& text, int fd);

  std::optional<Lock> lock_;
  Fd socket_;
  std::string path_, who_, unread_;
  std::deque<Json> events_;
};

}  // namespace nutshell::host
