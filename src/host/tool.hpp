// Runs a small program of somebody else's (qemu-img, qemu --version, ...) so that nothing it does
// can hurt: it ends in time, what it prints is bounded, it inherits nothing, and no child of it
// stays behind.
#pragma once
#include <chrono>
#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nutshell/values.hpp"

namespace nutshell::host {

struct Tool {
  std::vector<std::string> argv;  ///< argv[0]: a path, or a name to be looked for
  std::string input;              ///< its stdin, up to any size; empty: /dev/null
  std::chrono::milliseconds timeout{30'000};
  Bytes output_limit = mebi;  ///< of stdout, and of stderr; more is a flood, and ends it
  std::vector<std::pair<std::string, std::string>> environment;  ///< added to ours; LC_ALL is C
  /// How long it may tidy up after SIGTERM when it is ended for its time or its flood; at most 3 s
  /// when we are interrupted.
  std::chrono::milliseconds grace{500};
  /// What it gets when we are killed. SIGTERM for one that must finish what it has half done.
  int orphan_signal = SIGKILL;
  /// Gets its stdout as it comes, and an empty text at least every second. What it throws ends the
  /// tool and is passed on.
  std::function<void(std::string_view)> watch{};
  /// Not 0: it may run for ever, but not stand still for so long: `timeout` is left aside, and it
  /// is ended when for that time it has neither printed, read, written nor computed.
  std::chrono::milliseconds idle{0};
};

struct ToolResult {
  int status = 0;           ///< exit status
  std::string output;       ///< its stdout
  std::string stderr_tail;  ///< the last 4 KiB of its stderr
};

/// Runs it to its end and gives the exit status, whatever it is. Throws Failed when there is no
/// such program (with the Debian package that has it, where known), CommandFailed when it does not
/// end in time, floods, or is killed by a signal. A SIGINT or SIGTERM with a handler ends it and
/// throws Interrupted; one that came before this call does not.
ToolResult run(const Tool& tool);
/// Its stdout; throws CommandFailed when it exits with anything but 0.
std::string output_of(const Tool& tool);

/// The path of a program: itself when it has a slash, else the first in PATH and in the sbin
/// folders (an ordinary user's PATH lacks them). nullopt when there is none that may be run.
std::optional<std::string> find_program(const std::string& name);
/// The Debian package that ships a program; empty when not known.
std::string package_of(const std::string& program);
/// "dnsmasq is not installed; install it with: apt install dnsmasq-base".
std::string missing_program(const std::string& program);

}  // namespace nutshell::host
