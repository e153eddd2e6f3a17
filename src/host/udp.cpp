// Sockets as /proc/net shows them: a line each, the local address in hexadecimal, the state in the
// fourth column, the inode in the tenth (proc(5)).
#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>

#include "host/files.hpp"
#include "host/listen.hpp"
#include "host/observe.hpp"

namespace nutshell::host {

std::vector<std::string> listed_port_holders(std::uint16_t port, bool udp) {
  constexpr std::string_view listening = "0A";
  const std::string table = udp ? "/proc/net/udp" : "/proc/net/tcp";
  std::vector<std::string> holders;
  for (const std::string& family : {table, table + "6"}) {
    std::istringstream lines(read_file(family, 64 * mebi).value_or(""));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string number, local, remote, state, word;
      if (!(words >> number >> local >> remote >> state) || (!udp && state != listening)) continue;
      const std::size_t colon = local.find(':');
      unsigned found = 0;
      if (colon == std::string::npos ||
          std::from_chars(local.data() + colon + 1, local.data() + local.size(), found, 16).ec !=
              std::errc() ||
          found != port)
        continue;
      for (int i = 5; i <= 10 && words >> word; ++i) {}
      std::uint32_t inode = 0;
      std::from_chars(word.data(), word.data() + word.size(), inode);
      std::string holder = socket_holder(inode);
      if (std::find(holders.begin(), holders.end(), holder) == holders.end())
        holders.push_back(std::move(holder));
    }
  }
  return holders;
}

}  // namespace nutshell::host
