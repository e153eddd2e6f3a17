// A group is found by one look at all devices, which is noted until the host restarts; every other
// call is limited to the devices of that note, so that starting a machine costs one lvm command and
// no guest's disk is read. The note is believed until lvm misses something. What the host's own
// lvm.conf filters decides only where two groups have one name.
#include "host/lvm_devices.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "host/files.hpp"
#include "host/lvm_report.hpp"
#include "host/note.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

namespace fs = std::filesystem;

std::string boot_id() {
  std::string id = read_file("/proc/sys/kernel/random/boot_id").value_or("");
  id.resize(std::min(id.find('\n'), id.size()));
  return id;
}

std::string line_of(const fs::path& path) {
  try {
    std::string text = read_file(path.string()).value_or("");
    text.resize(std::min(text.find('\n'), text.size()));
    return text;
  } catch (const Error&) {
    return {};
  }
}

/// The kernel's folder of a device, as it is known everywhere in /sys.
void reject(const fs::path& sys, std::set<std::string>& names) {
  std::error_code ignored;
  std::string name = sys.filename().string();
  std::replace(name.begin(), name.end(), '!', '/');  // "cciss!c0d0" is /dev/cciss/c0d0
  if (!names.insert("/dev/" + name).second) return;
  for (const auto& entry : fs::directory_iterator(sys, ignored))
    if (fs::exists(entry.path() / "partition", ignored)) reject(entry.path(), names);
  for (const auto& entry : fs::directory_iterator(sys / "holders", ignored))
    reject(fs::canonical(entry.path(), ignored), names);
}

/// A pattern of lvm.conf(5): what is no plain character of a path stands for any character.
std::string pattern_of(const std::string& device) {
  std::string pattern = "\"r|^";
  for (const char byte : device)
    pattern +=
        std::isalnum(static_cast<unsigned char>(byte)) || byte == '/' || byte == '_' ? byte : '.';
  return pattern + "$|\"";
}

/// The kernel's names of the guests' devices, and of all that is built on them. Partitions that
/// somebody has mapped inside a logical volume (kpartx) are a guest's, too.
std::set<std::string> guests_names(const LvmPlace& place) {
  std::set<std::string> names;
  std::error_code ignored;
  for (const std::string& path : place.guests_devices) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0 || !S_ISBLK(facts.st_mode)) continue;
    const fs::path sys = fs::canonical(
        fmt::format("/sys/dev/block/{}:{}", major(facts.st_rdev), minor(facts.st_rdev)), ignored);
    if (!sys.empty()) reject(sys, names);
  }
  for (const auto& entry : fs::directory_iterator("/sys/block", ignored)) {
    const std::string uuid = line_of(entry.path() / "dm" / "uuid");
    if (uuid.starts_with("part") && uuid.find("-LVM-") != std::string::npos)
      reject(fs::canonical(entry.path(), ignored), names);
  }
  return names;
}

std::vector<PvRow> look(const std::string& config) {
  const LvmAnswer answer = call_lvm({pv_report(), {}, config, true});
  // With one group broken lvm says so by 5, and reports the others.
  if (answer.status != 0 && answer.output.find("\"pv\"") == std::string::npos)
    throw Failed(fmt::format("lvm cannot list this host's physical volumes: {}",
                             words_of_lvm(answer.errors)));
  return parse_pv_report(answer.output);
}

struct Found {
  std::set<std::string> devices, uuids;
  bool copied = false;
};

Found of_group(const std::vector<PvRow>& rows, const std::string& vg) {
  Found found;
  for (const PvRow& row : rows) {
    if (row.vg != vg) continue;
    found.uuids.insert(row.vg_uuid);
    found.copied |= row.duplicate;
    if (row.device.starts_with('/')) found.devices.insert(row.device);  // not "[unknown]"
  }
  return found;
}

[[noreturn]] void no_group(const std::vector<PvRow>& rows, const std::string& vg) {
  std::set<std::string> names;
  for (const PvRow& row : rows)
    if (!row.vg.empty() && row.vg != "[unknown]") names.insert(row.vg);
  if (names.empty())
    throw NotFound(fmt::format(
        "there is no volume group {}, nor any other on this host; make one with: vgcreate {} "
        "/dev/DISK",
        printable(vg), shell_quote(vg)));
  throw NotFound(fmt::format("there is no volume group {}; there are: {}", printable(vg),
                             fmt::join(names, ", ")));
}

std::vector<std::string> discover(const LvmPlace& place, const std::string& vg) {
  const std::vector<PvRow> rows = look(all_but_guests(place));
  Found found = of_group(rows, vg);
  if (found.uuids.empty()) no_group(rows, vg);
  if (found.uuids.size() > 1 || found.copied) {
    const Found hosts = of_group(look("devices/hints=\"none\""), vg);
    if (hosts.uuids.size() == 1 && !hosts.copied) found = hosts;
  }
  if (found.uuids.size() > 1) {
    throw Conflict(fmt::format(
        "there are {} volume groups named {}, on {}: one may be a guest's own that this host sees; "
        "rename it with `vgrename UUID NEWNAME`, or hide its device by a filter in lvm.conf(5)",
        found.uuids.size(), vg, fmt::join(found.devices, " and ")));
  }
  if (found.copied) {
    throw Conflict(fmt::format(
        "a physical volume of the group {} is there more than once, among {}: one is a copy of "
        "another; detach it, or hide it by a filter in lvm.conf(5)",
        vg, fmt::join(found.devices, ", ")));
  }
  return {found.devices.begin(), found.devices.end()};
}

std::string note_name(const std::string& vg) { return "lvm-" + vg; }

std::vector<std::string> noted(const LvmPlace& place, const std::string& vg) {
  auto lines = read_note(place.cache, note_name(vg));
  if (!lines || lines->size() < 2 || lines->front() != boot_id()) return {};
  lines->erase(lines->begin());
  return *std::move(lines);
}

std::vector<std::string> discover_and_note(const LvmPlace& place, const std::string& vg) {
  const std::vector<std::string> devices = discover(place, vg);
  std::vector<std::string> lines{boot_id()};
  lines.insert(lines.end(), devices.begin(), devices.end());
  write_note(place.cache, note_name(vg), lines);
  return devices;
}

/// lvm's words when the devices that it was given are not, or not all, those of the group.
bool misses_something(const LvmAnswer& answer) {
  for (const std::string_view words : {"Couldn't find device", "missing PV", "PVs are missing",
                                       "Device not found", "\" not found", "partial LV"})
    if (answer.errors.find(words) != std::string::npos) return true;
  return false;
}

}  // namespace

std::string all_but_guests(const LvmPlace& place) {
  std::string patterns;
  for (const std::string& each : guests_names(place)) patterns += pattern_of(each) + ",";
  return fmt::format(
      "devices/hints=\"none\" devices/use_devicesfile=0 devices/filter=[\"a|.*|\"] "
      "devices/global_filter=[{}\"a|.*|\"]",
      patterns);
}

LvmAnswer call_on_group(const LvmPlace& place, const std::string& vg, LvmCall call) {
  if (const std::string fault = volume_name_fault({vg, "x"}); !fault.empty())
    throw ConfigError(fmt::format("volume group {}", printable(vg)), fault);
  call.devices = noted(place, vg);
  const bool from_note = !call.devices.empty();
  if (!from_note) call.devices = discover_and_note(place, vg);
  LvmAnswer answer = call_lvm(call);
  if (!from_note || !misses_something(answer)) return answer;
  if (answer.status == 0 && !call.report) return answer;  // it is done: not twice
  std::vector<std::string> now = discover_and_note(place, vg);
  if (now == call.devices) return answer;
  call.devices = std::move(now);
  return call_lvm(call);
}

}  // namespace nutshell::host
