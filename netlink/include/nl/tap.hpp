// Taps by descriptor: not persistent, so that the kernel takes the link away when the last holder
// of it is gone.
#pragma once

#include <string>
#include <vector>

namespace nl {

struct TapOptions {
  bool vnet_hdr = true;  ///< IFF_VNET_HDR: a virtio-net header before each packet; QEMU turns on
                         ///< offloads with it
  bool multi_queue = false;  ///< IFF_MULTI_QUEUE: QEMU must then be given all of the descriptors
  int queues = 1;            ///< 1..256 descriptors; more than one needs multi_queue
};

/// A tap that lives as long as one of its descriptors is open, here or where they were handed.
/// Move-only.
class Tap {
 public:
  Tap(std::string name, std::vector<int> fds);
  Tap(Tap&& other) noexcept;
  Tap& operator=(Tap&& other) noexcept;
  ~Tap();

  const std::string& name() const { return name_; }
  /// One for each queue, all of them O_CLOEXEC and O_NONBLOCK.
  const std::vector<int>& fds() const { return fds_; }
  /// Hands the descriptors over; the caller closes them from now on.
  std::vector<int> release();

 private:
  friend Tap open_tap(const std::string& name, const TapOptions& options);
  std::string name_;
  std::vector<int> fds_;
};

/// Makes the tap `name` in the calling thread's network namespace, exclusively (EBUSY where the
/// name is taken by any link), down, without master. Alias, MTU, MAC, master and up are set with
/// nl::change_link(). Throws nl::Error: ENOENT or ENODEV without the tun driver, EPERM without the
/// right.
Tap open_tap(const std::string& name, const TapOptions& options = {});

}  // namespace nl
