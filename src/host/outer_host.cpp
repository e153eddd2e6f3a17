// A hypervisor that wants to be known sets a bit that no hardware sets, and gives its name.
#include "host/outer_host.hpp"

#include <cpuid.h>

#include <array>
#include <cctype>
#include <cstring>

#include "host/files.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

struct Signature {
  const char *word, *name;
};
constexpr Signature signatures[] = {
    {"KVMKVMKVM", "KVM"},        {"TCGTCGTCGTCG", "QEMU (TCG)"}, {"VMwareVMware", "VMware"},
    {"Microsoft Hv", "Hyper-V"}, {"XenVMMXenVMM", "Xen"},        {"VBoxVBoxVBox", "VirtualBox"},
    {"bhyve bhyve ", "bhyve"},
};

std::string hypervisor() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx >> 31 & 1)) return "";
  __cpuid(0x40000000, eax, ebx, ecx, edx);
  std::array<char, 13> word{};
  std::memcpy(&word[0], &ebx, 4);
  std::memcpy(&word[4], &ecx, 4);
  std::memcpy(&word[8], &edx, 4);
  for (const Signature& each : signatures)
    if (std::string(each.word) == word.data()) return each.name;
  return word[0] ? word.data() : "an unknown hypervisor";
}

}  // namespace

std::optional<OuterHost> observe_outer_host() {
  OuterHost outer{hypervisor(), ""};
  if (outer.hypervisor.empty()) return std::nullopt;
  try {
    outer.uuid = read_file("/sys/class/dmi/id/product_uuid").value_or("");
  } catch (const Error&) {
    // Root alone may read it.
  }
  outer.uuid = outer.uuid.substr(0, outer.uuid.find('\n'));
  for (char& c : outer.uuid) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return outer;
}

}  // namespace nutshell::host
