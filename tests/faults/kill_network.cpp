// Loaded into a command by LD_PRELOAD, it kills the command at the N-th step by which a managed
// network comes or goes: a netlink message that changes something, a write below /proc/sys, a file
// of a network or its folder made, renamed or removed, a fork (nft, dnsmasq). An odd
// NUTSHELL_KILL_AT kills before that step, an even one right after it. What the command starts is
// not haunted.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>

namespace {

long at = 0, moments = 0;
const char* report = nullptr;

template <typename Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

ssize_t write_for_real(int fd, const void* data, size_t size) {
  static const auto call = real<ssize_t (*)(int, const void*, size_t)>("write");
  return call(fd, data, size);
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
  if (moments == at) raise(SIGKILL);
}

/// Orders are taken out of the environment at once.
struct Order {
  Order() {
    if (const char* text = std::getenv("NUTSHELL_KILL_AT")) at = std::strtol(text, nullptr, 10);
    if (const char* text = std::getenv("NUTSHELL_KILL_COUNT")) report = strdup(text);
    for (const char* name : {"LD_PRELOAD", "NUTSHELL_KILL_AT", "NUTSHELL_KILL_COUNT"})
      unsetenv(name);
    pthread_atfork(pass_moment, pass_moment, [] {
      at = 0;
      report = nullptr;
    });
  }
};
const Order order;

bool is_of_network(const char* path) {
  return std::strstr(path, "/run/net-") || std::strstr(path, "/state/networks");
}

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

/// The path of an open file.
std::string target_of(int fd) {
  char link[64], name[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, name, sizeof name);
  return {name, length > 0 ? static_cast<size_t>(length) : 0};
}

bool is_setting(int fd) { return target_of(fd).starts_with("/proc/sys/"); }

template <typename Act>
auto haunted(bool counts, Act act) {
  if (counts) pass_moment();
  const auto done = act();
  if (counts) pass_moment();
  return done;
}

}  // namespace

extern "C" {
ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static const auto call = real<ssize_t (*)(int, const msghdr*, int)>("sendmsg");
  return haunted(changes_network(fd, message), [&] { return call(fd, message, flags); });
}
ssize_t write(int fd, const void* data, size_t size) {
  return haunted(is_setting(fd), [&] { return write_for_real(fd, data, size); });
}
int rename(const char* from, const char* to) {
  static const auto call = real<int (*)(const char*, const char*)>("rename");
  return haunted(is_of_network(to), [&] { return call(from, to); });
}
int unlinkat(int folder, const char* name, int flags) {
  static const auto call = real<int (*)(int, const char*, int)>("unlinkat");
  const std::string path = folder == AT_FDCWD ? name : target_of(folder) + "/" + name;
  return haunted(is_of_network(path.c_str()), [&] { return call(folder, name, flags); });
}
int rmdir(const char* path) {
  static const auto call = real<int (*)(const char*)>("rmdir");
  return haunted(is_of_network(path), [&] { return call(path); });
}
int mkdir(const char* path, mode_t mode) {
  static const auto call = real<int (*)(const char*, mode_t)>("mkdir");
  return haunted(is_of_network(path), [&] { return call(path, mode); });
}
}
