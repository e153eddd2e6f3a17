// The layers of KVM in the order in which they fail, and for each failure the sentence that says
// what to do. Opening /dev/kvm is asked each time, since rights change; the trial's outcome is
// noted for as long as the host is up and its module the same.
#include "host/kvm.hpp"

#include <cpuid.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include "host/fd.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/note.hpp"

namespace nutshell::host {
namespace {

constexpr int expected_api = 12;  // KVM_API_VERSION has been 12 since Linux 2.6.22
constexpr int quick_ms = 200;
/// A processor that says that it can is believed longer: its host may be busy.
int patient_ms(bool cpu_flag) { return cpu_flag ? 5000 : 1000; }
constexpr std::chrono::seconds turn{5};

std::string text_of(const std::string& path) {
  try {
    return read_file(path).value_or("");
  } catch (const std::exception&) {
    return {};
  }
}

std::string one_line(std::string text) {
  for (char& each : text)
    if (each == '\n' || each == '\0') each = ' ';
  return text;
}

/// All that the trial's outcome depends on.
std::string trial_key() {
  utsname kernel{};
  ::uname(&kernel);
  return one_line(fmt::format("{} {} {} {}", text_of("/proc/sys/kernel/random/boot_id"),
                              kernel.release, text_of("/sys/module/kvm_intel/parameters/nested"),
                              text_of("/sys/module/kvm_amd/parameters/nested")));
}

std::optional<KvmTrial> noted_trial(const std::string& cache, const std::string& key) {
  const auto note = read_note(cache, "kvm");
  if (!note || note->size() != 4 || (*note)[0] != key) return std::nullopt;
  std::array<int, 3> numbers{};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string& text = (*note)[i + 1];
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), numbers[i]);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  }
  return KvmTrial{numbers[0], numbers[1], numbers[2] == 1};
}

/// One tries, the others wait: many at once would take the processor from one another.
std::optional<Lock> take_turn(const std::string& cache) {
  try {
    make_directories(cache);
    return Lock::exclusive(cache + "/kvm.lock", turn, "the trial of KVM");
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

KvmTrial trial(const std::string& cache, Notes notes, bool cpu_flag) {
  const std::string key = trial_key();
  if (const auto noted = noted_trial(cache, key)) return *noted;
  std::optional<Lock> lock;
  if (notes == Notes::keep && !cache.empty()) {
    lock = take_turn(cache);
    if (const auto noted = noted_trial(cache, key)) return *noted;
  }
  KvmTrial result = try_kvm(quick_ms);
  // A busy host may need longer than the first limit; a broken KVM needs for ever.
  if (result.run_errno == ETIME) result = try_kvm(patient_ms(cpu_flag));
  // EBUSY passes when the other hypervisor ends, and errors such as ENOMEM pass too.
  // So may a time that was too short, where the processor says that it can.
  const bool lasting = result.create_vm_errno == 0 &&
                       (result.run_errno == 0 || (result.run_errno == ETIME && !cpu_flag));
  if (lasting && notes == Notes::keep) {
    write_note(cache, "kvm",
               {key, std::to_string(result.create_vm_errno), std::to_string(result.run_errno),
                result.supported_nested ? "1" : "0"});
  }
  return result;
}

std::string group_of_node() {
  struct stat facts {};
  if (::stat("/dev/kvm", &facts) != 0) return {};
  std::array<char, 4096> room{};
  group entry{}, *found = nullptr;
  if (::getgrgid_r(facts.st_gid, &entry, room.data(), room.size(), &found) == 0 && found)
    return found->gr_name;
  return std::to_string(facts.st_gid);
}

std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace

CpuFact observe_cpu() {
  CpuFact cpu;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(0, &eax, &ebx, &ecx, &edx)) {
    std::array<char, 12> name{};
    std::memcpy(&name[0], &ebx, 4);
    std::memcpy(&name[4], &edx, 4);
    std::memcpy(&name[8], &ecx, 4);
    const std::string_view vendor(name.data(), name.size());
    if (vendor == "GenuineIntel") cpu.vendor = CpuVendor::intel;
    if (vendor == "AuthenticAMD" || vendor == "HygonGenuine") cpu.vendor = CpuVendor::amd;
  }
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx >> 5 & 1)) cpu.can = true;
  if (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && (ecx >> 2 & 1)) cpu.can = true;

  // One processor's entry is enough, and a hundred of them take milliseconds to print.
  const Fd file(::open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC));
  std::string info(16384, '\0');
  const ssize_t got = file ? ::read(file.get(), info.data(), info.size()) : -1;
  info.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  const std::size_t at = info.find("\nflags");
  if (at != std::string::npos) {
    std::string flags = info.substr(at, info.find('\n', at + 1) - at);
    flags += ' ';
    cpu.flag = flags.find(" vmx ") != std::string::npos || flags.find(" svm ") != std::string::npos;
  }
  return cpu;
}

std::string kvm_trouble(const KvmFact& kvm, const CpuFact& cpu, const std::string& group) {
  const char* module = cpu.vendor == CpuVendor::intel ? "kvm_intel" : "kvm_amd";
  if (!kvm.node || kvm.open_errno == ENXIO || kvm.open_errno == ENODEV) {
    if (!cpu.can && !cpu.flag)
      return "this processor has no virtualization (no vmx or svm flag); if it is a virtual "
             "machine "
             "itself, switch nesting on in its host";
    if (!cpu.flag)
      return "virtualization is switched off in this host's firmware; switch VT-x or SVM on there";
    return fmt::format(
        "there is no /dev/kvm; load the module with: modprobe {} (if it refuses, virtualization is "
        "switched off in the firmware)",
        module);
  }
  if (kvm.open_errno == EACCES || kvm.open_errno == EPERM)
    return fmt::format(
        "this user may not open /dev/kvm, which is the group {0}'s; join it with: "
        "sudo usermod -aG {0} $USER, and log in again",
        group);
  if (kvm.open_errno != 0)
    return fmt::format("/dev/kvm cannot be opened: {}", reason(kvm.open_errno));
  if (kvm.api_version != expected_api)
    return fmt::format("/dev/kvm speaks version {} of its interface, not {}", kvm.api_version,
                       expected_api);
  if (kvm.create_vm_errno == EBUSY)
    return "another hypervisor (VirtualBox or VMware, say) has the processor's virtualization; end "
           "its machines";
  if (kvm.create_vm_errno > 0)
    return fmt::format("/dev/kvm opens, but makes no VM: {}", reason(kvm.create_vm_errno));
  if (!kvm.runs_guest)
    return fmt::format(
        "/dev/kvm opens and makes VMs, but does not run them: a short loop did not come to its end "
        "in {} s{}",
        patient_ms(cpu.flag) / 1000,
        cpu.flag ? "" : " (the processor shows no vmx or svm flag, so its code is interpreted)");
  return {};
}

KvmFact observe_kvm(const std::string& cache, Notes notes) {
  KvmFact kvm;
  const CpuFact cpu = observe_cpu();
  kvm.cpu_flag = cpu.flag;
  const Fd fd(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
  kvm.open_errno = fd ? 0 : errno;
  kvm.node = kvm.open_errno != ENOENT;
  std::string group;
  if (fd) {
    kvm.api_version = ::ioctl(fd.get(), KVM_GET_API_VERSION, 0UL);
    if (kvm.api_version == expected_api) {
      const KvmTrial result = trial(cache, notes, cpu.flag);
      kvm.create_vm_errno = result.create_vm_errno;
      kvm.supported_nested = result.supported_nested;
      kvm.runs_guest = result.run_errno == 0;
    }
  } else if (kvm.node) {
    group = group_of_node();
  }
  kvm.trouble = kvm_trouble(kvm, cpu, group);
  return kvm;
}

}  // namespace nutshell::host
