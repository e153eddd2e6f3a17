// guest-sync with a number of our own: an answer with that number can only be to us (QEMU guest
// agent protocol, guest-sync).
#include "app/agent.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "app/house.hpp"
#include "host/fd.hpp"
#include "nutshell/json.hpp"

namespace nutshell {

bool agent_answers(const std::string& socket_path) {
  const host::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return false;
  const auto number = static_cast<std::int64_t>(draw_random() >> 12);
  const std::string request =
      fmt::format("{{\"execute\":\"guest-sync\",\"arguments\":{{\"id\":{}}}}}\n", number);
  if (send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size()))
    return false;
  std::string text;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (text.size() < 65536) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                          deadline - std::chrono::steady_clock::now())
                          .count();
    pollfd waiting{socket.get(), POLLIN, 0};
    if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) != 1) return false;
    char buffer[4096];
    const ssize_t n = read(socket.get(), buffer, sizeof buffer);
    if (n <= 0) return false;
    text.append(buffer, static_cast<std::size_t>(n));
    for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
      const auto answer = Json::try_parse(text.substr(0, end));
      text.erase(0, end + 1);
      if (answer && answer->integer("return", -1) == number) return true;
    }
  }
  return false;
}

}  // namespace nutshell
