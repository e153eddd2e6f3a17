// Where a program lies, and what to install when it does not. The search is ours because the one in
// Boost.Process pulls in a whole library, and because sbin folders are not in everybody's PATH.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

#include "host/tool.hpp"

namespace nutshell::host {
namespace {

bool may_run(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

std::optional<std::string> find_program(const std::string& name) {
  if (name.empty()) return std::nullopt;
  if (name.find('/') != std::string::npos)
    return may_run(name) ? std::optional(name) : std::nullopt;
  const char* path = std::getenv("PATH");
  const std::string folders =
      fmt::format("{}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin", path ? path : "");
  for (std::size_t at = 0; at <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', at), folders.size());
    const std::string folder = folders.substr(at, end - at);
    at = end + 1;
    if (folder.empty() || folder[0] != '/') continue;  // never what happens to lie in the cwd
    const std::string candidate = fmt::format("{}/{}", folder, name);
    if (may_run(candidate)) return candidate;
  }
  return std::nullopt;
}

std::string package_of(const std::string& program) {
  struct Shipped {
    std::string_view program, package;
  };
  static constexpr std::array shipped{
      Shipped{"qemu-img", "qemu-utils"},
      Shipped{"qemu-system-x86_64", "qemu-system-x86"},
      Shipped{"dnsmasq", "dnsmasq-base"},
      Shipped{"lvm", "lvm2"},
      Shipped{"dmsetup", "dmsetup"},
      Shipped{"nft", "nftables"},
      Shipped{"qemu-bridge-helper", "qemu-system-common"},
  };
  const std::string_view name = std::string_view(program).substr(program.rfind('/') + 1);
  for (const Shipped& each : shipped)
    if (each.program == name) return std::string(each.package);
  return {};
}

std::string missing_program(const std::string& program) {
  const std::string package = package_of(program);
  if (package.empty())
    return fmt::format("{} is not installed, or may not be run", printable(program));
  return fmt::format("{} is not installed; install it with: apt install {}", printable(program),
                     package);
}

}  // namespace nutshell::host
