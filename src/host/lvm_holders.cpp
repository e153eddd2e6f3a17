// A host that scans logical volumes for physical ones (scan_lvs=1), or mapped a guest's partitions
// once, has devices on top of a guest's disk, and lvm will not let go of the disk below. What
// stands in /sys/block/DEV/holders is unpicked from the top: a device that nobody has open holds
// no data of its own, so removing it loses nothing. Mounted, open or foreign ones are never
// touched.
#include "host/lvm_holders.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "host/files.hpp"
#include "host/in_use.hpp"
#include "host/tool.hpp"
#include "nutshell/error.hpp"
#include "nutshell/values.hpp"

namespace nutshell::host {
namespace {

namespace fs = std::filesystem;

constexpr int deepest = 32;
constexpr std::size_t group_prefix =
    4 + 32;  // "LVM-" and the group's id: lvm's UUIDs of its devices

std::string line_of(const std::string& path) {
  try {
    std::string text = read_file(path).value_or("");
    text.resize(std::min(text.find('\n'), text.size()));
    return text;
  } catch (const Error&) {
    return {};
  }
}

std::string mapper_word(const std::string& device, const char* word) {
  return line_of(fmt::format("/sys/block/{}/dm/{}", device, word));
}

/// Without udev there are only the nodes that lvm makes itself.
std::string node_of(const std::string& device) {
  const std::string named = "/dev/mapper/" + mapper_word(device, "name");
  return file_exists(named) ? named : "/dev/" + device;
}

class Unpicking {
 public:
  Unpicking(const VolumeName& name, const std::string& device)
      : volume_(name.vg + "/" + name.lv),
        group_(mapper_word(device, "uuid").substr(0, group_prefix)) {}

  void drop_above(const std::string& device, int depth = 0) const {
    if (depth > deepest)
      throw Conflict(fmt::format("volume {}: too many devices are stacked on it", volume_));
    std::error_code ignored;
    for (const auto& entry :
         fs::directory_iterator(fmt::format("/sys/block/{}/holders", device), ignored)) {
      const std::string holder = entry.path().filename().string();
      drop_above(holder, depth + 1);
      drop(holder);
    }
  }

 private:
  void drop(const std::string& holder) const {
    const std::string name = mapper_word(holder, "name"), uuid = mapper_word(holder, "uuid");
    if (!file_exists("/sys/block/" + holder)) return;  // it stood on two, and went with the other
    if (name.empty()) {
      throw Conflict(fmt::format(
          "volume {} is in use: /dev/{} is built on it; end that first (a RAID by: mdadm --stop "
          "/dev/{})",
          volume_, holder, holder));
    }
    if (uuid.starts_with("LVM-") && uuid.substr(0, group_prefix) == group_) {
      throw Conflict(fmt::format("volume {} is in use: it is a part of the volume {}", volume_,
                                 printable(name)));
    }
    if (const auto user = disk_holder(node_of(holder), false)) {
      throw Conflict(fmt::format(
          "volume {} is in use: the device-mapper device {} on top of it is {}; end that first",
          volume_, printable(name), *user));
    }
    Tool tool{.argv = {"dmsetup", "remove", "--retry", name}, .input = {}, .environment = {}};
    if (!file_exists("/run/udev/control")) tool.argv.push_back("--noudevsync");
    const ToolResult result = run(tool);
    if (result.status == 0 || !file_exists("/sys/block/" + holder)) return;
    throw Conflict(
        fmt::format("volume {} is in use: the device-mapper device {} on top of it cannot be "
                    "removed: {}",
                    volume_, printable(name), printable(result.stderr_tail)));
  }

  std::string volume_, group_;
};

}  // namespace

std::string mapper_name(const VolumeName& name) {
  std::string text;
  for (const std::string* part : {&name.vg, &name.lv}) {
    if (!text.empty()) text += '-';
    for (const char byte : *part) text.append(byte == '-' ? 2 : 1, byte);
  }
  return text;
}

std::optional<std::string> active_device(const VolumeName& name) {
  const std::string wanted = mapper_name(name);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/sys/block", ignored)) {
    const std::string device = entry.path().filename().string();
    if (device.starts_with("dm-") && mapper_word(device, "name") == wanted) return device;
  }
  return std::nullopt;
}

bool has_device_mapper() {
  const std::string misc = read_file("/proc/misc").value_or("");
  return misc.find(" device-mapper\n") != std::string::npos;
}

void drop_holders(const VolumeName& name) {
  if (const auto device = active_device(name)) Unpicking(name, *device).drop_above(*device);
}

void refuse_when_used(const VolumeName& name) {
  const auto device = active_device(name);
  if (!device) return;
  if (const auto user = disk_holder(node_of(*device), false)) {
    throw Conflict(
        fmt::format("volume {}/{} is in use: {}; end that first", name.vg, name.lv, *user));
  }
}

}  // namespace nutshell::host
