// resolv.conf names a stub on the loopback where a resolver of the host's own stands before the
// others; systemd-resolved keeps theirs in a file beside it.
#include "host/name_servers.hpp"

#include <algorithm>
#include <string>

#include "host/files.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr Ipv4Net loopback{{0x7f000000}, 8};

std::vector<Ipv4> name_servers_of(const char* path) {
  try {
    return name_servers_in(read_file(path).value_or(""));
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

std::vector<Ipv4> name_servers_in(std::string_view text) {
  constexpr std::string_view key = "nameserver", blanks = " \t";
  std::vector<Ipv4> servers;
  while (!text.empty()) {
    const std::string_view whole = text.substr(0, text.find('\n'));
    std::string_view line = whole;
    text.remove_prefix(std::min(text.size(), whole.size() + 1));
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(blanks)));
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    const std::size_t begin = line.find_first_not_of(blanks);
    if (begin == 0 || begin == std::string_view::npos) continue;
    const auto server = parse_ipv4(line.substr(begin, line.find_first_of(" \t\r", begin) - begin));
    if (server && server->value != 0 && !loopback.contains(*server) &&
        std::find(servers.begin(), servers.end(), *server) == servers.end())
      servers.push_back(*server);
  }
  return servers;
}

std::vector<Ipv4> observe_name_servers() {
  std::vector<Ipv4> servers = name_servers_of("/etc/resolv.conf");
  if (servers.empty()) servers = name_servers_of("/run/systemd/resolve/resolv.conf");
  return servers;
}

}  // namespace nutshell::host
