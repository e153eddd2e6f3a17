// Loaded into a command by LD_PRELOAD, it kills the command at the N-th message that changes the
// network (RTM_NEW* and RTM_DEL* on a route socket). An odd NUTSHELL_KILL_AT kills before the
// message is sent, an even one right after it. The dead-man, a fork of the command, counts anew,
// and dies by NUTSHELL_KILL_DEADMAN in the same way. What the command executes is not haunted.
#include <dlfcn.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace {

using Send = ssize_t (*)(int, const msghdr*, int);
Send real_send() {
  static const auto found = reinterpret_cast<Send>(dlsym(RTLD_NEXT, "sendmsg"));
  return found;
}

long at = 0, at_in_child = 0, moments = 0;
const char *report = nullptr, *vanish = nullptr;

/// Orders are taken out of the environment at once.
struct Order {
  Order() {
    if (const char* text = std::getenv("NUTSHELL_KILL_AT")) at = std::strtol(text, nullptr, 10);
    if (const char* text = std::getenv("NUTSHELL_KILL_DEADMAN"))
      at_in_child = std::strtol(text, nullptr, 10);
    if (const char* text = std::getenv("NUTSHELL_KILL_COUNT")) report = strdup(text);
    if (const char* text = std::getenv("NUTSHELL_VANISH")) vanish = strdup(text);
    for (const char* name : {"LD_PRELOAD", "NUTSHELL_KILL_AT", "NUTSHELL_KILL_DEADMAN",
                             "NUTSHELL_KILL_COUNT", "NUTSHELL_VANISH"})
      unsetenv(name);
    pthread_atfork(nullptr, nullptr, [] {
      at = at_in_child;
      moments = 0;
      report = nullptr;
    });
  }
};
const Order order;

bool changes_network(int fd, const msghdr* message) {
  int domain = 0, protocol = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_NETLINK)
    return false;
  size = sizeof protocol;
  if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0 || protocol != NETLINK_ROUTE)
    return false;
  if (message->msg_iovlen < 1 || message->msg_iov[0].iov_len < sizeof(nlmsghdr)) return false;
  nlmsghdr head{};
  std::memcpy(&head, message->msg_iov[0].iov_base, sizeof head);
  return head.nlmsg_type >= RTM_BASE && (head.nlmsg_type & 3) < 2;  // the others ask
}

/// One more moment at which the command could be killed.
void pass_moment() {
  ++moments;
  if (report) {
    if (FILE* file = std::fopen(report, "we")) {
      std::fprintf(file, "%ld\n", moments);
      std::fclose(file);
    }
  }
  if (moments != at) return;
  if (!vanish) raise(SIGKILL);
  if (std::system(vanish) != 0) std::fputs("kill_netlink: what was to vanish did not\n", stderr);
}

}  // namespace

extern "C" ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  const bool counts = changes_network(fd, message);
  if (counts) pass_moment();
  const ssize_t sent = real_send()(fd, message, flags);
  if (counts) pass_moment();
  return sent;
}
