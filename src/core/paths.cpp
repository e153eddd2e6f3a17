// The layout of our files, from one choice: --root, else the system's directories for root, else
// the user's. The sockets are the only paths with a limit, so it is checked here, before anything
// is made, for the longest of them.
#include "nutshell/paths.hpp"

#include <fmt/format.h>

#include "nutshell/error.hpp"

namespace nutshell {
namespace {

bool is_absolute(const std::string& path) { return !path.empty() && path.front() == '/'; }

std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

/// An XDG directory, or its fallback below the home; the specification says that a relative one
/// counts as unset.
std::string xdg(const std::string& given, const std::string& home, std::string_view below_home) {
  if (is_absolute(given)) return without_trailing_slashes(given) + "/nutshell";
  if (!is_absolute(home))
    throw ConfigError("HOME",
                      "it is not set to an absolute path, so there is no place for our "
                      "files; set it or give --root DIR");
  return without_trailing_slashes(home) + std::string(below_home) + "/nutshell";
}

Paths below_root(const std::string& root) {
  return {root + "/etc/nutshell.toml", root + "/state", root + "/run", root + "/log",
          root + "/cache"};
}

Paths of_system() {
  return {"/etc/nutshell/nutshell.toml", "/var/lib/nutshell", "/run/nutshell", "/var/log/nutshell",
          "/var/cache/nutshell"};
}

Paths of_user(const PathChoice& choice) {
  Paths paths;
  paths.config_file = xdg(choice.xdg_config, choice.home, "/.config") + "/nutshell.toml";
  paths.state = xdg(choice.xdg_state, choice.home, "/.local/state");
  paths.run = is_absolute(choice.xdg_runtime)
                  ? without_trailing_slashes(choice.xdg_runtime) + "/nutshell"
                  : paths.state + "/run";
  paths.logs = paths.state + "/logs";
  paths.cache = xdg(choice.xdg_cache, choice.home, "/.cache");
  return paths;
}

}  // namespace

Paths make_paths(const PathChoice& choice) {
  Paths paths;
  std::string where = "--root";
  if (!choice.root.empty()) {
    if (!is_absolute(choice.root))
      throw ConfigError(where, "\"" + choice.root +
                                   "\" is a relative path; give one that begins "
                                   "with '/'");
    if (const std::string fault = text_fault(choice.root); !fault.empty())
      throw ConfigError(where, "\"" + choice.root + "\" cannot be used: " + fault);
    const std::string root = without_trailing_slashes(choice.root);
    paths = below_root(root == "/" ? "" : root);
  } else if (choice.is_root) {
    paths = of_system();
  } else {
    paths = of_user(choice);
    where = is_absolute(choice.xdg_runtime) ? "XDG_RUNTIME_DIR" : "HOME";
  }
  if (!choice.config.empty()) paths.config_file = choice.config;

  const std::string longest = paths.run + "/XXXXXXXX/serial";
  if (longest.size() > longest_socket_path)
    throw ConfigError(where, fmt::format("a socket's path would be {} ({} bytes), and the kernel "
                                         "takes at most {}; give a shorter directory with --root",
                                         longest, longest.size(), longest_socket_path));
  return paths;
}

}  // namespace nutshell
