// The trial of KVM: one page of memory and a short loop, in a forked child. Where KVM is broken (a
// nested hypervisor that lets VMs be made and never runs them) KVM_RUN does not come back; so it is
// the child that calls it, and the child that is killed. The child makes system calls only, because
// the parent may have threads. It writes what it has found to a shared page as it goes.
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <new>

#include "host/fd.hpp"
#include "host/kvm.hpp"

namespace nutshell::host {
namespace {

constexpr std::size_t page = 4096;
/// Real mode: mov ecx, 3000000; again: dec ecx; jnz again; hlt. Hardware does it in a few
/// milliseconds, hardware that is itself emulated in some tens; a KVM that interprets instructions
/// needs seconds, and would need hours to boot a machine.
constexpr std::array<unsigned char, 11> guest{0x66, 0xb9, 0xc0, 0xc6, 0x2d, 0x00,
                                              0x66, 0x49, 0x75, 0xfc, 0xf4};
constexpr unsigned vmx_bit = 5, svm_bit = 2;

/// Shared with the child.
struct Findings {
  std::atomic<int> create_vm{-1}, run{-1};
  std::atomic<bool> nested{false};
};

/// The kernel's kvm_cpuid2 with room for entries. Its own declaration has an empty structure before
/// them, which is one byte long in C++: offset and request number come out wrong.
struct CpuidList {
  std::uint32_t count = 256, padding = 0;
  kvm_cpuid_entry2 entries[256]{};
};
constexpr unsigned long get_supported_cpuid = _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0x05, 8);

bool has_nested(int kvm) {
  static CpuidList list;
  list.count = 256;
  if (::ioctl(kvm, get_supported_cpuid, &list) != 0) return false;
  for (unsigned i = 0; i < list.count && i < 256; ++i) {
    const kvm_cpuid_entry2& leaf = list.entries[i];
    if (leaf.function == 1 && (leaf.ecx >> vmx_bit & 1)) return true;
    if (leaf.function == 0x80000001 && (leaf.ecx >> svm_bit & 1)) return true;
  }
  return false;
}

/// 0 when the guest came to its HLT, else an errno.
int run_guest(int kvm, int vm) {
  void* memory = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return errno;
  std::memcpy(memory, guest.data(), guest.size());
  // Intel processors that cannot run real mode by themselves need a place for a task state segment.
  (void)::ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000UL);
  kvm_userspace_memory_region region{};
  region.guest_phys_addr = 0x1000;
  region.memory_size = page;
  region.userspace_addr = reinterpret_cast<std::uint64_t>(memory);
  if (::ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) != 0) return errno;
  const int cpu = ::ioctl(vm, KVM_CREATE_VCPU, 0UL);
  if (cpu < 0) return errno;
  const int size = ::ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0UL);
  if (size < static_cast<int>(sizeof(kvm_run))) return EINVAL;
  void* shared =
      ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
  if (shared == MAP_FAILED) return errno;
  kvm_sregs segments{};
  if (::ioctl(cpu, KVM_GET_SREGS, &segments) != 0) return errno;
  segments.cs.base = 0;
  segments.cs.selector = 0;
  if (::ioctl(cpu, KVM_SET_SREGS, &segments) != 0) return errno;
  kvm_regs registers{};
  registers.rip = 0x1000;
  registers.rflags = 2;
  if (::ioctl(cpu, KVM_SET_REGS, &registers) != 0) return errno;
  const auto* state = static_cast<kvm_run*>(shared);
  for (int i = 0; i < 100; ++i) {
    if (::ioctl(cpu, KVM_RUN, 0UL) != 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return errno;
    }
    if (state->exit_reason == KVM_EXIT_HLT) return 0;
    if (state->exit_reason != KVM_EXIT_INTR) return EIO;
  }
  return ETIME;
}

[[noreturn]] void try_in_child(Findings& findings) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int kvm = ::open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0) {
    findings.create_vm = errno;
    ::_exit(0);
  }
  findings.nested = has_nested(kvm);
  const int vm = ::ioctl(kvm, KVM_CREATE_VM, 0UL);
  findings.create_vm = vm < 0 ? errno : 0;
  if (vm >= 0) {
    findings.run = ETIME;  // until it comes back
    findings.run = run_guest(kvm, vm);
  }
  ::_exit(0);
}

}  // namespace

KvmTrial try_kvm(int limit_ms) {
  KvmTrial trial;
  void* shared =
      ::mmap(nullptr, sizeof(Findings), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return trial;
  auto* findings = new (shared) Findings;
  const pid_t child = ::fork();
  if (child == 0) try_in_child(*findings);
  if (child > 0) {
    const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    pollfd ended{pidfd.get(), POLLIN, 0};
    if (!pidfd || ::poll(&ended, 1, limit_ms) <= 0) ::kill(child, SIGKILL);
    // It may be beyond the reach of SIGKILL inside the kernel; then it is left to init.
    for (int i = 0; i < 250 && ::waitpid(child, nullptr, WNOHANG) == 0; ++i) ::usleep(2000);
    trial = {findings->create_vm, findings->run, findings->nested};
  }
  ::munmap(shared, sizeof(Findings));
  return trial;
}

}  // namespace nutshell::host
