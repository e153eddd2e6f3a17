// IPv4 forwards by the setting of the link that a packet comes in by, IPv6 by the one for all links
// (Linux: ip_route_input_slow, ip6_forward). Packets of a NAT network come back by a link that
// nobody can name beforehand, so both are turned on as a whole, which sets every link.
#include "host/sysctl.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "host/fd.hpp"
#include "host/files.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

namespace fs = std::filesystem;

std::string full(const std::string& path) { return "/proc/sys/" + path; }

/// Its first line; empty when there is no such setting.
std::string value_of(const std::string& path) {
  const std::string text = read_file(full(path)).value_or("");
  return text.substr(0, text.find('\n'));
}

std::vector<std::string> links_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(full(folder), error)) {
    const std::string name = entry.path().filename().string();
    if (name != "all" && name != "default") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// A link may be gone meanwhile; `or_gone` says that this is fine.
void put(const std::string& path, const std::string& value, bool or_gone) {
  const Fd file(::open(full(path).c_str(), O_WRONLY | O_CLOEXEC));
  if (!file && errno == ENOENT && or_gone) return;
  if (!file || ::write(file.get(), value.data(), value.size()) < 0)
    throw SystemError(errno, fmt::format("{}: cannot be set to {}", full(path), value));
}

/// Links that forward already, unchanged; then the one setting for all, which sets every link; then
/// those that never forward.
std::vector<Setting> whole(const std::string& folder, const std::string& all,
                           const LinkNames& never) {
  std::vector<Setting> settings;
  for (const std::string& link : links_in(folder)) {
    const std::string path = fmt::format("{}/{}/forwarding", folder, link);
    if (value_of(path) == "1") settings.push_back({path, "1", "1"});
  }
  settings.push_back({all, "0", "1"});
  for (const std::string& link : never)
    settings.push_back({fmt::format("{}/{}/forwarding", folder, link), "0", "0"});
  return settings;
}

}  // namespace

std::vector<Setting> settings_to_forward_ipv4(const LinkNames& never) {
  if (value_of("net/ipv4/ip_forward") != "0") return {};
  return whole("net/ipv4/conf", "net/ipv4/ip_forward", never);
}

std::vector<Setting> settings_to_forward_ipv6(const LinkNames& never) {
  const std::string folder = "net/ipv6/conf", all = folder + "/all/forwarding";
  if (value_of(all) != "0") return {};
  std::vector<Setting> settings;
  for (const std::string& link : links_in(folder)) {
    const std::string path = fmt::format("{}/{}/accept_ra", folder, link);
    const bool hears =
        value_of(path) == "1" && value_of(fmt::format("{}/{}/forwarding", folder, link)) == "0";
    if (hears) settings.push_back({path, "1", "2"});
  }
  for (Setting& each : whole(folder, all, never)) settings.push_back(std::move(each));
  return settings;
}

void apply_settings(const std::vector<Setting>& settings) {
  for (const Setting& each : settings) put(each.path, each.after, each.before == each.after);
}

std::vector<Setting> still_as_we_set(std::vector<Setting> settings) {
  settings.erase(std::remove_if(settings.begin(), settings.end(),
                                [](const Setting& each) {
                                  return !each.after.empty() && value_of(each.path) != each.after;
                                }),
                 settings.end());
  for (Setting& each : settings) each.after.clear();
  return settings;
}

void restore_settings(const std::vector<Setting>& settings) {
  for (auto each = settings.rbegin(); each != settings.rend(); ++each)
    put(each->path, each->before, true);
}

std::uint64_t network_namespace() {
  struct stat facts {};
  return ::stat("/proc/self/ns/net", &facts) == 0 ? facts.st_ino : 0;
}

}  // namespace nutshell::host
