// Whether this host is a virtual machine itself, and of what kind.
#pragma once
#include <optional>
#include <string>

namespace nutshell::host {

struct OuterHost {
  std::string hypervisor;  ///< "KVM", "QEMU (TCG)", "VMware", "Hyper-V", "Xen", or its own word
  std::string uuid;  ///< of this machine, as its hypervisor gave it; "" where only root sees it
};
/// nullopt on hardware. By the processor's own word (CPUID leaf 0x40000000) and the firmware's.
std::optional<OuterHost> observe_outer_host();

}  // namespace nutshell::host
