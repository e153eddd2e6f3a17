// A note ends with a line of its own, so that one that was cut short by a full disk is known as
// such. It is not synced: after a power cut the worst is to learn it again.
#include "host/note.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>

#include "host/fd.hpp"
#include "host/files.hpp"
#include "host/unique_name.hpp"

namespace nutshell::host {
namespace {
constexpr const char* last_line = "end";
}

std::optional<std::vector<std::string>> read_note(const std::string& cache,
                                                  const std::string& name) {
  if (cache.empty()) return std::nullopt;
  const Fd file(::open((cache + "/" + name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return std::nullopt;
  std::string text(4096, '\0');
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  if (got <= 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(got));
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    if (end == std::string::npos) return std::nullopt;
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (lines.empty() || lines.back() != last_line) return std::nullopt;
  lines.pop_back();
  return lines;
}

void write_note(const std::string& cache, const std::string& name,
                const std::vector<std::string>& lines) {
  if (cache.empty()) return;
  std::string text;
  for (const std::string& line : lines) {
    if (line.find('\n') != std::string::npos) return;
    text += line + '\n';
  }
  text += std::string(last_line) + '\n';
  try {
    make_directories(cache);
    const std::string path = cache + "/" + name;
    const auto [temporary, file] = make_temporary(path, 0600);
    const bool whole =
        ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (!whole || ::rename(temporary.c_str(), path.c_str()) != 0) ::unlink(temporary.c_str());
  } catch (const std::exception&) {
    // A cache that cannot be written costs time, nothing else.
  }
}

}  // namespace nutshell::host
