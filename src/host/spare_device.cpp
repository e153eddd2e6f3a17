// A disk that a volume group could be enlarged with. It is only ever named to the user, never
// touched; still it must not name one with anybody's data, so a device counts as unused only when
// nothing uses it and everything is zero where any signature could be.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <vector>

#include "host/fd.hpp"
#include "host/files.hpp"
#include "host/in_use.hpp"
#include "host/lvm.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

namespace fs = std::filesystem;

constexpr Bytes looked_at_start = mebi;
constexpr Bytes looked_at_end = 64 * kibi;

bool zero(const Fd& device, Bytes from, Bytes length) {
  std::vector<char> text(length);
  if (::pread(device.get(), text.data(), length, static_cast<off_t>(from)) !=
      static_cast<ssize_t>(length))
    return false;
  return std::all_of(text.begin(), text.end(), [](char byte) { return byte == 0; });
}

bool unused(const fs::path& sys, Bytes size) {
  const std::string name = sys.filename().string();
  static constexpr std::array never{"ram", "zram", "sr", "fd", "dm-", "md", "nbd"};
  if (std::any_of(never.begin(), never.end(),
                  [&](const char* each) { return name.starts_with(each); }))
    return false;
  std::error_code ignored;
  if (name.starts_with("loop") && !fs::exists(sys / "loop" / "backing_file", ignored)) return false;
  if (read_file((sys / "ro").string()).value_or("1") != "0\n") return false;
  if (fs::exists(sys / "holders", ignored) && !fs::is_empty(sys / "holders", ignored)) return false;
  for (const auto& entry : fs::directory_iterator(sys, ignored))
    if (fs::exists(entry.path() / "partition", ignored)) return false;

  std::string path = "/dev/" + name;
  std::replace(path.begin(), path.end(), '!', '/');
  const Fd device(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  std::uint64_t length = 0;
  if (!device || ::ioctl(device.get(), BLKGETSIZE64, &length) != 0) return false;
  if (length < size || length < looked_at_start + looked_at_end) return false;
  return !disk_holder(path, false) && zero(device, 0, looked_at_start) &&
         zero(device, length - looked_at_end, looked_at_end);
}

}  // namespace

std::string spare_device(Bytes size) {
  std::error_code ignored;
  std::set<fs::path> devices;
  for (const auto& entry : fs::directory_iterator("/sys/block", ignored))
    devices.insert(entry.path());
  for (const fs::path& sys : devices) {
    try {
      if (unused(sys, size)) {
        std::string path = "/dev/" + sys.filename().string();
        std::replace(path.begin(), path.end(), '!', '/');
        return path;
      }
    } catch (const std::exception&) {
      // One that cannot be looked at is not spare.
    }
  }
  return {};
}

}  // namespace nutshell::host
