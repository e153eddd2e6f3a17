// Binding is the proof that a display is free: looking first and binding later would race, and a
// connect shows only who listens. Both families are tried on their wildcard address, so that a
// holder of one address or one family alone is met, too.
#include "host/listen.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "host/observe.hpp"
#include "nl/socket_diag.hpp"
#include "nutshell/error.hpp"
#include "nutshell/paths.hpp"

namespace nutshell::host {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] int family() const { return storage.ss_family; }
};

Address make_address(const std::string& text, std::uint16_t port) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.length = sizeof *v4;
  } else if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.length = sizeof *v6;
  } else {
    throw ConfigError(
        "--vnc-listen",
        fmt::format("'{}' is no numeric address; give one such as 127.0.0.1 or 0.0.0.0",
                    printable(text)));
  }
  return address;
}

/// Connections whose program is gone; they keep the port busy for up to a minute (RFC 9293, 3.6.1).
constexpr nl::TcpStates ending_states =
    nl::only(nl::TcpState::time_wait) | nl::only(nl::TcpState::fin_wait1) |
    nl::only(nl::TcpState::fin_wait2) | nl::only(nl::TcpState::closing) |
    nl::only(nl::TcpState::last_ack);

enum class Reuse { no, over_finished };

/// 0, or the errno of bind.
int try_bind(Fd& socket, const Address& address, Reuse reuse) {
  socket = Fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return errno;
  const int on = 1;
  if (address.family() == AF_INET6)
    setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (reuse == Reuse::over_finished)
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return bind(socket.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) ==
                 0
             ? 0
             : errno;
}

/// True when the wildcard of this family could be bound; a family that the host lacks holds
/// nothing.
bool wildcard_is_free(const char* wildcard, std::uint16_t port, Reuse reuse) {
  Fd probe;
  return try_bind(probe, make_address(wildcard, port), reuse) != EADDRINUSE;
}

}  // namespace

std::string port_holder(std::uint16_t port) {
  for (const nl::TcpSocket& socket : nl::list_tcp_sockets(port, port))
    return socket_holder(socket.inode);
  return "";
}

void check_listen_address(const std::string& address) {
  Fd socket;
  if (try_bind(socket, make_address(address, 0), Reuse::no) == EADDRNOTAVAIL)
    throw ConfigError(
        "--vnc-listen",
        fmt::format("{} is no address of this host; `ip address` shows those it has", address));
}

std::string port_taken_by(const std::string& address, std::uint16_t port, bool udp) {
  const Address wanted = make_address(address.empty() ? "0.0.0.0" : address, port);
  const Fd socket(::socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0));
  if (!socket) throw SystemError(errno, fmt::format("port {}: cannot be tried", port));
  const int on = 1;
  if (!udp) setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&wanted.storage), wanted.length) == 0)
    return udp || listen(socket.get(), 1) == 0 ? "" : "another process";
  if (errno == EADDRNOTAVAIL)
    throw ConfigError("--publish", fmt::format("{} is no address of this host; `ip address` shows "
                                               "those it has",
                                               address));
  if (errno != EADDRINUSE) throw SystemError(errno, fmt::format("port {}: cannot be tried", port));
  const std::string holder = udp ? "" : port_holder(port);
  return holder.empty() ? "another process" : holder;
}

Fd listen_unix(const std::string& path) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() > longest_socket_path)
    throw Failed(fmt::format("the socket path {} is longer than {} bytes; choose a shorter --root",
                             path, longest_socket_path));
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const mode_t before = umask(0177);
  const bool bound = socket && bind(socket.get(), reinterpret_cast<const sockaddr*>(&address),
                                    sizeof address) == 0;
  const int error = errno;
  umask(before);
  if (!bound) throw SystemError(error, fmt::format("socket {}: cannot be made", path));
  if (listen(socket.get(), 1) != 0)
    throw SystemError(errno, fmt::format("socket {}: cannot listen", path));
  return socket;
}

DisplaySocket listen_display(const std::string& address, unsigned display) {
  const auto port = static_cast<std::uint16_t>(5900 + display);
  const Address wanted = make_address(address, port);
  Reuse reuse = Reuse::no;
  if (!wildcard_is_free("0.0.0.0", port, reuse) || !wildcard_is_free("::", port, reuse)) {
    // Somebody is there, or only the memory of connections that have ended. The kernel's list of
    // sockets tells.
    const std::string holder = port_holder(port);
    if (!holder.empty()) return {Fd(), holder};
    // Before Linux 6.8 who is bound and does not listen is not in the list, so it has to show what
    // has ended: SO_REUSEADDR would also let us beside such a one.
    if (nl::list_tcp_sockets(port, port, ending_states).empty()) return {Fd(), "another process"};
    reuse = Reuse::over_finished;
    if (!wildcard_is_free("0.0.0.0", port, reuse) || !wildcard_is_free("::", port, reuse))
      return {Fd(), "another process"};
  }
  Fd socket;
  if (const int error = try_bind(socket, wanted, reuse)) {
    if (error == EADDRINUSE) return {Fd(), "another process"};
    if (error == EADDRNOTAVAIL)
      throw ConfigError(
          "--vnc-listen",
          fmt::format("{} is no address of this host; `ip address` shows those it has", address));
    throw SystemError(error, fmt::format("VNC: cannot bind {} port {}", address, port));
  }
  if (listen(socket.get(), 5) != 0) {
    if (errno == EADDRINUSE) return {Fd(), "another process"};
    throw SystemError(errno, fmt::format("VNC: cannot listen on {} port {}", address, port));
  }
  return {std::move(socket), ""};
}

}  // namespace nutshell::host
