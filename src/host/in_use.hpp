// Who has a disk, before we give it to a machine.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace nutshell::host {

/// How far to look. Both see QEMU's image locks, mounts, loop devices, swap and what the kernel has
/// built on a device; `thorough` also looks through every process's descriptors (as root; some
/// milliseconds).
enum class Search { quick, thorough };

/// Who holds the disk at `path` (a file or a block device) in a way that forbids us to use it, in
/// words: "qemu-system-x86 (pid 311)", "mounted on /srv". Readers do not forbid reading: an ISO may
/// be in several machines. nullopt: nobody, or there is no such file. Takes nothing, writes
/// nothing. Throws SystemError when the disk cannot be opened for reading.
std::optional<std::string> disk_holder(const std::string& path, bool read_only,
                                       Search search = Search::thorough);

/// Where a text in the form of /proc/PID/mountinfo has the block device `major:minor` mounted,
/// known by its number, or (btrfs) by the device that is named as the source.
std::optional<std::string> find_mount(const std::string& mountinfo, unsigned major, unsigned minor);
/// The files and devices that /proc/swaps lists, their escapes undone. Pure.
std::vector<std::string> swap_paths(const std::string& swaps);

}  // namespace nutshell::host
