// supervise: the foreground form for service managers. It starts the machine (or stays with one
// that runs), tells systemd, sleeps until it ends, and gives back at once what the run had. It is
// needed by nothing: a machine lives without it.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "app/cmd.hpp"
#include "app/interrupt.hpp"
#include "app/machine_state.hpp"
#include "app/perform.hpp"
#include "app/qmp_access.hpp"
#include "app/settle.hpp"
#include "app/start.hpp"
#include "app/wait.hpp"
#include "nutshell/plan.hpp"

namespace nutshell {
namespace {

enum class Again { no, on_crash, always };
constexpr auto stop_patience = std::chrono::seconds(60);
// A machine that ends again and again is not started for ever.
constexpr int most_restarts = 5;
constexpr auto restart_window = std::chrono::seconds(60);

/// One datagram to the service manager (sd_notify(3)); nobody there is no error.
void notify(const std::string& state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (!path || !*path) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  const host::Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL,
         reinterpret_cast<const sockaddr*>(&address), size);
}

Again parse_again(const Parsed& args) {
  const std::string text = args.value("restart").value_or("no");
  if (text == "no") return Again::no;
  if (text == "on-crash") return Again::on_crash;
  if (text == "always") return Again::always;
  throw ConfigError("--restart",
                    fmt::format("'{}' is not known; give no, on-crash or always", printable(text)));
}

/// Sleeps until QEMU ends, or somebody wants us to stop.
void sleep_until_end(House& house, const Uuid& uuid) {
  const auto row = house.registry().machine(uuid);
  if (!row || !row->run) return;
  const auto pidfd =
      host::open_checked_pidfd(host::Identity{row->run->pid, row->run->start_time}, uuid);
  if (!pidfd) return;
  pollfd waiting{pidfd->get(), POLLIN, 0};
  while (!interrupted() && poll(&waiting, 1, 60000) <= 0) continue;
}

// The guest gets its time to power off, as with `stop`; then it is ended.
void shut_down(House& house, const MachineRow& row, std::chrono::seconds patience) {
  notify("STOPPING=1");
  const auto deadline = std::chrono::steady_clock::now() + patience;
  auto next_press = std::chrono::steady_clock::now();
  while (is_alive(house, row.uuid) && std::chrono::steady_clock::now() < deadline) {
    if (std::chrono::steady_clock::now() >= next_press) {
      try {
        open_qmp(house, row).execute("system_powerdown");
      } catch (const Error& error) {
        if (is_alive(house, row.uuid)) house.reporter.warn(error.what());
      }
      next_press = std::chrono::steady_clock::now() + std::chrono::seconds(4);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const auto now = house.registry().machine(row.uuid);
  if (!now || !now->run || !is_alive(house, row.uuid)) return;
  const Plan plan =
      plan_of("kill", row.uuid, OnFailure::keep_going,
              steps_to_kill(now->spec, house.paths, "stopped: killed when it did not power off",
                            parts_of(now->run)));
  for (const std::string& leftover : run_teardown(house, plan, to_string(row.name)))
    house.reporter.warn(leftover);
}

}  // namespace

Exit run_supervise(const Parsed& args, House& house) {
  const Again again = parse_again(args);
  const auto patience = parse_timeout(args, stop_patience);
  const MachineRow row = find_machine(house, args.word(0, "NAME"));
  const std::string who = to_string(row.name);
  auto window_start = std::chrono::steady_clock::now();
  for (int restarts = 0;;) {
    settled_machine(house, row);
    if (!is_alive(house, row.uuid)) start_machine(house, row, std::nullopt);
    if (house.dry()) return Exit::done;
    notify(fmt::format("READY=1\nSTATUS={} runs", who));
    house.reporter.note(fmt::format("{} runs", who));
    sleep_until_end(house, row.uuid);
    const bool asked_to_stop = interrupted();
    // A `kill` or `rm` that ended it says how it ended when it is done, and that was no crash.
    if (asked_to_stop)
      shut_down(house, row, patience);
    else
      wait_for_others(house, row.uuid, who);
    settle(house, row.uuid);
    const auto now = house.registry().machine(row.uuid);
    if (!now) return Exit::done;  // removed while it ran
    const Seen seen = look_at(house, now->uuid, now->run, now->last_end);
    house.reporter.note(fmt::format("{}: {}", who, seen.words));
    const bool crashed = seen.state == MachineState::crashed;
    const bool once_more = again == Again::always || (again == Again::on_crash && crashed);
    if (asked_to_stop || !once_more) return crashed && !asked_to_stop ? Exit::failed : Exit::done;
    if (std::chrono::steady_clock::now() - window_start > restart_window) {
      window_start = std::chrono::steady_clock::now();
      restarts = 0;
    }
    if (++restarts > most_restarts)
      throw Failed(fmt::format(
          "{} ended {} times within a minute and is not started again; see `nutshell log {}`", who,
          restarts, who));
  }
}

}  // namespace nutshell
