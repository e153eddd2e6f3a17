// The ACL of qemu-bridge-helper, read as it reads it: each line is `allow NAME`, `deny NAME` or
// `include FILE`, NAME may be `all`; nothing is allowed that no line allows, and one deny outweighs
// every allow, wherever it stands. The helper reads with the rights of the user who calls it, so a
// file that we may not read counts for nothing there either.
#include <algorithm>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "host/files.hpp"
#include "host/observe.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr unsigned deepest_include = 16;

struct Acl {
  std::set<std::string> allowed, denied;
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
    if (verb == "deny") acl.denied.insert(name);
    if (verb == "include") read_acl(name, depth + 1, acl);
  }
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

}  // namespace nutshell::host
