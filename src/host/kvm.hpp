// Whether KVM can be used here, layer by layer and by evidence: a /dev/kvm that opens is not yet a
// KVM that boots.
#pragma once
#include <string>

#include "nutshell/facts.hpp"

namespace nutshell::host {

/// Whether a look may leave a note for the next one.
enum class Notes {
  keep,    ///< what was learnt is written to the cache folder
  nothing  ///< a dry run: what is there is read, nothing is written
};

/// Opens /dev/kvm, and asks it. What costs time (making a VM, running a guest in it, at most 2.5 s)
/// is done once for each boot of the host and state of the module, and noted in the folder `cache`
/// (empty: never noted); one process tries, others wait for what it finds. Never hangs, never
/// throws.
KvmFact observe_kvm(const std::string& cache, Notes notes);

/// What a child found out about /dev/kvm. 0 or an errno each; -1: not tried.
struct KvmTrial {
  int create_vm_errno = -1;
  int run_errno = -1;             ///< ETIME: the guest did not come to its HLT in time
  bool supported_nested = false;  ///< KVM_GET_SUPPORTED_CPUID has vmx or svm
};
/// Makes a VM and runs a guest of a few instructions in it, in a child process that is killed when
/// it has not ended after `limit_ms`. Throws nothing; without /dev/kvm it says so by errno.
KvmTrial try_kvm(int limit_ms);

/// The CPU as it says itself (CPUID) and as the kernel shows it (/proc/cpuinfo).
struct CpuFact {
  CpuVendor vendor = CpuVendor::unknown;
  bool can = false;   ///< CPUID has vmx or svm
  bool flag = false;  ///< /proc/cpuinfo shows it: firmware has not switched it off
};
CpuFact observe_cpu();
/// The sentence for the first layer that fails; empty when none does. `group` owns /dev/kvm. Pure.
std::string kvm_trouble(const KvmFact& kvm, const CpuFact& cpu, const std::string& group);

}  // namespace nutshell::host
