// Disks held in every way that this machine can show: a real QEMU, a loop device, a file system
// mounted in and out of sight, a process that writes.
#include "host/in_use.hpp"

#include <doctest/doctest.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include <cstring>
#include <filesystem>

#include "host/fd.hpp"
#include "host/files.hpp"
#include "host/process.hpp"
#include "host/scratch.hpp"
#include "host/tool.hpp"

namespace fs = std::filesystem;
using namespace nutshell;
using namespace nutshell::host;

namespace {
bool says(const std::optional<std::string>& holder, const std::string& words) {
  CAPTURE(holder.value_or("nobody"));
  return holder && holder->find(words) != std::string::npos;
}

/// A loop device over a file, which the kernel takes away when the last descriptor is closed.
class Loop {
 public:
  explicit Loop(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    for (int i = 0; i < 100 && !device_; ++i) {
      const Fd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
      const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
      if (number < 0) return;
      path_ = "/dev/loop" + std::to_string(number);
      Fd device(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
      loop_config config{};
      config.fd = static_cast<std::uint32_t>(file.get());
      config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
      if (::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0) device_ = std::move(device);
    }
  }
  explicit operator bool() const { return static_cast<bool>(device_); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Fd device_;
  std::string path_;
};

process::Child qemu_with(const std::string& blockdev, const std::string& device) {
  return process::Child(std::vector<std::string>{"qemu-system-x86_64", "-S", "-nodefaults",
                                                 "-display", "none", "-accel", "tcg", "-blockdev",
                                                 blockdev, "-device", device});
}
}  // namespace

TEST_CASE("nobody holds a file that is nobody's") {
  const scratch::Folder folder;
  const std::string path = folder / "disk";
  CHECK_FALSE(disk_holder(path, false));
  make_volume(path, 16 * mebi, DiskFormat::raw, {});
  CHECK_FALSE(disk_holder(path, false));
  CHECK_FALSE(disk_holder(path, true));
  CHECK_FALSE(disk_holder(folder.path(), false));
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) (void)disk_holder(path, false, Search::quick);
  const double quick = scratch::seconds_since(start) / 20;
  const auto again = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) (void)disk_holder(path, false);
  MESSAGE("quick " << quick * 1e6 << " us, thorough " << scratch::seconds_since(again) / 20 * 1e6
                   << " us");
  CHECK(quick < 0.01);
}

TEST_CASE("a real QEMU that writes holds its disk; two that read share it") {
  const scratch::Folder folder;
  const std::string path = folder / "disk", link = folder / "link";
  make_volume(path, 16 * mebi, DiskFormat::raw, {});
  fs::create_symlink(path, link);
  const std::string node = "driver=file,node-name=f,filename=" + path;
  {
    process::Child qemu = qemu_with(node, "virtio-blk-pci,drive=f");
    REQUIRE(scratch::soon([&] { return disk_holder(path, false, Search::quick).has_value(); }));
    CHECK(
        says(disk_holder(path, false), "qemu-system-x86 (pid " + std::to_string(qemu.pid()) + ")"));
    CHECK(says(disk_holder(link, false), std::to_string(qemu.pid())));
    CHECK(disk_holder(path, true).has_value());
  }
  CHECK(scratch::soon([&] { return !disk_holder(path, false); }));
  process::Child reader = qemu_with(node + ",read-only=on", "ide-cd,drive=f");
  REQUIRE(scratch::soon([&] { return disk_holder(path, false, Search::quick).has_value(); }));
  CHECK_FALSE(disk_holder(path, true));
}

TEST_CASE("a QEMU that has its disk by descriptor only, unprivileged, holds it too") {
  const scratch::Folder folder;
  const std::string path = folder / "disk";
  make_volume(path, 16 * mebi, DiskFormat::raw, {});
  process::Child qemu([&] {
    const int fd = ::open(path.c_str(), O_RDWR);
    const std::string set = "fd=" + std::to_string(fd) + ",set=1";
    ::execlp("qemu-system-x86_64", "qemu-system-x86_64", "-S", "-nodefaults", "-display", "none",
             "-accel", "tcg", "-add-fd", set.c_str(), "-blockdev",
             "driver=file,node-name=f,filename=/dev/fdset/1", "-device", "virtio-blk-pci,drive=f",
             nullptr);
  });
  REQUIRE(scratch::soon([&] { return disk_holder(path, false, Search::quick).has_value(); }));
  CHECK(says(disk_holder(path, false, Search::quick), std::to_string(qemu.pid())));
}

TEST_CASE("a process that may write to it holds a disk, one that reads does not") {
  if (::geteuid() != 0) return;
  const scratch::Folder folder;
  const std::string path = folder / "disk";
  make_volume(path, mebi, DiskFormat::raw, {});
  process::Child reader([&] {
    (void)::open(path.c_str(), O_RDONLY);
    scratch::put(folder / "reads", "");
    ::pause();
  });
  REQUIRE(scratch::soon([&] { return fs::exists(folder / "reads"); }));
  CHECK_FALSE(disk_holder(path, false));
  process::Child writer([&] {
    (void)::open(path.c_str(), O_WRONLY);
    scratch::put(folder / "writes", "");
    ::pause();
  });
  REQUIRE(scratch::soon([&] { return fs::exists(folder / "writes"); }));
  CHECK(says(disk_holder(path, false),
             "(pid " + std::to_string(writer.pid()) + "), which has it open"));
  CHECK_FALSE(disk_holder(path, false, Search::quick));
  CHECK_FALSE(disk_holder(path, true));
}

TEST_CASE("loop devices, and file systems mounted on them") {
  const scratch::Folder folder;
  const std::string path = folder / "disk";
  make_volume(path, 32 * mebi, DiskFormat::raw, {});
  const Loop loop(path);
  if (!loop) {
    MESSAGE("no loop device can be made here");
    return;
  }
  CHECK(says(disk_holder(path, false), "the loop device " + loop.path()));
  CHECK_FALSE(disk_holder(path, true));
  CHECK_FALSE(disk_holder(loop.path(), false, Search::quick));
  const ImageFacts image = look_at_image(loop.path(), DiskFormat::raw);
  CHECK(image.block_device);
  CHECK(image.size == 32 * mebi);

  REQUIRE(run({.argv = {"mkfs.ext4", "-q", loop.path()}, .input = {}, .environment = {}}).status ==
          0);
  const std::string point = folder / "a mount";
  fs::create_directory(point);
  process::Child elsewhere([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", "", MS_REC | MS_PRIVATE, "") != 0)
      ::_exit(1);
    if (::mount(loop.path().c_str(), point.c_str(), "ext4", 0, nullptr) != 0) ::_exit(2);
    const auto holder = disk_holder(loop.path(), false, Search::quick);
    scratch::put(folder / "seen", holder.value_or("nobody"));
    scratch::put(folder / "done", "");
    ::pause();
  });
  REQUIRE(scratch::soon([&] { return fs::exists(folder / "done"); }));
  CHECK(scratch::get(folder / "seen") == "mounted on " + point);
  // From outside that namespace no table shows the mount, but the kernel's claim does.
  CHECK(says(disk_holder(loop.path(), false, Search::quick), "the kernel"));
  elsewhere.kill();
  CHECK(scratch::soon([&] { return !disk_holder(loop.path(), false, Search::quick); }));
}

TEST_CASE("the kernel's tables, with the names that people give") {
  const std::string table =
      "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
      "23 22 8:2 / /srv/a\\040b\\134c rw shared:2 master:1 - xfs /dev/sda2 rw\n"
      "broken\n"
      "24 22 0:45 / /run rw - tmpfs tmpfs rw\n";
  CHECK(find_mount(table, 8, 1) == std::optional<std::string>("/"));
  CHECK(find_mount(table, 8, 2) == std::optional<std::string>("/srv/a b\\c"));
  CHECK_FALSE(find_mount(table, 8, 3));
  CHECK_FALSE(find_mount("", 8, 1));
  CHECK(swap_paths("Filename\tType\tSize\tUsed\tPriority\n"
                   "/swap\\040file                file\t1\t0\t-2\n/dev/sda3 partition 1 0 -3\n") ==
        std::vector<std::string>{"/swap file", "/dev/sda3"});
  CHECK(swap_paths("").empty());
}
