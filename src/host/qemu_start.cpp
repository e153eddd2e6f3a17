// The start of a QEMU, read from top to bottom in spawn_qemu() and meet_qemu(): after each line
// stands what is now true.
#include "host/qemu_start.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "host/files.hpp"
#include "host/listen.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr std::size_t shown_log = 2000;

/// What QEMU's last words most likely mean, for the sentence's end.
std::string likely_cause(const std::string& said) {
  static constexpr struct {
    const char* sign;
    const char* cause;
  } causes[] = {
      {"Failed to get \"write\" lock", "another QEMU uses that disk"},
      {"Failed to get shared \"write\" lock", "another QEMU uses that disk"},
      {"Could not access KVM kernel module",
       "QEMU may not open /dev/kvm; check its group, or use --accel tcg"},
      {"cannot set up guest memory", "the host has not enough memory; use a smaller --memory"},
      {"unable to find CPU model",
       "this QEMU does not know that CPU model; `qemu-system-x86_64 -cpu help` lists them"},
      {"unsupported machine type",
       "this QEMU does not know that machine type; `qemu-system-x86_64 -machine help` lists them"},
      {"Property", "this QEMU does not know that property"},
      {"failed to find romfile", "a ROM file is missing; install the package ipxe-qemu"},
      {"invalid option", "this QEMU does not know that option"},
      {"Image is not in qcow2 format", "the image is no qcow2; name its format with format=raw"},
  };
  for (const auto& [sign, cause] : causes)
    if (said.find(sign) != std::string::npos) return fmt::format(" (most likely: {})", cause);
  return "";
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status))
    return fmt::format("was killed by signal {} ({})", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
  return fmt::format("exited with status {}", WEXITSTATUS(status));
}

/// The last of what QEMU said, on one line; whatever it quotes can do nothing to a terminal.
std::string on_one_line(const std::string& text) {
  std::string joined;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = printable(std::string_view(text).substr(at, end - at));
    at = end + 1;
    if (!line.empty()) joined += (joined.empty() ? "" : " | ") + line;
  }
  if (joined.size() > shown_log) joined.replace(0, joined.size() - shown_log, "...");
  return joined;
}

[[noreturn]] void throw_death(const QemuStart& start, int status) {
  const std::string said = on_one_line(read_tail(start.log, shown_log));
  throw Failed(fmt::format("{}: QEMU {} before the machine ran{}: {}", start.who,
                           how_it_ended(status), likely_cause(said),
                           said.empty() ? "it said nothing" : said));
}

/// Throws with its last words if it has ended.
void check(const QemuStart& start, Identity& identity) {
  int status = 0;
  if (waitpid(identity.pid, &status, WNOHANG) != identity.pid) return;
  identity.pid = 0;
  throw_death(start, status);
}

/// The same, but gives it a moment to end first: its socket closed just now.
void check_soon(const QemuStart& start, Identity& identity) {
  for (int i = 0; i < 100; ++i) {
    check(start, identity);
    usleep(10000);
  }
}

void verify_cpu(Qmp& qmp, const QemuStart& start) {
  if (start.kvm && !qmp.execute("query-kvm").flag("enabled"))
    throw Failed(fmt::format("{}: QEMU runs without KVM although it was asked for", start.who));
  if (start.cpu_flags.empty()) return;
  const Json cpus = qmp.execute("query-cpus-fast");
  const std::string path = cpus.as_array().empty() ? "" : cpus.as_array().front().text("qom-path");
  const Json missing =
      qmp.execute("qom-get", Json::object({{"path", path}, {"property", "unavailable-features"}}));
  for (const std::string& flag : start.cpu_flags)
    for (const Json& feature : missing.as_array())
      if (feature.is_string() && feature.as_string() == flag)
        throw Failed(
            fmt::format("{}: the CPU flag {} was asked for and QEMU could not give it; see "
                        "`nutshell doctor` for what the host lacks",
                        start.who, flag));
}

void verify_disks(Qmp& qmp, const QemuStart& start) {
  std::size_t wanted = 0;
  for (const Arg& arg : start.line.args)
    wanted += arg.option == "-device" && arg.value.find("\"drive\":") != std::string::npos;
  std::size_t there = 0;
  for (const Json& device : qmp.execute("query-block").as_array())
    there += device.find("inserted") != nullptr;
  if (there < wanted)
    throw Failed(fmt::format("{}: QEMU opened {} of {} disks", start.who, there, wanted));
}

void hand_display(Qmp& qmp, const QemuStart& start) {
  Fd made;
  if (!start.vnc_unix.empty()) made = listen_unix(start.vnc_unix);
  const int socket = made ? made.get() : start.vnc_socket;
  if (socket < 0) return;
  qmp.execute("getfd", Json::object({{"fdname", "vnc"}}), socket);
  const Json address = Json::object({{"type", "fd"}, {"str", "vnc"}});
  qmp.execute("display-update",
              Json::object({{"type", "vnc"}, {"addresses", Json::array({address})}}));
  if (!start.vnc_password_file.empty()) {
    const std::string text = read_file(start.vnc_password_file).value_or("");
    const std::string password = text.substr(0, text.find('\n'));
    if (password.empty())
      throw Failed(
          fmt::format("{}: its VNC password {} is gone; put one line of at most 8 bytes there",
                      start.who, start.vnc_password_file));
    qmp.execute("set_password", Json::object({{"protocol", "vnc"}, {"password", password}}));
  }
  if (!qmp.execute("query-vnc").flag("enabled"))
    throw Failed(fmt::format("{}: QEMU did not take the VNC socket", start.who));
}

}  // namespace

std::string read_tail(const std::string& path, std::size_t limit) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return "";
  const off_t size = lseek(file.get(), 0, SEEK_END);
  const off_t from = size > static_cast<off_t>(limit) ? size - static_cast<off_t>(limit) : 0;
  std::string text(static_cast<std::size_t>(size - from), '\0');
  const ssize_t n = pread(file.get(), text.data(), text.size(), from);
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return text;
}

NewQemu::NewQemu(Identity identity, Qmp qmp) : identity_(identity), qmp_(std::move(qmp)) {}

NewQemu::NewQemu(NewQemu&& other) noexcept
    : identity_(std::exchange(other.identity_, {})), qmp_(std::move(other.qmp_)) {}

NewQemu& NewQemu::operator=(NewQemu&& other) noexcept {
  std::swap(identity_, other.identity_);
  std::swap(qmp_, other.qmp_);
  return *this;
}

NewQemu::~NewQemu() {
  if (identity_.pid == 0) return;
  kill(identity_.pid, SIGKILL);
  waitpid(identity_.pid, nullptr, 0);
}

NewQemu spawn_qemu(const QemuStart& start) {
  std::vector<OpenHandle> handles =
      open_handles(start.line.handles, start.taps, start.bridge_helper);
  // From here taps, sockets, disks and the lock are open, and die with us.
  const Fd log(open(start.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log)
    throw SystemError(errno, fmt::format("{}: its log {} cannot be written", start.who, start.log));
  ChildStart child;
  child.argv = start.line.argv();
  child.output = log.get();
  child.run_as = start.run_as;
  for (const OpenHandle& handle : handles)
    child.handed.emplace_back(handle.fd.get(), handle.target);
  // Its control socket listens already.
  Qmp qmp = Qmp::call(start.qmp);
  // From here the control socket is ours, and no other command comes first. With this function's
  // end QEMU alone holds the handles: when it ends, they are gone.
  return {start_child(child), std::move(qmp)};
}

StartedQemu meet_qemu(const QemuStart& start, NewQemu& qemu) {
  try {
    qemu.qmp_.greet();
    verify_cpu(qemu.qmp_, start);
    verify_disks(qemu.qmp_, start);
    hand_display(qemu.qmp_, start);
    if (start.cdrom_bootindex_later)
      qemu.qmp_.execute("qom-set", Json::object({{"path", cdrom_qom_path()},
                                                 {"property", "bootindex"},
                                                 {"value", *start.cdrom_bootindex_later}}));
    // From here everything that was asked for is there, and the next reset boots the disk.
    return {std::exchange(qemu.identity_, {}), std::move(qemu.qmp_)};
  } catch (const WaitNotMet& error) {
    check(start, qemu.identity_);
    throw Failed(fmt::format("{}, and was killed; `nutshell doctor` shows what this host can do",
                             error.what()));
  } catch (const Error&) {
    check_soon(start, qemu.identity_);
    throw;
  }
}

}  // namespace nutshell::host
