// Who holds which TCP port: every way of holding one that a probe by connecting would miss.
#include "nl/socket_diag.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>

#include "netns/namespace.hpp"
#include "witness.hpp"

using netns::in_new_netns;

namespace {

enum class Listen { no, yes };

/// A TCP socket bound to `ip`:`port`, perhaps listening; for :: IPv6 only.
class Holder {
 public:
  Holder(const char* ip, std::uint16_t port, Listen listen) {
    const nl::Ip address = nl::Ip::parse(ip).value();
    const int on = 1;
    fd_ = ::socket(static_cast<int>(address.family), SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd_ >= 0);
    int rc = 0;
    if (address.family == nl::Family::v6) {
      REQUIRE(::setsockopt(fd_, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0);
      sockaddr_in6 to{};
      to.sin6_family = AF_INET6;
      to.sin6_port = htons(port);
      std::copy(address.bytes.begin(), address.bytes.end(), to.sin6_addr.s6_addr);
      rc = ::bind(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    } else {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(port);
      to.sin_addr.s_addr = htonl(address.as_v4());
      rc = ::bind(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }
    REQUIRE(rc == 0);
    if (listen == Listen::yes) REQUIRE(::listen(fd_, 1) == 0);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() { ::close(fd_); }

  std::uint32_t inode() const {
    struct stat info {};
    REQUIRE(::fstat(fd_, &info) == 0);
    return static_cast<std::uint32_t>(info.st_ino);
  }

 private:
  int fd_ = -1;
};

/// Kernels tell of bound sockets that do not listen from 6.8 on.
bool kernel_tells_bound() {
  utsname name{};
  int major = 0, minor = 0;
  ::uname(&name);
  return std::sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
         (major > 6 || (major == 6 && minor >= 8));
}

}  // namespace

TEST_CASE("listeners of both families are listed, with address, inode and owner") {
  in_new_netns([] {
    const Holder v4("127.0.0.1", 5901, Listen::yes), v6("::", 5902, Listen::yes),
        every("0.0.0.0", 5903, Listen::yes);
    const Holder below("0.0.0.0", 5899, Listen::yes), above("::1", 5910, Listen::yes);
    const auto found = nl::list_tcp_sockets(5900, 5909);
    REQUIRE(found.size() == 3);
    for (const auto& one : found) {
      CHECK(one.state == nl::TcpState::listen);
      CHECK(one.uid == ::getuid());
      CHECK(one.remote_port == 0);
      const Holder& holder = one.port == 5901 ? v4 : one.port == 5902 ? v6 : every;
      CHECK(one.inode == holder.inode());
      CHECK(one.local.text() == (one.port == 5901   ? "127.0.0.1"
                                 : one.port == 5902 ? "::"
                                                    : "0.0.0.0"));
      CHECK(one.v6_only == (one.port == 5902));
    }
    CHECK(nl::list_tcp_sockets(5899, 5910).size() == 5);
    CHECK(nl::list_tcp_sockets(5902, 5902).size() == 1);
    CHECK(nl::list_tcp_sockets(0, 65535).size() == 5);
    CHECK(nl::list_tcp_sockets(5909, 5900).empty());
  });
}

TEST_CASE("a socket that is bound and does not listen is listed") {
  in_new_netns([] {
    const Holder v4("127.0.0.1", 5901, Listen::no), v6("::1", 5902, Listen::no);
    const auto found = nl::list_tcp_sockets(5900, 5910);
    if (!kernel_tells_bound()) {
      MESSAGE("kernels before 6.8 do not tell");
      CHECK(found.empty());
      return;
    }
    REQUIRE(found.size() == 2);
    CHECK(found[0].port == 5901);
    CHECK(found[0].local.text() == "127.0.0.1");
    CHECK(found[0].state == nl::TcpState::bound_inactive);
    CHECK(found[0].inode == v4.inode());
    CHECK(found[1].local.text() == "::1");
    CHECK(found[1].inode == v6.inode());
    CHECK(nl::list_tcp_sockets(5900, 5910, nl::only(nl::TcpState::listen)).empty());
  });
}

TEST_CASE("an IPv6 listener beside an IPv4 one on the same port: both are listed") {
  in_new_netns([] {
    const Holder v4("0.0.0.0", 5905, Listen::yes), v6("::", 5905, Listen::yes);
    CHECK(nl::list_tcp_sockets(5905, 5905).size() == 2);
  });
}

TEST_CASE("connections are listed on demand, with their remote end") {
  in_new_netns([] {
    const Holder server("127.0.0.1", 5901, Listen::yes);
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(5901);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(client, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    sockaddr_in from{};
    socklen_t size = sizeof from;
    REQUIRE(::getsockname(client, reinterpret_cast<sockaddr*>(&from), &size) == 0);
    const auto found = nl::list_tcp_sockets(5901, 5901, nl::only(nl::TcpState::established));
    REQUIRE(found.size() == 1);
    CHECK(found[0].remote_port == ntohs(from.sin_port));
    CHECK(found[0].remote.text() == "127.0.0.1");
    ::close(client);
  });
}

TEST_CASE("sockets of another namespace are not ours") {
  in_new_netns([] {
    const Holder here("0.0.0.0", 5901, Listen::yes);
    in_new_netns([] { CHECK(nl::list_tcp_sockets(5900, 5999).empty()); });
  });
}
