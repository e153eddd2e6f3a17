// A macvtap link is ours by its mark; until the mark is set, its name together with the guest's MAC
// (both leased before it was made) tells.
#include "host/macvtap.hpp"

#include <fmt/format.h>

#include <cerrno>

#include "host/files.hpp"
#include "host/mac_bytes.hpp"
#include "nl/error.hpp"
#include "nl/macvtap.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

nl::MacvtapMode to_nl(MacvtapMode mode) {
  switch (mode) {
    case MacvtapMode::bridge: return nl::MacvtapMode::bridge;
    case MacvtapMode::vepa: return nl::MacvtapMode::vepa;
    case MacvtapMode::closed: return nl::MacvtapMode::closed;
    case MacvtapMode::passthru: return nl::MacvtapMode::passthru;
  }
  return nl::MacvtapMode::bridge;
}

[[noreturn]] void refuse(const MacvtapLink& link, const nl::Error& error) {
  if (error.code() == EBUSY || error.code() == EINVAL)
    throw Conflict(fmt::format(
        "{}: another has its frames (a bridge, or a macvtap link in passthru mode), so no macvtap "
        "link can be made on it; `ip -d link` shows who",
        link.uplink));
  if (error.code() == EADDRINUSE)
    throw Conflict(
        fmt::format("{}: another link on it has the MAC {}; `nutshell gc` removes one that a "
                    "lost registry left behind",
                    link.uplink, to_string(link.mac)));
  if (error.code() == EOPNOTSUPP)
    throw Failed(
        fmt::format("{}: this kernel makes no macvtap link; load the module macvtap", link.uplink));
  throw SystemError(error.code(), error.subject() + ": cannot " + error.operation());
}

}  // namespace

void make_macvtap(const MacvtapLink& link) {
  try {
    nl::Socket socket;
    const auto uplink = nl::find_link(socket, link.uplink);
    if (!uplink)
      throw NotFound(
          fmt::format("{} does not exist; choose another with --nic macvtap=", link.uplink));
    const int index =
        nl::make_macvtap(socket, link.name,
                         {.lower = *uplink,
                          .mode = to_nl(link.mode),
                          .mac = to_bytes(link.mac),
                          .mtu = link.mtu ? std::optional<std::uint32_t>(link.mtu) : std::nullopt});
    try {
      // The host has no business on it: no address of its own. (A link whose MTU is too small for
      // IPv6 has no such setting, and no address.)
      nl::LinkChange change{.alias = link.mark};
      if (file_exists("/proc/sys/net/ipv6/conf/" + link.name)) change.ipv6_link_local = false;
      nl::change_link(socket, index, change);
      nl::set_up(socket, index);
    } catch (...) {
      nl::remove_link(socket, index);
      throw;
    }
  } catch (const nl::Error& error) {
    refuse(link, error);
  }
}

void drop_macvtap(const std::string& name, const std::string& mark, Mac mac) {
  try {
    nl::Socket socket;
    const auto link = nl::find_link(socket, name);
    if (!link) return;
    const bool ours = link->kind == "macvtap" &&
                      (link->alias == mark || (link->alias.empty() && link->mac == to_bytes(mac)));
    if (!ours)
      throw Conflict(fmt::format(
          "link {}: is not the machine's (it does not carry its mark), and is left alone", name));
    nl::remove_link(socket, *link);
  } catch (const nl::Error& error) {
    if (error.code() == ENODEV) return;
    throw SystemError(error.code(), error.subject() + ": cannot " + error.operation());
  }
}

}  // namespace nutshell::host
