// A start writes half a dozen small files that nobody needs once the host has restarted: what
// dnsmasq is told, its pid, what forwarding was before. To wait for the disk each time (5 ms and
// more) would be the dearest part of bringing a network up.
#include "host/runtime_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "host/fd.hpp"
#include "host/files.hpp"
#include "host/unique_name.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

bool has_already(const std::string& path, std::string_view text, unsigned mode) {
  struct stat facts {};
  return ::lstat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) &&
         (facts.st_mode & 07777) == mode && facts.st_uid == ::geteuid() &&
         facts.st_size == static_cast<off_t>(text.size()) && read_file(path) == text;
}

}  // namespace

void write_runtime_file(const std::string& path, std::string_view text, unsigned mode) {
  if (has_already(path, text, mode)) return;
  const auto [temporary, file] = make_temporary(path, 0600);
  const bool done =
      ::fchmod(file.get(), static_cast<mode_t>(mode)) == 0 &&
      ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::rename(temporary.c_str(), path.c_str()) == 0;
  if (done) return;
  const int error = errno ? errno : ENOSPC;
  ::unlink(temporary.c_str());
  throw SystemError(error, fmt::format("file {}: cannot write it", path));
}

}  // namespace nutshell::host
