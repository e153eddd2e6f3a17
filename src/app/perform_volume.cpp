// Steps of volumes onto the host.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "app/guest_hold.hpp"
#include "app/lvm_access.hpp"
#include "app/machine_state.hpp"
#include "app/perform.hpp"
#include "app/progress.hpp"
#include "app/qmp_access.hpp"
#include "host/disk_fd.hpp"
#include "host/files.hpp"
#include "host/tool.hpp"
#include "nutshell/error.hpp"
#include "nutshell/volume_rules.hpp"

namespace nutshell {
namespace {

// The last thread of a QEMU that was killed closes its files a moment after its lock is free.
constexpr auto release_patience = std::chrono::seconds(5);

void resize_file(const ResizeVolume& step) {
  const host::Fd file = host::open_disk(step.path, O_RDWR);
  if (step.format == DiskFormat::qcow2) {
    host::Tool tool;
    tool.argv = {"qemu-img", "resize", "-q", "-f", "qcow2"};
    if (step.to < step.from) tool.argv.emplace_back("--shrink");
    // The very file that was looked at, whatever its path leads to by now.
    tool.argv.insert(tool.argv.end(), {fmt::format("/proc/{}/fd/{}", getpid(), file.get()),
                                       std::to_string(step.to)});
    (void)host::output_of(tool);
    return;
  }
  if (ftruncate(file.get(), static_cast<off_t>(step.to)) != 0)
    throw SystemError(errno, fmt::format("{}: cannot be resized", printable(step.path)));
}

bool among(const std::vector<std::string>& words, const VolumeName& name) {
  return std::find(words.begin(), words.end(), name.vg + "/" + name.lv) != words.end();
}

}  // namespace

const host::LvmPlace& Performer::lvm() {
  if (!lvm_) lvm_ = lvm_place(house_);
  return *lvm_;
}

void Performer::measure(const VolumeName& name) {
  usable_volume(host::observe_group(lvm(), name.vg), name, house_.config.thin_limit);
}

void Performer::perform(const MakeLogicalVolume& step) {
  host::make_lv(lvm(), {{step.vg, step.name}, step.size, step.thin, step.tag});
  if (!step.thin.empty()) made_thin_.push_back(step.vg + "/" + step.name);
}

void Performer::perform(const DropLogicalVolume& step) {
  host::drop_lv(lvm(), {step.vg, step.name}, step.tag);
}

void Performer::perform(const ActivateVolume& step) {
  const VolumeName name{step.vg, step.name};
  host::activate_lv(lvm(), name);
  activated_.push_back(step.vg + "/" + step.name);
  // A new one is measured before it is written to: a write into a full pool hangs for a minute.
  if (!among(made_thin_, name) && !(live_ && among(live_->unmeasured, name))) return;
  try {
    measure(name);
  } catch (const Error&) {
    host::deactivate_lv(lvm(), name);  // a step that failed has had no effect
    throw;
  }
}

void Performer::perform(const DeactivateVolume& step) {
  const auto deadline = std::chrono::steady_clock::now() + release_patience;
  for (;;) {
    try {
      return host::deactivate_lv(lvm(), {step.vg, step.name});
    } catch (const Conflict&) {
      if (std::chrono::steady_clock::now() > deadline) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

void Performer::perform(const WipeVolume& step) {
  host::wipe(step.path, step.bytes,
             progress_on(house_.reporter, "zeroing " + printable(step.path)));
}

void Performer::perform(const SnapshotVolume& step) {
  if (among(activated_, {step.vg, step.origin})) measure({step.vg, step.origin});
  host::make_lv_snapshot(lvm(), {step.vg, step.origin}, step.name, step.tag);
}

void Performer::perform(const RestoreVolume& step) {
  host::restore_lv_snapshot(lvm(), {step.vg, step.name}, step.tag,
                            progress_on(house_.reporter, "restoring " + printable(step.name)));
}

void Performer::perform(const ResizeVolume& step) {
  if (step.vg.empty()) return resize_file(step);
  host::resize_lv(lvm(), {step.vg, step.path.substr(step.path.rfind('/') + 1)}, step.to, step.tag);
}

void Performer::perform(const TellGuest& step) {
  const auto row = house_.registry().machine(step.uuid);
  if (!row || step.disk >= row->spec.disks.size()) return;
  const DiskSpec& disk = row->spec.disks[step.disk];
  if (is_alive(house_, step.uuid)) {
    open_qmp(house_, *row)
        .execute("block_resize",
                 Json::object(
                     {{"node-name", fmt::format("disk{}-image", step.disk)}, {"size", step.size}}));
    return;
  }
  // It has ended meanwhile: what QEMU would have enlarged is left to us.
  if (disk.format == DiskFormat::qcow2)
    resize_file({disk.path, "", "", disk.format, step.size, step.size});
}

void Performer::perform(const FillVolume& step) {
  host::fill(step.image, step.image_format, step.path, step.format,
             progress_on(house_.reporter, "filling " + printable(step.path)));
}

void Performer::perform(const HoldGuest& step) { hold_guest(house_, {step.uuid, step.freeze}); }
void Performer::perform(const LetGuest& step) { let_guest(house_, {step.uuid, step.freeze}); }

}  // namespace nutshell
