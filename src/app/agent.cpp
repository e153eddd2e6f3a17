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

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t longest_answer = 65536;

class Agent {
 public:
  Agent(const std::string& socket_path, Clock::time_point deadline)
      : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), deadline_(deadline) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_path.size() >= sizeof address.sun_path) return;
    std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
    open_ =
        connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  bool send(const std::string& request) {
    return open_ && ::send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL) ==
                        static_cast<ssize_t>(request.size());
  }

  /// The next line that is JSON; nullopt when none comes in time.
  std::optional<Json> next_answer() {
    while (open_ && text_.size() < longest_answer) {
      for (auto end = text_.find('\n'); end != std::string::npos; end = text_.find('\n')) {
        auto answer = Json::try_parse(text_.substr(0, end));
        text_.erase(0, end + 1);
        if (answer && answer->is_object()) return answer;
      }
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
      pollfd waiting{socket_.get(), POLLIN, 0};
      if (left <= 0 || poll(&waiting, 1, static_cast<int>(left)) != 1) return std::nullopt;
      char buffer[4096];
      const ssize_t n = read(socket_.get(), buffer, sizeof buffer);
      if (n <= 0) return std::nullopt;
      text_.append(buffer, static_cast<std::size_t>(n));
    }
    return std::nullopt;
  }

  /// What is still in the channel from others is passed over, up to the answer to our number.
  bool sync() {
    const auto number = static_cast<std::int64_t>(draw_random() >> 12);
    if (!send(fmt::format("{{\"execute\":\"guest-sync\",\"arguments\":{{\"id\":{}}}}}\n", number)))
      return false;
    while (const auto answer = next_answer())
      if (answer->integer("return", -1) == number) return true;
    return false;
  }

 private:
  host::Fd socket_;
  Clock::time_point deadline_;
  bool open_ = false;
  std::string text_;
};

}  // namespace

bool agent_answers(const std::string& socket_path) {
  return Agent(socket_path, Clock::now() + std::chrono::seconds(1)).sync();
}

std::optional<Json> ask_agent(const std::string& socket_path, const std::string& command,
                              std::chrono::milliseconds patience) {
  Agent agent(socket_path, Clock::now() + patience);
  if (!agent.sync() || !agent.send(fmt::format("{{\"execute\":\"{}\"}}\n", command)))
    return std::nullopt;
  const auto answer = agent.next_answer();
  const Json* value = answer ? answer->find("return") : nullptr;
  return value ? std::optional(*value) : std::nullopt;
}

}  // namespace nutshell
