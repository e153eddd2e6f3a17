// LVM through its CLI. Every call is limited to the physical volumes of one volume group
// (--devices), so that what a guest keeps on its disks is never scanned, activated or touched;
// stdout alone is parsed (JSON reports); a call that hangs or floods ends in time. What is changed
// is checked to be ours first: no call here changes a volume without the mark that is given.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "nutshell/spec.hpp"
#include "nutshell/volumes.hpp"

namespace nutshell::host {

/// Where volumes are and how lvm is called.
struct LvmPlace {
  std::string cache;  ///< folder for the note of which devices make up a group (per boot); empty:
                      ///< none is kept
  /// Block devices given to machines by path: guests may keep physical volumes on them, so they are
  /// never scanned.
  std::vector<std::string> guests_devices;
};

/// A new logical volume. It is made inactive, skipping activation, with the tag.
struct NewVolume {
  VolumeName name;
  Bytes size = 0;    ///< rounded up to whole extents
  std::string pool;  ///< thin pool; empty: thick
  std::string tag;
};

/// All groups that this host shows, with their volumes. Throws Failed when lvm is absent, hangs,
/// floods or fails.
LvmFacts observe_lvm(const LvmPlace& place);
/// One group. Throws NotFound naming the groups that there are.
LvmFacts observe_group(const LvmPlace& place, const std::string& vg);

/// Each throws Failed (CommandFailed) with what lvm said; a failed call has left nothing behind.
/// Conflict when the name is taken.
void make_lv(const LvmPlace& place, const NewVolume& volume);
/// A snapshot: thin of a thin origin; of a thick one thick, as large as it can ever need, so that
/// it cannot overflow.
void make_lv_snapshot(const LvmPlace& place, const VolumeName& origin, const std::string& name,
                      const std::string& tag);
/// Gone already is done. Nested volumes that the host has activated on top of it are deactivated
/// first (dm holders); Conflict when it is mounted or open; Conflict when it lacks the tag.
void drop_lv(const LvmPlace& place, const VolumeName& name, const std::string& tag);
/// Makes /dev/VG/LV appear, whatever its activation skip. Already active is done.
void activate_lv(const LvmPlace& place, const VolumeName& name);
/// Inactive or gone is done. Conflict when it is open.
void deactivate_lv(const LvmPlace& place, const VolumeName& name);
/// Larger or (only as the undo of an enlargement) smaller.
void resize_lv(const LvmPlace& place, const VolumeName& name, Bytes size, const std::string& tag);
/// Bytes done of all; may throw (Interrupted) to end the work. It is called at least every second
/// where a program works, and after each 16 MiB where we do.
using Progress = std::function<void(Bytes done, Bytes total)>;
/// The origin gets the snapshot's content; the snapshot is there afterwards, too, with the same
/// content and tag. Both must be inactive, and are again. Can be repeated after being killed at any
/// point. A thick one is copied where they differ (with progress), a thin one is merged at once.
void restore_lv_snapshot(const LvmPlace& place, const VolumeName& snapshot, const std::string& tag,
                         const Progress& progress = {});

/// Zeroes a volume or file: the first `bytes` and the last MiB, where signatures live too; 0: all
/// of it. What is zero because it takes no room (a hole, a thin block) takes none afterwards. Then
/// syncs. Throws Conflict when it is in use, or is no volume (open_disk).
void wipe(const std::string& path, Bytes bytes, const Progress& progress);

/// What qemu-img says of an image; `format` empty: detected, and then shown to the user.
struct ImageFact {
  std::string format;
  Bytes virtual_size = 0, file_size = 0;
};
/// Throws ConfigError when qemu-img cannot read it, naming the formats that it knows; when it is
/// cut short or damaged; and when it would bring in another file (a backing file, say).
ImageFact observe_image(const std::string& path, const std::string& format);
/// Copies an image's content into an existing volume or file of at least its virtual size (qemu-img
/// convert -n). Throws what observe_image does, and Conflict when `path` is no volume (open_disk).
void fill(const std::string& image, const std::string& image_format, const std::string& path,
          DiskFormat format, const Progress& progress);

/// An unused block device (no partition, holder, mount, signature) of at least `size`, for a
/// vgextend; "" when none.
std::string spare_device(Bytes size);

}  // namespace nutshell::host
