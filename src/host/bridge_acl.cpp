// The ACL of qemu-bridge-helper, read as it reads it: each line is `allow NAME`, `deny NAME` or
// `include FILE`, NAME may be `all`; nothing is allowed that no line allows, and one deny outweighs
// every allow, wherever it stands. The helper reads with the rights of the user who calls it, so a
// file that we may not read counts for nothing there either.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "host/files.hpp"
#include "host/observe.hpp"
#include "host/setup.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr unsigned deepest_include = 16;

constexpr const char* acl_of_helper = "/etc/qemu/bridge.conf";

struct Acl {
  std::set<std::string> allowed;
  std::map<std::string, std::string> denied;  ///< and by which file
  /// Whether an included file is one of those that are asked about.
  std::function<bool(const std::string&)> counts = [](const std::string&) { return true; };
};

void read_acl(const std::string& path, unsigned depth, Acl& acl) {
  if (depth > deepest_include) return;
  std::string text;
  try {
    text = read_file(path).value_or("");
  } catch (const Error&) {
    return;
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string verb, name, more;
    if (!(words >> verb) || verb[0] == '#' || !(words >> name)) continue;
    if (verb == "allow") acl.allowed.insert(name);
    if (verb == "deny") acl.denied.emplace(name, path);
    if (verb == "include" && acl.counts(name)) read_acl(name, depth + 1, acl);
  }
}

/// Of what root may read, what every user may.
bool is_everybodys(const std::string& file) {
  struct stat facts {};
  return ::stat(file.c_str(), &facts) == 0 && (facts.st_mode & 0004);
}

}  // namespace

std::vector<std::string> allowed_bridges(const std::string& acl_file,
                                         const std::vector<std::string>& bridges) {
  Acl acl;
  read_acl(acl_file, 0, acl);
  std::vector<std::string> allowed;
  if (acl.denied.contains("all")) return allowed;
  const bool all = acl.allowed.contains("all");
  if (all && acl.denied.empty()) allowed.emplace_back("all");
  std::set<std::string> names = acl.allowed;
  if (all) names.insert(bridges.begin(), bridges.end());
  for (const std::string& name : names)
    if (name != "all" && !acl.denied.contains(name)) allowed.push_back(name);
  return allowed;
}

std::optional<SetupDenial> find_denial(const std::string& bridge, const std::string& own_file) {
  Acl acl;
  acl.counts = [&](const std::string& file) {
    return ::geteuid() != 0 || file == own_file || is_everybodys(file);
  };
  read_acl(acl_of_helper, 0, acl);
  for (const std::string& name : {bridge, std::string("all")})
    if (const auto at = acl.denied.find(name); at != acl.denied.end())
      return SetupDenial{at->second, "deny " + name};
  return std::nullopt;
}

std::string acl_trouble(const std::string& bridge) {
  if (const auto denial = find_denial(bridge, ""))
    return fmt::format("{} has the line `{}`, which outweighs every allow; root may take it out",
                       denial->file, denial->line);
  const bool root = ::geteuid() == 0;
  if (root ? file_exists(acl_of_helper) && !is_everybodys(acl_of_helper)
           : ::access(acl_of_helper, R_OK) != 0 && errno == EACCES)
    return fmt::format("{} may not be read by {}, with whose rights the helper reads it",
                       acl_of_helper, root ? "every user" : "you");
  return "";
}

}  // namespace nutshell::host
