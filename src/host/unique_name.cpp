// 64 random bits from the kernel: two commands can never meet on one name, and O_EXCL says so if
// they did.
#include "host/unique_name.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <cerrno>
#include <cstdint>

#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {
constexpr std::string_view prefix = ".nutshell-";
}

std::string unique_name_beside(const std::string& path) {
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) != sizeof random)
    throw SystemError(errno, "cannot get random bytes");
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  return fmt::format("{}{}{:016x}", folder, prefix, random);
}

bool is_unique_name(std::string_view name) {
  return name.size() == prefix.size() + 16 && name.starts_with(prefix) &&
         name.find_first_not_of("0123456789abcdef", prefix.size()) == std::string_view::npos;
}

}  // namespace nutshell::host
