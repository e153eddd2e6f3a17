// Volume files. They appear under their name whole or not at all: a raw one by O_EXCL and one
// ftruncate, a qcow2 by a rename that replaces nothing. What can never fit is refused before
// anything is made; what does not fit today is the user's choice, and he is told.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstdio>

#include "host/fd.hpp"
#include "host/files.hpp"
#include "host/in_use.hpp"
#include "host/tool.hpp"
#include "host/unique_name.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

std::string nearest_folder(const std::string& path) {
  std::string folder = path;
  struct stat facts {};
  do {
    const std::size_t slash = folder.rfind('/');
    if (slash == std::string::npos) return ".";
    folder.resize(slash);
    if (folder.empty()) return "/";
  } while (::stat(folder.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode));
  return folder;
}

[[noreturn]] void taken(const std::string& path) {
  throw Conflict(fmt::format("volume {}: there is a file of that name already", path));
}

void make_raw(const std::string& path, Bytes size) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) {
    const int error = errno;
    if (error == EEXIST) taken(path);
    throw SystemError(error, fmt::format("volume {}: cannot make it", path));
  }
  if (::ftruncate(file.get(), static_cast<off_t>(size)) == 0) return;
  const int error = errno;
  ::unlink(path.c_str());
  if (error == EFBIG || error == EINVAL) {
    throw ConfigError(
        fmt::format("volume {}", path),
        fmt::format("{} is more than one file of this file system can hold", format_size(size)));
  }
  throw SystemError(error, fmt::format("volume {}: cannot give it its size", path));
}

std::string word(DiskFormat format) { return format == DiskFormat::qcow2 ? "qcow2" : "raw"; }

void make_qcow2(const std::string& path, Bytes size, const std::vector<BackingLayer>& backing) {
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) == 0) taken(path);
  const std::string temporary = unique_name_beside(path);
  Tool tool{.argv = {"qemu-img", "create", "-q", "-f", "qcow2"}, .input = {}, .environment = {}};
  if (!backing.empty()) {
    tool.argv.insert(tool.argv.end(),
                     {"-b", backing.front().path, "-F", word(backing.front().format)});
  }
  tool.argv.insert(tool.argv.end(), {temporary, std::to_string(size)});
  try {
    output_of(tool);
    if (::chmod(temporary.c_str(), 0600) != 0)
      throw SystemError(errno, fmt::format("volume {}: cannot set its rights", path));
    if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0)
      return;
    const int error = errno;
    if (error == EEXIST) taken(path);
    // File systems without that flag (NFS) have link(2), which replaces nothing either.
    if (error != EINVAL || ::link(temporary.c_str(), path.c_str()) != 0)
      throw SystemError(errno, fmt::format("volume {}: cannot put it in its place", path));
    ::unlink(temporary.c_str());
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

}  // namespace

std::optional<std::string> check_volume(const std::string& path, Bytes size) {
  const std::string where = "--disk";  // the file is not there yet, so its name says nothing
  const std::string folder = nearest_folder(path);
  struct statvfs space {};
  if (::statvfs(folder.c_str(), &space) != 0)
    throw SystemError(errno, fmt::format("{}: cannot look at the file system", where));
  const Bytes whole = Bytes{space.f_blocks} * space.f_frsize;
  // Zero blocks is what file systems without a size of their own say.
  if (whole != 0 && size > whole) {
    throw ConfigError(
        where, fmt::format("{} is more than the file system of {} can ever hold ({}); choose less",
                           format_size(size), folder, format_size_roughly(whole)));
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      size > limit.rlim_cur) {
    throw ConfigError(
        where, fmt::format("{} is more than a file of this process may be ({}); choose less, "
                           "or raise `ulimit -f`",
                           format_size(size), format_size_roughly(limit.rlim_cur)));
  }
  const Bytes available = Bytes{space.f_bavail} * space.f_frsize;
  if (whole == 0 || size <= available) return std::nullopt;
  return fmt::format(
      "a disk of {} is more than is free now on the file system of {} ({}); the guest's writes "
      "will fail when it is full",
      format_size(size), folder, format_size_roughly(available));
}

std::optional<std::string> make_volume(const std::string& path, Bytes size, DiskFormat format,
                                       const std::vector<BackingLayer>& backing) {
  std::optional<std::string> warning = check_volume(path, size);
  if (format == DiskFormat::qcow2)
    make_qcow2(path, size, backing);
  else
    make_raw(path, size);
  return warning;
}

void drop_volume(const std::string& path) {
  if (const auto holder = disk_holder(path, false))
    throw Conflict(fmt::format("volume {} is in use: {}; end that, and run `nutshell gc`",
                               printable(path), *holder));
  drop_file(path);
}

}  // namespace nutshell::host
