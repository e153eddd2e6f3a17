// Passwords pass through here and through QMP, nowhere else.
#include "app/secret.hpp"

#include <fmt/format.h>

#include "app/house.hpp"
#include "host/files.hpp"
#include "nutshell/error.hpp"

namespace nutshell {
namespace {
// Without the characters that are mistaken for one another. 32 of them: five bits of the random
// number each.
constexpr char letters[] = "abcdefghjkmnpqrstuvwxyz23456789x";
}  // namespace

std::string read_vnc_password(const std::string& path, const std::string& where) {
  const auto text = host::read_file(path, 4096);
  if (!text)
    throw NotFound(
        fmt::format("{}: there is no password file {}; make it, mode 0600, with one line", where,
                    printable(path)));
  const std::string password = text->substr(0, text->find_first_of("\r\n"));
  if (password.empty())
    throw ConfigError(
        where, fmt::format("the password file {} is empty; put one line of at most 8 bytes in it",
                           printable(path)));
  if (password.size() > longest_vnc_password)
    throw ConfigError(where, fmt::format("the password in {} has {} bytes, and VNC looks at the "
                                         "first 8 only; choose one of at most 8",
                                         printable(path), password.size()));
  return password;
}

void make_vnc_password(const std::string& path, const std::string& from) {
  std::string password;
  if (from.empty()) {
    std::uint64_t random = draw_random();
    for (std::size_t i = 0; i < longest_vnc_password; ++i, random >>= 5)
      password += letters[random & 31];
  } else {
    password = read_vnc_password(from, "--vnc-password-file");
  }
  host::write_file(path, password + "\n");
}

}  // namespace nutshell
