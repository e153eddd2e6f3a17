// UDP sockets as /proc/net shows them: a line each, the local address in hexadecimal, the inode in
// the tenth column (proc(5)).
#include <charconv>
#include <sstream>

#include "host/files.hpp"
#include "host/listen.hpp"
#include "host/observe.hpp"

namespace nutshell::host {

std::string udp_port_holder(std::uint16_t port) {
  for (const char* table : {"/proc/net/udp", "/proc/net/udp6"}) {
    std::istringstream lines(read_file(table, 64 * mebi).value_or(""));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string number, local, word;
      if (!(words >> number >> local)) continue;
      const std::size_t colon = local.find(':');
      unsigned found = 0;
      if (colon == std::string::npos ||
          std::from_chars(local.data() + colon + 1, local.data() + local.size(), found, 16).ec !=
              std::errc() ||
          found != port)
        continue;
      for (int i = 3; i <= 10 && words >> word; ++i) {}
      std::uint32_t inode = 0;
      std::from_chars(word.data(), word.data() + word.size(), inode);
      return socket_holder(inode);
    }
  }
  return "";
}

}  // namespace nutshell::host
