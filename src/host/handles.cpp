// One function for each kind of handle. A tap is complete (alias, MTU, MAC, bridge, up) before
// anybody else can see its descriptor.
#include "host/handles.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <map>

#include "host/listen.hpp"
#include "host/lock.hpp"
#include "host/mac_bytes.hpp"
#include "nl/bridge.hpp"
#include "nl/error.hpp"
#include "nl/link.hpp"
#include "nl/macvtap.hpp"
#include "nl/socket.hpp"
#include "nl/tap.hpp"
#include "nutshell/error.hpp"
#include "nutshell/facts.hpp"

namespace nutshell::host {
namespace {

Fd open_file(const std::string& path, int flags) {
  Fd fd(open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, 0600));
  if (!fd) {
    const int error = errno;
    throw SystemError(error, fmt::format("{}: cannot be opened for {}", printable(path),
                                         (flags & O_ACCMODE) == O_RDONLY ? "reading" : "writing"));
  }
  struct stat status {};
  if (fstat(fd.get(), &status) == 0 && S_ISDIR(status.st_mode))
    throw Failed(
        fmt::format("{} is a directory, not an image; name the file in it", printable(path)));
  return fd;
}

Fd copy_to_memory(const std::string& path) {
  const Fd from = open_file(path, O_RDONLY);
  Fd memory(memfd_create("nutshell", MFD_CLOEXEC));
  struct stat status {};
  if (!memory || fstat(from.get(), &status) != 0)
    throw SystemError(errno, fmt::format("{}: cannot be copied to memory", printable(path)));
  off_t done = 0;
  while (done < status.st_size) {
    const ssize_t n =
        sendfile(memory.get(), from.get(), &done, static_cast<std::size_t>(status.st_size - done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      throw SystemError(errno, fmt::format("{}: cannot be copied to memory", printable(path)));
    if (n == 0) break;
  }
  return memory;
}

std::deque<Fd> as_queues(const std::vector<int>& descriptors) {
  std::deque<Fd> queues;
  for (const int fd : descriptors) queues.emplace_back(fd);
  return queues;
}

/// The descriptors of a tap, one for each queue.
std::deque<Fd> make_tap(const TapPlace& place) {
  try {
    nl::Socket socket;
    const auto bridge = nl::find_link(socket, place.bridge);
    if (!bridge)
      throw NotFound(fmt::format(
          "bridge {} does not exist; make it, or choose another with --nic bridge=", place.bridge));
    if (bridge->kind != "bridge")
      throw Conflict(
          fmt::format("{} is no bridge{}; choose another with --nic bridge=", place.bridge,
                      bridge->kind.empty() ? "" : " but a " + bridge->kind));
    if (place.mtu > bridge->mtu)
      throw Conflict(fmt::format(
          "mtu={} is more than the bridge {} carries ({}); use that or less with `nutshell set`",
          place.mtu, place.bridge, bridge->mtu));
    if (place.port.has_vlans() && !bridge->vlan_filtering)
      throw Conflict(no_vlan_filtering(place.bridge));
    nl::Tap tap = nl::open_tap(
        place.name, {.multi_queue = place.queues > 1, .queues = static_cast<int>(place.queues)});
    const int index = nl::link_index(socket, place.name);
    nl::change_link(socket, index, {.ipv6_link_local = false});
    nl::LinkChange change;
    change.mtu = place.mtu && bridge->alias.starts_with(network_mark("")) ? place.mtu : bridge->mtu;
    change.mac = to_bytes(place.host_mac);
    change.alias = place.alias;
    change.master = nl::LinkRef(bridge->index);
    change.up = !place.port.any();  // no frame passes before the port is as asked for
    nl::change_link(socket, index, change);
    if (place.port.any()) {
      put_port(place.name, place.port);
      nl::set_up(socket, index);
    }
    return as_queues(tap.release());
  } catch (const nl::Error& error) {
    if (error.code() == EOPNOTSUPP && place.port.has_vlans())
      throw Failed(fmt::format("bridge {}: this kernel has no VLAN filtering", place.bridge));
    throw SystemError(error.code(), error.subject() + ": cannot " + error.operation());
  }
}

/// The same of a macvtap link that is there.
std::deque<Fd> open_macvtap(const TapPlace& place) {
  try {
    nl::Socket socket;
    return as_queues(nl::open_macvtap(socket, place.name, static_cast<int>(place.queues)));
  } catch (const nl::Error& error) {
    throw SystemError(error.code(), error.subject() + ": cannot " + error.operation());
  }
}

/// Taps that were made, by NIC, with the queues that nobody has yet.
using Taps = std::map<unsigned, std::deque<Fd>>;

Fd next_queue(Taps& made, const Handle& handle, const std::vector<TapPlace>& taps) {
  const TapPlace& place = taps.at(handle.nic);
  if (!made.contains(handle.nic))
    made.emplace(handle.nic,
                 handle.what == Handle::What::tap ? make_tap(place) : open_macvtap(place));
  std::deque<Fd>& queues = made.at(handle.nic);
  if (queues.empty())
    throw Failed(
        fmt::format("tap {}: the line wants more than its {} queues", place.name, place.queues));
  Fd next = std::move(queues.front());
  queues.pop_front();
  return next;
}

Fd open_one(const Handle& handle, const std::vector<TapPlace>& taps, Taps& made,
            const std::string& bridge_helper) {
  switch (handle.what) {
    case Handle::What::lock: return open_locked(handle.path);
    case Handle::What::read: return open_file(handle.path, O_RDONLY);
    case Handle::What::read_write: return open_file(handle.path, O_RDWR);
    case Handle::What::append: return open_file(handle.path, O_WRONLY | O_CREAT | O_APPEND);
    case Handle::What::memory_copy: return copy_to_memory(handle.path);
    case Handle::What::listen_unix: return listen_unix(handle.path);
    case Handle::What::tap:
    case Handle::What::macvtap: return next_queue(made, handle, taps);
    case Handle::What::vhost_net: return open_file(handle.path, O_RDWR);
    case Handle::What::bridge_helper: return tap_by_helper(bridge_helper, handle.path);
  }
  return {};
}

}  // namespace

std::vector<OpenHandle> open_handles(const std::vector<Handle>& handles,
                                     const std::vector<TapPlace>& taps,
                                     const std::string& bridge_helper) {
  std::vector<OpenHandle> open;
  Taps made;
  for (const Handle& handle : handles)
    open.push_back({open_one(handle, taps, made, bridge_helper), handle.fd});
  return open;
}

}  // namespace nutshell::host
