// A macvtap link is made over rtnetlink and opened as the character device tapN, N being its index.
// Neither /sys nor /dev can be trusted to be about it: /sys shows the namespace of whoever mounted
// it, and the tapN in /dev may be another namespace's link of the same index, where udev makes any
// at all. So the number comes from a fresh sysfs, and the node, where /dev lacks that very one,
// from a tmpfs that is mounted nowhere; both are gone with their descriptors.
#include "nl/macvtap.hpp"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/mount.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

#include "link_parts.hpp"

namespace nl {
namespace {

constexpr int max_queues = 256;  // MAX_TAP_QUEUES

class Descriptor {
 public:
  explicit Descriptor(long fd) : fd_(static_cast<int>(fd)) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// A file system of that type, mounted nowhere. Not there: an older kernel, or no right to it.
Descriptor detached(const char* type) {
  const Descriptor context(::syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
  if (!context || ::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0))
    return Descriptor(-1);
  return Descriptor(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0));
}

/// The text of a small file below `root`; "" where it cannot be read.
std::string read_below(int root, const std::string& path) {
  const Descriptor file(::openat(root, path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[64];
  const ssize_t size = file ? ::read(file.get(), text, sizeof text) : -1;
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

std::optional<dev_t> device_number(const std::string& text) {
  unsigned high = 0, low = 0;
  if (std::sscanf(text.c_str(), "%u:%u", &high, &low) != 2) return std::nullopt;
  return ::makedev(high, low);
}

std::optional<dev_t> find_device(const Link& link) {
  const std::string folder = "class/net/" + link.name + "/";
  const std::string node = folder + "macvtap/tap" + std::to_string(link.index) + "/dev";
  if (const Descriptor own = detached("sysfs"))
    if (const auto number = device_number(read_below(own.get(), node))) return number;
  // The host's, if it is about this very link.
  const Descriptor mounted(::open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!mounted || !link.mac) return std::nullopt;
  if (read_below(mounted.get(), folder + "ifindex") != std::to_string(link.index) + "\n" ||
      read_below(mounted.get(), folder + "address") != to_text(*link.mac) + "\n")
    return std::nullopt;
  return device_number(read_below(mounted.get(), node));
}

constexpr int open_flags = O_RDWR | O_CLOEXEC | O_NONBLOCK;

bool is_device(const Descriptor& file, dev_t number) {
  struct stat status {};
  return ::fstat(file.get(), &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == number;
}

/// A node of that number, open for nothing yet: through it the device is opened once for each
/// queue.
Descriptor find_node(const Link& link, dev_t number) {
  const std::string path = "/dev/tap" + std::to_string(link.index);
  if (Descriptor node(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
      node && is_device(node, number))
    return node;
  const Descriptor own = detached("tmpfs");
  if (!own || ::mknodat(own.get(), "tap", S_IFCHR | 0600, number) != 0) return Descriptor(-1);
  return Descriptor(::openat(own.get(), "tap", O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

}  // namespace

int make_macvtap(Socket& socket, const std::string& name, const MacvtapOptions& options) {
  require_name(name, "create macvtap");
  const int lower = link_index(socket, options.lower);
  make_link(
      socket, name, "macvtap",
      [&](Message& message) {
        message.value(IFLA_LINK, lower);
        message.value(IFLA_ADDRESS, options.mac);
        if (options.mtu) message.u32(IFLA_MTU, *options.mtu);
      },
      [&](Message& message) {
        message.u32(IFLA_MACVLAN_MODE, static_cast<std::uint32_t>(options.mode));
      });
  return link_index(socket, name);
}

std::vector<int> open_macvtap(Socket& socket, const std::string& name, int queues) {
  const std::string operation = "open its descriptor";
  const auto link = find_link(socket, name);
  if (!link) throw Error("link " + name, operation, ENODEV);
  if (link->kind != "macvtap") throw Error("link " + name, operation, EINVAL, "it is no macvtap");
  if (queues < 1 || queues > max_queues)
    throw Error("link " + name, operation, EINVAL, "it has 1 to 256 queues");
  const auto number = find_device(*link);
  if (!number) throw Error("link " + name, operation, ENXIO, "sysfs shows no device of it");
  errno = 0;
  const Descriptor node = find_node(*link, *number);
  if (!node) throw Error("link " + name, operation, errno ? errno : ENOENT);

  const std::string through = "/proc/self/fd/" + std::to_string(node.get());
  std::vector<Descriptor> open;
  for (int queue = 0; queue < queues; ++queue) {
    Descriptor file(::open(through.c_str(), open_flags));
    if (!file) throw Error("link " + name, operation, errno);
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_flags =
        static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (queues > 1 ? IFF_MULTI_QUEUE : 0));
    if (::ioctl(file.get(), TUNSETIFF, &request) != 0)
      throw Error("link " + name, "set it up as a tap", errno);
    open.push_back(std::move(file));
  }
  std::vector<int> fds;
  for (Descriptor& file : open) fds.push_back(file.release());
  return fds;
}

}  // namespace nl
