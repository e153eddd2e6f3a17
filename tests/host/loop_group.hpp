// A real volume group on a loop device, for one test: its file is in a folder of its own, its name
// no other process has, and it is gone afterwards. Where the kernel has no device-mapper lvm is
// told so by a configuration of its own (LVM_SYSTEM_DIR), and then keeps the metadata only. The
// kernel frees the loop device of a test that was killed.
#pragma once
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/files.hpp"
#include "host/lvm_holders.hpp"
#include "host/scratch.hpp"
#include "host/tool.hpp"

namespace loop_group {

/// A file of that size as a loop device.
class Loop {
 public:
  Loop(const std::string& file, unsigned long long size) {
    const int backing = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (backing < 0 || (size > 0 && ::ftruncate(backing, static_cast<off_t>(size)) != 0))
      throw std::runtime_error("cannot make the file of a loop device");
    const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 200 && fd_ < 0; ++i) {
      const int number = ::ioctl(control, LOOP_CTL_GET_FREE);
      path_ = "/dev/loop" + std::to_string(number);
      const int device = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
      if (device < 0) continue;
      if (::ioctl(device, LOOP_SET_FD, backing) == 0) {  // EBUSY: somebody was quicker
        fd_ = device;
        // From now on it goes when the last one closes it: with us, when we are killed.
        loop_info64 info{};
        info.lo_flags = LO_FLAGS_AUTOCLEAR;
        ::ioctl(fd_, LOOP_SET_STATUS64, &info);
      } else {
        ::close(device);
      }
    }
    ::close(control);
    ::close(backing);
    if (fd_ < 0) throw std::runtime_error("there is no free loop device");
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() { ::close(fd_); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_ = -1;
};

inline std::string lvm(std::vector<std::string> words) {
  words.insert(words.begin(), "lvm");
  return nutshell::host::output_of(
      {.argv = std::move(words), .input = {}, .environment = {{"LVM_SUPPRESS_FD_WARNINGS", "1"}}});
}

/// lvm.conf(5) for this process and its children, as long as it lives.
class Configuration {
 public:
  explicit Configuration(const std::string& folder, const std::string& more = "") {
    std::filesystem::create_directory(folder);
    std::string text = "backup { backup=0 archive=0 }\n" + more;
    if (!nutshell::host::file_exists("/run/udev/control"))
      text +=
          "\nactivation/udev_sync=0\nactivation/udev_rules=0\ndevices/"
          "obtain_device_list_from_udev=0\n";
    if (!nutshell::host::has_device_mapper()) text += "\nglobal/activation=0\n";
    scratch::put(folder + "/lvm.conf", text);
    ::setenv("LVM_SYSTEM_DIR", folder.c_str(), 1);
  }
  Configuration(const Configuration&) = delete;
  Configuration& operator=(const Configuration&) = delete;
  ~Configuration() { ::unsetenv("LVM_SYSTEM_DIR"); }
};

/// Names that nobody else has: of this process, counted.
inline std::string unique_group() {
  static int count = 0;
  return "ntest" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

/// A group of `disks` loop devices of `size` each.
class Group {
 public:
  explicit Group(int disks = 1, unsigned long long size = 256ULL << 20,
                 const std::string& settings = "")
      : configuration_(folder_ / "lvm", settings), name_(unique_group()) {
    std::vector<std::string> words{"vgcreate", "-qq", "-y", "--devices", "", name_};
    for (int i = 0; i < disks; ++i) {
      loops_.push_back(std::make_unique<Loop>(folder_ / ("disk" + std::to_string(i)), size));
      words[4] += (i ? "," : "") + loops_.back()->path();
      words.push_back(loops_.back()->path());
    }
    lvm(words);
    devices_ = words[4];
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  ~Group() {
    try {
      if (nutshell::host::has_device_mapper())
        lvm({"vgchange", "-qq", "-an", "--devices", devices_, name_});
    } catch (const std::exception&) {}
  }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& devices() const { return devices_; }
  [[nodiscard]] std::string disk(std::size_t number = 0) const { return loops_.at(number)->path(); }
  [[nodiscard]] const scratch::Folder& folder() const { return folder_; }
  void detach(std::size_t number) {
    loops_.erase(loops_.begin() + static_cast<std::ptrdiff_t>(number));
  }

 private:
  scratch::Folder folder_;
  Configuration configuration_;
  std::string name_, devices_;
  std::vector<std::unique_ptr<Loop>> loops_;
};

}  // namespace loop_group
