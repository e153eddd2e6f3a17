// qemu-bridge-helper is the one setuid program of QEMU: it makes a tap on an allowed bridge and
// passes the descriptor back over a socket. We run it ourselves, because QEMU under its sandbox may
// start nothing.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "host/handles.hpp"
#include "host/setup.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr int helper_limit_ms = 10000;
constexpr int fd_of_helper = 3;

Fd receive_descriptor(int socket) {
  char byte;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  pollfd waiting{socket, POLLIN, 0};
  if (poll(&waiting, 1, helper_limit_ms) <= 0) return {};
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) <= 0) return {};
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_type != SCM_RIGHTS) return {};
  int fd;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return Fd(fd);
}

}  // namespace

Fd tap_by_helper(const std::string& helper, const std::string& bridge) {
  if (helper.empty())
    throw Failed(fmt::format(
        "bridge {} needs root, or a qemu-bridge-helper that is setuid root and `allow {}` in "
        "/etc/qemu/bridge.conf, which root may set up; or use --nic user",
        bridge, bridge));
  int pair[2], output[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 ||
      pipe2(output, O_CLOEXEC) != 0)
    throw SystemError(errno, helper + ": cannot be prepared");
  const Fd ours(pair[0]), output_read(output[0]);
  Fd theirs(pair[1]), output_write(output[1]);
  const std::string fd_option = fmt::format("--fd={}", fd_of_helper),
                    bridge_option = "--br=" + bridge;
  const pid_t pid = fork();
  if (pid < 0) throw SystemError(errno, helper + ": cannot be started");
  if (pid == 0) {
    if (dup2(output_write.get(), 2) < 0) _exit(127);
    if (theirs.get() == fd_of_helper ? fcntl(fd_of_helper, F_SETFD, 0) != 0
                                     : dup2(theirs.get(), fd_of_helper) < 0)
      _exit(127);
    execl(helper.c_str(), helper.c_str(), "--use-vnet", fd_option.c_str(), bridge_option.c_str(),
          static_cast<char*>(nullptr));
    _exit(127);
  }
  theirs.reset();
  output_write.reset();
  Fd tap = receive_descriptor(ours.get());
  if (!tap) kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  if (tap) return tap;
  char said[512] = {};
  const ssize_t n = read(output_read.get(), said, sizeof said - 1);
  std::string reason(said, n > 0 ? static_cast<std::size_t>(n) : 0);
  while (!reason.empty() && (reason.back() == '\n' || reason.back() == ' ')) reason.pop_back();
  std::string cure = acl_trouble(bridge);
  if (cure.empty())
    cure = fmt::format("root may allow it with `nutshell setup --bridge {}`", bridge);
  throw Failed(fmt::format("bridge {}: the bridge helper gave no tap ({}); {}", bridge,
                           reason.empty() ? "it said nothing" : printable(reason), cure));
}

}  // namespace nutshell::host
