// Active volumes as the kernel shows them, without lvm: its device-mapper device, and what the
// host has built on it.
#pragma once
#include <optional>
#include <string>

#include "nutshell/volumes.hpp"

namespace nutshell::host {

/// "VG-LV", hyphens doubled: device-mapper's name of a volume.
std::string mapper_name(const VolumeName& name);
/// The kernel's name ("dm-3") of an active volume; nullopt when it is not active.
std::optional<std::string> active_device(const VolumeName& name);
/// True when the kernel has device-mapper, now (a module may be loaded later).
bool has_device_mapper();
/// Takes away what the host has activated on top of a volume (a guest's own group), the topmost
/// first. Throws Conflict naming what is in use, or is no device-mapper device.
void drop_holders(const VolumeName& name);
/// Throws Conflict naming who uses an active volume.
void refuse_when_used(const VolumeName& name);

}  // namespace nutshell::host
