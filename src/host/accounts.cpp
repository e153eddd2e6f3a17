// The host's users and groups by name, from wherever it has them (nsswitch.conf(5)).
#include "host/accounts.hpp"

#include <grp.h>
#include <pwd.h>

#include <array>

namespace nutshell::host {

std::optional<std::pair<unsigned, unsigned>> user_named(const std::string& name) {
  std::array<char, 16384> room{};
  passwd entry{}, *found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, room.data(), room.size(), &found) != 0 || !found)
    return std::nullopt;
  return std::pair{found->pw_uid, found->pw_gid};
}

std::optional<unsigned> group_named(const std::string& name) {
  std::array<char, 16384> room{};
  struct group entry {};
  struct group* found = nullptr;
  if (::getgrnam_r(name.c_str(), &entry, room.data(), room.size(), &found) != 0 || !found)
    return std::nullopt;
  return found->gr_gid;
}

}  // namespace nutshell::host
