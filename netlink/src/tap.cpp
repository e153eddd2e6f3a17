// The one file that knows TUNSETIFF. The kernel makes no tap over rtnetlink: a tap is made by
// opening /dev/net/tun and naming it, and without TUNSETPERSIST it is gone when that descriptor is.
// IFF_TUN_EXCL makes the name a claim: without it one would silently attach to a stranger's
// persistent tap of the same name.
#include "nl/tap.hpp"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "link_parts.hpp"

namespace nl {
namespace {

constexpr int max_queues = 256;  // MAX_TAP_QUEUES
constexpr const char* operation = "create tap";

std::string open_hint(int code) {
  if (code == ENOENT) return "/dev/net/tun is missing; load the module tun";
  if (code == ENODEV || code == ENXIO) return "the kernel has no tun driver; load the module tun";
  return "opening /dev/net/tun";
}

std::string name_hint(int code) {
  if (code == EBUSY) return "a link of that name exists already";
  if (code == EINVAL)
    return "the tun driver does not take these flags, or the name is in use by another kind";
  return {};
}

}  // namespace

Tap::Tap(std::string name, std::vector<int> fds) : name_(std::move(name)), fds_(std::move(fds)) {}
Tap::Tap(Tap&& other) noexcept
    : name_(std::move(other.name_)), fds_(std::exchange(other.fds_, {})) {}
Tap& Tap::operator=(Tap&& other) noexcept {
  std::swap(name_, other.name_);
  std::swap(fds_, other.fds_);
  return *this;
}
Tap::~Tap() {
  for (const int fd : fds_) ::close(fd);
}
std::vector<int> Tap::release() { return std::exchange(fds_, {}); }

Tap open_tap(const std::string& name, const TapOptions& options) {
  require_name(name, operation);
  if (options.queues < 1 || options.queues > max_queues ||
      (options.queues > 1 && !options.multi_queue)) {
    throw Error("link " + name, operation, EINVAL,
                "1 to 256 queues, and more than one only with multi_queue");
  }
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(),
              name.size());  // its length was checked: the rest stays zero
  short flags = IFF_TAP | IFF_NO_PI;
  if (options.vnet_hdr) flags |= IFF_VNET_HDR;
  if (options.multi_queue) flags |= IFF_MULTI_QUEUE;

  Tap tap(name, {});
  tap.fds_.reserve(static_cast<std::size_t>(options.queues));
  for (int queue = 0; queue < options.queues; ++queue) {
    const int fd = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
      const int code = errno;
      throw Error("link " + name, operation, code, open_hint(code));
    }
    tap.fds_.push_back(fd);
    // Only the first descriptor claims the name; the others join it.
    request.ifr_flags = static_cast<short>(queue == 0 ? flags | IFF_TUN_EXCL : flags);
    if (::ioctl(fd, TUNSETIFF, &request) < 0) {
      const int code = errno;
      throw Error("link " + name, operation, code, name_hint(code));
    }
  }
  return tap;
}

}  // namespace nl
