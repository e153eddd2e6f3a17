// Who we are and what the host has, and which parts of it were asked for. The network parts are in
// observe_network.cpp; here are files and names.
#include "host/observe.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>

#include "host/accounts.hpp"
#include "host/fd.hpp"
#include "host/files.hpp"
#include "host/observe_network.hpp"
#include "host/qemu_binary.hpp"
#include "host/tool.hpp"

namespace nutshell::host {
namespace {

std::string first_line(const std::string& path) {
  std::string text = read_file(path).value_or("");
  text.resize(std::min(text.find('\n'), text.size()));
  return text;
}

Bytes kibi_field(const std::string& text, std::string_view name) {
  const std::size_t at = text.find(name);
  if (at == std::string::npos) return 0;
  const std::size_t digits = text.find_first_of("0123456789", at + name.size());
  Bytes value = 0;
  if (digits != std::string::npos)
    std::from_chars(text.data() + digits, text.data() + text.size(), value);
  return value * kibi;
}

void observe_memory(Facts& facts) {
  const std::string info = read_file("/proc/meminfo").value_or("");
  facts.memory_total = kibi_field(info, "MemTotal:");
  facts.memory_available = kibi_field(info, "MemAvailable:");
}

void observe_devices(const ObserveOptions& options, Facts& facts) {
  facts.cpu_vendor = observe_cpu().vendor;
  facts.kvm = observe_kvm(options.cache, options.notes);
  facts.vhost_net = static_cast<bool>(Fd(::open("/dev/vhost-net", O_RDWR | O_CLOEXEC)));
  struct stat node {};
  if (::stat("/dev/kvm", &node) != 0) return;
  // Where no group is meant to open it, it is root's, which no QEMU may be in.
  if (node.st_gid != 0) facts.kvm_gid = node.st_gid;
  const bool group_may = node.st_gid != 0 && (node.st_mode & 0060) == 0060;
  if (::geteuid() == 0 && !group_may && (node.st_mode & 0006) != 0006 && facts.kvm.trouble.empty())
    facts.kvm.trouble =
        "root alone may open /dev/kvm, and no machine runs as root; give it to the group kvm with "
        "`nutshell setup`";
}

void observe_firmware(Facts& facts) {
  struct Pair {
    const char *code, *vars;
  };
  // Debian and Ubuntu (4 MiB, then the older 2 MiB), Arch, Fedora and RHEL, openSUSE.
  static constexpr std::array pairs{
      Pair{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
      Pair{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
      Pair{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
      Pair{"/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd"},
      Pair{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
      Pair{"/usr/share/qemu/ovmf-x86_64-code.bin", "/usr/share/qemu/ovmf-x86_64-vars.bin"},
  };
  for (const Pair& pair : pairs) {
    if (::access(pair.code, R_OK) != 0 || ::access(pair.vars, R_OK) != 0) continue;
    facts.ovmf_code = pair.code;
    facts.ovmf_vars = pair.vars;
    return;
  }
}

void observe_qemu_user(Facts& facts) {
  if (const auto user = user_named("nutshell-qemu")) facts.qemu_user = {user->first, user->second};
}

/// It opens /dev/net/tun and changes a bridge: with neither root nor the right by file it is of no
/// use to an ordinary user.
bool may_help(const std::string& helper) {
  struct stat file {};
  if (::stat(helper.c_str(), &file) != 0 || ::access(helper.c_str(), X_OK) != 0) return false;
  if ((file.st_mode & S_ISUID) && file.st_uid == 0) return true;
  return ::getxattr(helper.c_str(), "security.capability", nullptr, 0) > 0;
}

void observe_helper(Facts& facts) {
  for (const char* path : {"/usr/lib/qemu/qemu-bridge-helper", "/usr/libexec/qemu-bridge-helper"}) {
    if (!may_help(path)) continue;
    facts.bridge_helper = path;
    break;
  }
  if (facts.bridge_helper.empty()) return;
  std::vector<std::string> bridges;
  for (const LinkFact& link : facts.links)
    if (link.kind == "bridge") bridges.push_back(link.name);
  facts.helper_bridges = allowed_bridges("/etc/qemu/bridge.conf", bridges);
}

}  // namespace

Facts observe(const ObserveOptions& options) {
  const auto wants = [&](unsigned parts) { return (options.parts & parts) != 0; };
  Facts facts;
  facts.seen = true;
  facts.uid = ::geteuid();
  facts.gid = ::getegid();
  facts.root = facts.uid == 0;
  facts.boot_id = first_line("/proc/sys/kernel/random/boot_id");
  facts.cpus = static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), HOST_NAME_MAX) == 0) facts.hostname = name.data();

  observe_network(options, facts);
  if (wants(part::kvm)) observe_devices(options, facts);
  if (wants(part::qemu)) {
    QemuLookup found = observe_qemu(options.qemu, options.cache, options.notes);
    facts.qemu = std::move(found.qemu);
    facts.qemu_trouble = std::move(found.trouble);
  }
  if (wants(part::memory)) observe_memory(facts);
  if (wants(part::dnsmasq)) facts.dnsmasq = find_program("dnsmasq").has_value();
  if (wants(part::helper)) observe_helper(facts);
  if (wants(part::firmware)) observe_firmware(facts);
  if (wants(part::qemu_user)) observe_qemu_user(facts);
  return facts;
}

}  // namespace nutshell::host
