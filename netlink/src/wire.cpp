// The conversation with the kernel: send one message, read until it says "done" or "no". libnl
// gives the socket, the buffers and the attributes; its receive loop and its caches are left out,
// because they go through C callbacks that an exception must not cross, turn each errno into a
// smaller set of their own, and copy each message once more.
#include "wire.hpp"

#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cstdlib>

#include "nl/socket.hpp"

namespace nl {
namespace {

constexpr std::size_t receive_buffer =
    64 * 1024;                          // the kernel fills at most 32 KiB of a dump at a time
constexpr int max_datagrams = 100'000;  // 3 GiB of answer: something is very wrong by then

void set_option(int fd, int option) {
  const int on = 1;
  ::setsockopt(fd, SOL_NETLINK, option, &on,
               sizeof on);  // older kernels lack some; each is only a nicety
}

std::string extended_ack(nlmsghdr* message) {
  if (!(message->nlmsg_flags & NLM_F_ACK_TLVS)) return {};
  const auto* error = static_cast<const nlmsgerr*>(::nlmsg_data(message));
  int skip = static_cast<int>(sizeof(nlmsgerr));
  if (!(message->nlmsg_flags & NLM_F_CAPPED)) {
    skip += static_cast<int>(NLMSG_ALIGN(error->msg.nlmsg_len) - NLMSG_HDRLEN);
  }
  const int length = ::nlmsg_datalen(message) - skip;
  if (length <= 0) return {};
  return Attributes(static_cast<char*>(::nlmsg_data(message)) + skip, length)
      .text(NLMSGERR_ATTR_MSG);
}

}  // namespace

void Wire::Close::operator()(nl_sock* socket) const { ::nl_socket_free(socket); }

Wire::Wire(int protocol) : socket_(::nl_socket_alloc()) {
  if (!socket_) throw std::bad_alloc();
  errno = 0;
  if (::nl_connect(socket_.get(), protocol) < 0)
    throw Error("netlink", "open a socket", errno ? errno : EIO);
  ::nl_socket_disable_msg_peek(socket_.get());
  ::nl_socket_set_msg_buf_size(socket_.get(), receive_buffer);
  set_option(fd(), NETLINK_EXT_ACK);
  set_option(fd(), NETLINK_CAP_ACK);
  const timeval patience{10, 0};
  ::setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

int Wire::fd() const { return ::nl_socket_get_fd(socket_.get()); }

Answer Wire::exchange(Message& message, const std::function<void(nlmsghdr*)>& each) {
  message.raw()->nlmsg_seq = NL_AUTO_SEQ;
  errno = 0;
  if (::nl_send_auto(socket_.get(), message.get()) < 0)
    throw Error("netlink", "send", errno ? errno : EIO);
  const unsigned sequence = message.raw()->nlmsg_seq;

  Answer answer;
  for (int i = 0; i < max_datagrams; ++i) {
    sockaddr_nl from{};
    unsigned char* taken = nullptr;
    errno = 0;
    int left = ::nl_recv(socket_.get(), &from, &taken, nullptr);
    const std::unique_ptr<unsigned char, decltype(&::free)> buffer(taken, &::free);
    if (left <= 0) {
      const int code = left == -NLE_AGAIN ? ETIMEDOUT : left == -NLE_MSG_TRUNC ? EMSGSIZE : errno;
      throw Error("netlink", "read the answer", code ? code : EIO);
    }
    if (from.nl_pid != 0) continue;  // not the kernel
    for (auto* part = reinterpret_cast<nlmsghdr*>(buffer.get()); ::nlmsg_ok(part, left);
         part = ::nlmsg_next(part, &left)) {
      if (part->nlmsg_seq != sequence) continue;  // the rest of a conversation that was given up
      if (part->nlmsg_flags & NLM_F_DUMP_INTR) answer.consistent = false;
      if (part->nlmsg_type == NLMSG_ERROR) {
        answer.error = -static_cast<const nlmsgerr*>(::nlmsg_data(part))->error;
        answer.kernel_says = extended_ack(part);
        return answer;
      }
      if (part->nlmsg_type == NLMSG_DONE) {
        if (::nlmsg_datalen(part) >= static_cast<int>(sizeof(int))) {
          const int status = *static_cast<const int*>(::nlmsg_data(part));
          if (status < 0) answer.error = -status;
        }
        return answer;
      }
      if (part->nlmsg_type != NLMSG_NOOP && each) each(part);
    }
  }
  throw Error("netlink", "read the answer", EOVERFLOW);
}

Socket::Socket() : wire_(std::make_unique<Wire>(NETLINK_ROUTE)) {}
Socket::Socket(Socket&&) noexcept = default;
Socket& Socket::operator=(Socket&&) noexcept = default;
Socket::~Socket() = default;
int Socket::fd() const { return wire_->fd(); }

}  // namespace nl
