// Each condition is a question that is asked again and again, a few times a second, until it is
// answered or the time is up. What a serial line wrote is read from the log of this boot, so an
// earlier boot's words never count.
#include "app/wait.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <regex.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>

#include "app/agent.hpp"
#include "app/interrupt.hpp"
#include "app/machine_options.hpp"
#include "app/machine_state.hpp"
#include "app/settle.hpp"
#include "host/fd.hpp"

namespace nutshell {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto pause_between = std::chrono::milliseconds(50);
constexpr unsigned longest_timeout = 7 * 24 * 3600;

class Expression {
 public:
  explicit Expression(const std::string& text) {
    const int error = regcomp(&compiled_, text.c_str(), REG_EXTENDED | REG_NOSUB);
    if (error == 0) return;
    char words[200];
    regerror(error, &compiled_, words, sizeof words);
    throw ConfigError("--wait", fmt::format("serial={} is no extended regular expression: {}",
                                            printable(text), words));
  }
  Expression(const Expression&) = delete;
  Expression& operator=(const Expression&) = delete;
  ~Expression() { regfree(&compiled_); }
  [[nodiscard]] bool matches(const std::string& line) const {
    return regexec(&compiled_, line.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  regex_t compiled_{};
};

// Reads what has been written since the last look, line by line; the unfinished last line counts,
// too.
class SerialWatch {
 public:
  SerialWatch(std::string path, const std::string& expression)
      : path_(std::move(path)), expression_(expression) {}
  bool met() {
    if (!file_) file_ = host::Fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file_) return false;
    char buffer[65536];
    for (ssize_t n; (n = read(file_.get(), buffer, sizeof buffer)) > 0;) {
      for (ssize_t i = 0; i < n; ++i) {
        if (buffer[i] == '\n') {
          if (expression_.matches(line_)) return true;
          line_.clear();
        } else if (buffer[i] != '\r' && buffer[i] != '\0' && line_.size() < 65536) {
          line_ += buffer[i];
        }
      }
    }
    return !line_.empty() && expression_.matches(line_);
  }

 private:
  std::string path_, line_;
  host::Fd file_;
  Expression expression_;
};

bool port_answers(Ipv4 address, unsigned port) {
  const host::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(address.value);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) return true;
  if (errno != EINPROGRESS) return false;
  pollfd waiting{socket.get(), POLLOUT, 0};
  if (poll(&waiting, 1, 1000) != 1) return false;
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  return error == 0;
}

Ipv4 address_of(const MachineRow& row) {
  for (const NicSpec& nic : row.spec.nics)
    if (nic.ip) return *nic.ip;
  throw Conflict(
      fmt::format("{} has no address that nutshell knows of, so port= cannot be waited for; give "
                  "its NIC one with ip=",
                  to_string(row.name)));
}

std::string timed_out(const MachineRow& row, const Condition& condition) {
  return fmt::format("{}: {} was not met in {} s; the machine runs on (see `nutshell log {}`)",
                     to_string(row.name), printable(condition.words), condition.timeout.count(),
                     to_string(row.name));
}

}  // namespace

Condition parse_condition(const std::string& text) {
  Condition condition;
  condition.words = text;
  Problems problems;
  if (text == "running")
    condition.what = Condition::What::running;
  else if (text == "stopped")
    condition.what = Condition::What::stopped;
  else if (text == "agent")
    condition.what = Condition::What::agent;
  else if (text.starts_with("serial=") && text.size() > 7) {
    condition.what = Condition::What::serial;
    condition.text = text.substr(7);
    const Expression check(condition.text);
  } else if (text.starts_with("port=")) {
    condition.what = Condition::What::port;
    condition.port = parse_number(text.substr(5), "--wait", 1, 65535, problems);
  } else {
    throw ConfigError(
        "--wait",
        fmt::format("'{}' is no condition; give running, stopped, serial=REGEX, port=N or agent",
                    printable(text)));
  }
  if (!problems.empty()) throw ConfigError(problems);
  return condition;
}

std::chrono::seconds parse_timeout(const Parsed& args, std::chrono::seconds fallback) {
  const auto text = args.value("timeout");
  if (!text) return fallback;
  Problems problems;
  const unsigned seconds = parse_number(*text, "--timeout", 1, longest_timeout, problems);
  if (!problems.empty()) throw ConfigError(problems);
  return std::chrono::seconds(seconds);
}

std::optional<Condition> parse_wait_options(const Parsed& args) {
  const auto text = args.value("wait");
  if (!text) {
    if (args.has("timeout")) throw UsageError("--timeout says how long --wait waits; give both");
    return std::nullopt;
  }
  Condition condition = parse_condition(*text);
  condition.timeout = parse_timeout(args, condition.timeout);
  return condition;
}

void check_condition(const MachineSpec& spec, const Condition& condition) {
  const auto has_address = [](const NicSpec& nic) {
    return nic.ip.has_value() || nic.kind == NicKind::network;
  };
  if (condition.what != Condition::What::port ||
      std::any_of(spec.nics.begin(), spec.nics.end(), has_address))
    return;
  throw ConfigError(
      "--wait",
      fmt::format("{} has no address that nutshell knows of, so {} can never be met; give a NIC on "
                  "a bridge its address with ip=, and with user-mode networking or no NIC wait for "
                  "serial=REGEX instead",
                  to_string(spec.name), printable(condition.words)));
}

namespace {

bool runs(const Seen& seen) {
  return seen.state == MachineState::running || seen.state == MachineState::paused;
}

/// Looked at once more, after it is known that nobody is at work on it: how it ended.
std::optional<std::string> ended(House& house, const Uuid& uuid) {
  if (is_at_work_on(house, uuid)) return std::nullopt;  // it may be about to start it
  const auto row = house.registry().machine(uuid);
  const Seen seen = row ? look_calmly(house, *row) : Seen{};
  return runs(seen) ? std::nullopt : std::optional(seen.words);
}

}  // namespace

void await(House& house, const Uuid& uuid, const Condition& condition) {
  const auto deadline = Clock::now() + condition.timeout;
  auto row = house.registry().machine(uuid);
  if (!row) throw NotFound("the machine is gone");
  house.reporter.step(
      fmt::format("{}: waiting for {}", to_string(row->name), printable(condition.words)));
  std::unique_ptr<SerialWatch> serial;
  const bool needs_run =
      condition.what != Condition::What::stopped && condition.what != Condition::What::running;
  const Ipv4 address = condition.what == Condition::What::port ? address_of(*row) : Ipv4{};
  for (;;) {
    const Seen seen = look_at(house, uuid, row->run, row->last_end);
    const bool alive = runs(seen);
    bool met = false;
    switch (condition.what) {
      case Condition::What::running: met = seen.state == MachineState::running; break;
      case Condition::What::stopped: met = !alive; break;
      case Condition::What::serial:
        if (!serial && row->run)
          serial = std::make_unique<SerialWatch>(house.paths.serial_log(uuid, row->run->boot),
                                                 condition.text);
        met = serial && serial->met();
        break;
      case Condition::What::port: met = alive && port_answers(address, condition.port); break;
      case Condition::What::agent: met = alive && agent_answers(house.paths.agent(uuid)); break;
    }
    if (met) break;
    if (const auto end = needs_run && !alive ? ended(house, uuid) : std::nullopt) {
      house.reporter.steps_over();
      throw WaitNotMet(fmt::format("{}: {} cannot be met any more: the machine is not running ({})",
                                   to_string(row->name), printable(condition.words), *end));
    }
    if (Clock::now() >= deadline) {
      house.reporter.steps_over();
      throw WaitNotMet(timed_out(*row, condition));
    }
    std::this_thread::sleep_for(pause_between);
    if (interrupted())
      throw Interrupted(fmt::format("interrupted while waiting; {} runs on", to_string(row->name)));
    if (!needs_run || !alive) row = house.registry().machine(uuid);
    if (!alive) serial.reset();  // the next boot has a log of its own
    if (!row) throw NotFound("the machine was removed while waiting");
  }
  house.reporter.steps_over();
}

}  // namespace nutshell
