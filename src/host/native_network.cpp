// A file is ours by its first line, never by its name.
#include "host/native_network.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "host/files.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr unsigned for_everyone = 0644, folder_for_everyone = 0755;

bool is_ours(const std::string& path, const std::string& bridge) {
  const auto text = read_file(path);
  return text && text->starts_with(native_header(bridge));
}

void make_folder(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1))
    if (::mkdir(path.substr(0, at).c_str(), folder_for_everyone) != 0 && errno != EEXIST)
      throw SystemError(errno, fmt::format("folder {}: cannot make it", path.substr(0, at)));
}

}  // namespace

void check_native(const std::vector<NativeFile>& files, const std::string& bridge) {
  for (const NativeFile& file : files)
    if (file_exists(file.path) && !is_ours(file.path, bridge))
      throw Conflict(
          fmt::format("file {}: is there already, and not nutshell's; move it away", file.path));
}

void write_native(const std::vector<NativeFile>& files, const std::string& bridge) {
  check_native(files, bridge);
  std::vector<std::string> written;
  try {
    for (const NativeFile& file : files) {
      make_folder(file.path);
      write_file(file.path, file.text, for_everyone);
      written.push_back(file.path);
    }
  } catch (...) {
    for (const std::string& path : written) drop_file(path);
    throw;
  }
}

std::vector<std::string> find_native(const std::string& bridge) {
  std::vector<std::string> found;
  for (const std::string& path : native_paths(bridge))
    if (is_ours(path, bridge)) found.push_back(path);
  return found;
}

std::vector<std::string> drop_native(const std::string& bridge) {
  std::vector<std::string> left;
  for (const std::string& path : native_paths(bridge)) {
    try {
      if (!file_exists(path)) continue;
      if (!is_ours(path, bridge))
        left.push_back(fmt::format(
            "file {}: does not begin with nutshell's line, so it is for you to remove", path));
      else
        drop_file(path);
    } catch (const std::exception& error) {
      left.emplace_back(error.what());
    }
  }
  return left;
}

}  // namespace nutshell::host
