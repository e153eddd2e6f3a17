// console: the machine's serial line on this terminal, until Ctrl-]. Without a terminal, stdin goes
// to the guest and what it writes to stdout.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "app/cmd.hpp"
#include "app/interrupt.hpp"
#include "app/qmp_access.hpp"
#include "host/fd.hpp"

namespace nutshell {
namespace {

constexpr char leave_key = 0x1d;  // Ctrl-]

/// The terminal in raw mode, and back as it was whatever happens.
class RawTerminal {
 public:
  RawTerminal() : is_terminal_(tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!is_terminal_) return;
    termios raw = before_;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() {
    if (is_terminal_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  [[nodiscard]] bool is_terminal() const { return is_terminal_; }

 private:
  termios before_{};
  bool is_terminal_;
};

host::Fd connect_serial(const std::string& path, const std::string& who) {
  host::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), std::min(path.size() + 1, sizeof address.sun_path));
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    throw SystemError(error, fmt::format("{}: its serial line {} cannot be reached", who, path));
  }
  return socket;
}

void send_all(const host::Fd& socket, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t n = send(socket.get(), data, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return;
    data += n;
    size -= static_cast<std::size_t>(n);
  }
}

enum class Why { left, machine_ended };

Why talk(const host::Fd& socket, bool terminal) {
  bool input_open = true;
  while (!interrupted()) {
    pollfd waiting[2] = {{socket.get(), POLLIN, 0}, {input_open ? STDIN_FILENO : -1, POLLIN, 0}};
    if (poll(waiting, 2, 1000) < 0 && errno != EINTR) break;
    char buffer[4096];
    if (waiting[0].revents) {
      const ssize_t n = read(socket.get(), buffer, sizeof buffer);
      if (n <= 0) return Why::machine_ended;
      print(std::string(buffer, static_cast<std::size_t>(n)));
    }
    if (!waiting[1].revents) continue;
    const ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
    if (n <= 0) {
      input_open = false;
      if (terminal) return Why::left;
      continue;
    }
    const auto* end = static_cast<const char*>(
        terminal ? std::memchr(buffer, leave_key, static_cast<std::size_t>(n)) : nullptr);
    send_all(socket, buffer,
             end ? static_cast<std::size_t>(end - buffer) : static_cast<std::size_t>(n));
    if (end) return Why::left;
  }
  return Why::left;
}

}  // namespace

Exit run_console(const Parsed& args, House& house) {
  const MachineRow row = find_running(house, args.word(0, "NAME"));
  if (house.dry()) {
    house.reporter.done(fmt::format("would connect this terminal to the serial line of {}, {}",
                                    to_string(row.name), house.paths.serial(row.uuid)));
    return Exit::done;
  }
  const host::Fd socket = connect_serial(house.paths.serial(row.uuid), to_string(row.name));
  Why why;
  {
    if (isatty(STDIN_FILENO))
      house.reporter.note(fmt::format(
          "connected to {}; leave with Ctrl-], press Enter for a prompt", to_string(row.name)));
    const RawTerminal terminal;
    why = talk(socket, terminal.is_terminal());
  }
  house.reporter.note(
      why == Why::machine_ended
          ? fmt::format("\n{} closed its serial line (another console was opened, or it has ended)",
                        to_string(row.name))
          : "\nleft the console");
  return Exit::done;
}

}  // namespace nutshell
