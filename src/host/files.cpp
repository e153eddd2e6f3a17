// Folders and small files. Whatever is removed is looked at first, through a descriptor of its
// folder, so that a link laid in our place leads nowhere; what is written appears at once or not at
// all.
#include "host/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "host/fd.hpp"
#include "host/unique_name.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// The names that we give to files in a machine's, a run's, a log and a network folder. Volumes are
/// not among them: they go by their own step, or stay.
bool is_known(std::string_view name) {
  static constexpr std::array<std::string_view, 17> names{
      "lock",   "operation.lock", "spec.json", "vnc-password", "qmp",          "watch",
      "serial", "agent",          "vnc",       "qmp.lock",     "dnsmasq.conf", "hosts",
      "names",  "options",        "leases",    "dnsmasq.log",  "dnsmasq.pid"};
  if (std::find(names.begin(), names.end(), name) != names.end()) return true;
  if (is_unique_name(name)) return true;   // a temporary file of a command that was killed
  if (name.ends_with(".fd")) return true;  // a machine's UEFI variables
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  const std::string_view end = name.substr(dot);
  return all_digits(name.substr(0, dot)) && (end == ".log" || end == ".serial");
}

Fd open_parent(const std::string& path, std::string& name) {
  const std::size_t slash = path.rfind('/');
  name = path.substr(slash + 1);
  const std::string folder = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : path.substr(0, slash);
  Fd fd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw SystemError(errno, fmt::format("folder {}: cannot open", folder));
  return fd;
}

void write_all(const Fd& file, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t put = ::write(file.get(), text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw SystemError(errno, fmt::format("file {}: cannot write", path));
    text.remove_prefix(static_cast<std::size_t>(put));
  }
}

/// Unlinks a new file unless it is kept: a failure leaves nothing.
class NewFile {
 public:
  explicit NewFile(std::string path) : path_(std::move(path)) {}
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  void keep() { path_.clear(); }

 private:
  std::string path_;
};

}  // namespace

void make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return;
  const int error = errno;
  if (error == EEXIST) throw Conflict(fmt::format("folder {}: is there already", path));
  throw SystemError(error, fmt::format("folder {}: cannot make it", path));
}

void make_directories(const std::string& path) {
  for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), 0700) != 0) {
      const int error = errno;
      struct stat facts {};
      if (error == EEXIST && ::stat(part.c_str(), &facts) == 0 && !S_ISDIR(facts.st_mode))
        throw Conflict(fmt::format("folder {}: there is a file in its place", part));
      // An existing parent may say EROFS or EACCES before it says EEXIST.
      if (error != EEXIST && !(::stat(part.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode)))
        throw SystemError(error, fmt::format("folder {}: cannot make it", part));
    }
    if (at == std::string::npos) return;
  }
}

void drop_directory(const std::string& path) {
  const Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) {
    const int error = errno;
    if (error == ENOENT) return;
    if (error == ELOOP || error == ENOTDIR)
      throw Conflict(fmt::format("folder {}: is a link or a file, not a folder of ours", path));
    throw SystemError(error, fmt::format("folder {}: cannot open", path));
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> list(::fdopendir(::dup(folder.get())), ::closedir);
  if (!list) throw SystemError(errno, fmt::format("folder {}: cannot list it", path));
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(list.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat facts {};
    if (::fstatat(folder.get(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!is_known(name) || !(S_ISREG(facts.st_mode) || S_ISSOCK(facts.st_mode))) {
      throw Conflict(fmt::format(
          "folder {}: has {} in it, which is not removed with it; move it away", path, name));
    }
    names.push_back(name);
  }
  for (const std::string& name : names) {
    if (::unlinkat(folder.get(), name.c_str(), 0) != 0 && errno != ENOENT)
      throw SystemError(errno, fmt::format("file {}/{}: cannot remove it", path, name));
  }
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT)
    throw SystemError(errno, fmt::format("folder {}: cannot remove it", path));
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> list(::opendir(folder.c_str()), ::closedir);
  while (const dirent* entry = list ? ::readdir(list.get()) : nullptr)
    if (const std::string_view name = entry->d_name; name != "." && name != "..")
      names.emplace_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

void copy_file(const std::string& from, const std::string& to) {
  const Fd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source) throw SystemError(errno, fmt::format("file {}: cannot open", from));
  struct stat facts {};
  if (::fstat(source.get(), &facts) != 0 || !S_ISREG(facts.st_mode))
    throw Failed(fmt::format("file {}: is no plain file", from));
  const Fd copy(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!copy) {
    const int error = errno;
    if (error == EEXIST) throw Conflict(fmt::format("file {}: is there already", to));
    throw SystemError(error, fmt::format("file {}: cannot make it", to));
  }
  NewFile made(to);
  for (off_t left = facts.st_size; left > 0;) {
    const ssize_t put = ::sendfile(copy.get(), source.get(), nullptr,
                                   static_cast<std::size_t>(std::min<off_t>(left, 1 << 30)));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw SystemError(errno, fmt::format("file {}: cannot write", to));
    if (put == 0) throw Failed(fmt::format("file {}: became shorter while it was copied", from));
    left -= put;
  }
  made.keep();
}

void make_file(const std::string& path, std::string_view text) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) {
    const int error = errno;
    if (error == EEXIST) throw Conflict(fmt::format("file {}: is there already", path));
    throw SystemError(error, fmt::format("file {}: cannot make it", path));
  }
  NewFile made(path);
  write_all(file, text, path);
  made.keep();
}

bool file_exists(const std::string& path) {
  struct stat facts {};
  return ::lstat(path.c_str(), &facts) == 0;
}

namespace {

void replace(const std::string& path, std::string_view text, mode_t mode,
             const struct stat* owner) {
  const auto [temporary, file] = make_temporary(path, mode);
  NewFile made(temporary);
  if (owner && (owner->st_uid != ::geteuid() || owner->st_gid != ::getegid()) &&
      ::fchown(file.get(), owner->st_uid, owner->st_gid) != 0)
    throw SystemError(errno, fmt::format("file {}: cannot keep its owner", path));
  ::fchmod(file.get(), mode);  // whatever the umask is, and after the owner, who takes bits away
  write_all(file, text, path);
  if (::fsync(file.get()) != 0)
    throw SystemError(errno, fmt::format("file {}: cannot write it to the disk", path));
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    throw SystemError(errno, fmt::format("file {}: cannot put it in its place", path));
  made.keep();
}

}  // namespace

void write_file(const std::string& path, std::string_view text, unsigned mode) {
  replace(path, text, static_cast<mode_t>(mode), nullptr);
}

void rewrite_file(const std::string& path, std::string_view text) {
  constexpr mode_t readable = 0644, all_bits = 07777;
  const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), ::free);
  struct stat facts {};
  if (!real || ::stat(real.get(), &facts) != 0) return replace(path, text, readable, nullptr);
  replace(real.get(), text, facts.st_mode & all_bits, &facts);
}

std::optional<std::string> read_file(const std::string& path, Bytes limit) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a pipe would wait
  if (!file) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) return std::nullopt;
    throw SystemError(error, fmt::format("file {}: cannot open", path));
  }
  struct stat kind {};
  if (::fstat(file.get(), &kind) != 0 || !S_ISREG(kind.st_mode))
    throw ConfigError(path, "is no plain file; name one");
  std::string text;
  for (char part[16384];;) {
    const ssize_t got = ::read(file.get(), part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw SystemError(errno, fmt::format("file {}: cannot read", path));
    if (got == 0) return text;
    text.append(part, static_cast<std::size_t>(got));
    if (text.size() > limit)
      throw Failed(fmt::format("file {}: is larger than {}", path, format_size(limit)));
  }
}

void drop_file(const std::string& path) {
  std::string name;
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) return;
    throw SystemError(error, fmt::format("file {}: cannot look at it", path));
  }
  if (!S_ISREG(facts.st_mode) && !S_ISSOCK(facts.st_mode))
    throw Conflict(fmt::format("file {}: is no plain file, and is left alone", path));
  const Fd folder = open_parent(path, name);
  if (::unlinkat(folder.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    throw SystemError(errno, fmt::format("file {}: cannot remove it", path));
}

}  // namespace nutshell::host
