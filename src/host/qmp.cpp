// A small synchronous client. Messages are lines of JSON; events may come between a command and its
// answer, and before the first answer, so they are sorted out wherever they are met.
#include "host/qmp.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "host/lock.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

// A message of QEMU's is small; screens and disks do not pass here.
constexpr std::size_t longest_message = 16 * 1024 * 1024;

int milliseconds_until(std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                        deadline - std::chrono::steady_clock::now())
                        .count();
  return left < 0 ? 0 : static_cast<int>(left);
}

Fd connect_socket(const std::string& path, const std::string& who) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    throw Failed(fmt::format("{}: the socket path {} is too long", who, path));
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (!socket ||
      connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    throw SystemError(error, fmt::format("{}: cannot connect to {}", who, path));
  }
  return socket;
}

}  // namespace

Qmp Qmp::call(const Place& place, Duration timeout) {
  std::optional<Lock> lock;
  if (!place.lock.empty())
    lock = Lock::exclusive(place.lock, timeout, fmt::format("{}: the control socket", place.who));
  return {std::move(lock), connect_socket(place.socket, place.who), place};
}

void Qmp::greet(Duration timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto message = read_message(deadline);
    if (!message)
      throw WaitNotMet(fmt::format(
          "{}: QEMU did not answer on {} within {} s (stuck, or busy with another client)", who_,
          path_, timeout.count() / 1000));
    if (message->find("QMP")) break;
    if (message->find("event")) events_.push_back(*message);
  }
  execute("qmp_capabilities", {}, -1, timeout);
}

Qmp Qmp::connect(const Place& place, Duration timeout) {
  Qmp qmp = call(place, timeout);
  qmp.greet(timeout);
  return qmp;
}

void Qmp::send(const std::string& text, int fd) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  std::size_t sent = 0;
  while (sent < text.size()) {
    part = {const_cast<char*>(text.data()) + sent, text.size() - sent};
    const ssize_t n = sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw SystemError(errno, fmt::format("{}: cannot write to QEMU", who_));
    sent += static_cast<std::size_t>(n);
    message.msg_control = nullptr;
    message.msg_controllen = 0;
  }
}

std::optional<Json> Qmp::read_message(Deadline deadline) {
  for (;;) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      const std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      if (line.find_first_not_of(" \r\t") == std::string::npos) continue;
      return Json::parse(line);
    }
    pollfd waiting{socket_.get(), POLLIN, 0};
    const int ready = poll(&waiting, 1, milliseconds_until(deadline));
    // A QEMU that stands still must not make Ctrl-C wait: signals that we do not handle never get
    // here.
    if (ready < 0 && errno == EINTR)
      throw Interrupted(fmt::format("{}: interrupted while QEMU was asked", who_));
    if (ready < 0) throw SystemError(errno, fmt::format("{}: cannot wait for QEMU", who_));
    if (ready == 0) return std::nullopt;
    char buffer[65536];
    const ssize_t n = read(socket_.get(), buffer, sizeof buffer);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0)
      throw Failed(
          fmt::format("{}: QEMU closed its control socket; see `nutshell log {}`", who_, who_));
    unread_.append(buffer, static_cast<std::size_t>(n));
    if (unread_.size() > longest_message)
      throw Failed(fmt::format("{}: QEMU floods its control socket", who_));
  }
}

Json Qmp::execute(const std::string& command, const Json& arguments, int fd, Duration timeout) {
  Json request = Json::object({{"execute", command}});
  if (arguments.is_object()) request.set("arguments", arguments);
  send(request.dump() + "\n", fd);
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    auto message = read_message(deadline);
    if (!message)
      throw WaitNotMet(fmt::format("{}: QEMU did not answer {} within {} s", who_, command,
                                   timeout.count() / 1000));
    if (message->find("event")) {
      events_.push_back(std::move(*message));
      continue;
    }
    if (const Json* error = message->find("error"))
      throw Failed(fmt::format("{}: QEMU refused {}: {}", who_, command,
                               error->text("desc", "no reason given")));
    if (const Json* result = message->find("return")) return *result;
  }
}

std::optional<Json> Qmp::next_event(Duration timeout) {
  if (events_.empty()) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    for (;;) {
      auto message = read_message(deadline);
      if (!message) return std::nullopt;
      if (message->find("event")) return message;
    }
  }
  Json first = std::move(events_.front());
  events_.pop_front();
  return first;
}

}  // namespace nutshell::host
