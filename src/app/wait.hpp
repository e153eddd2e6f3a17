// Waiting for a condition of a machine, as data.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "app/house.hpp"

namespace nutshell {

struct Condition {
  enum class What { running, stopped, serial, port, agent };
  What what = What::running;
  std::string text;  ///< the expression of `serial`
  unsigned port = 0;
  std::chrono::seconds timeout{120};
  std::string words;  ///< as the user typed it
};

/// Parses "running", "stopped", "serial=REGEX" (POSIX extended), "port=N", "agent". Throws
/// ConfigError.
Condition parse_condition(const std::string& text);
/// From --wait and --timeout; nullopt without --wait.
std::optional<Condition> parse_wait_options(const Parsed& args);
/// Seconds from --timeout, or the default. Throws ConfigError.
std::chrono::seconds parse_timeout(const Parsed& args, std::chrono::seconds fallback);
/// Throws ConfigError when the machine can never meet it: port=N without an address that we know
/// of.
void check_condition(const MachineSpec& spec, const Condition& condition);
/// Throws WaitNotMet when the time is up, or the machine is gone so that it can never be met.
void await(House& house, const Uuid& uuid, const Condition& condition);

}  // namespace nutshell
