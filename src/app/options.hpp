// The command line, split into the command, the global options (before or after it), its own
// options and words.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "app/command.hpp"

namespace nutshell {

struct GlobalOptions {
  std::string root, config;
  bool json = false, dry_run = false, quiet = false, verbose = false, help = false, version = false;
};

struct CommandLine {
  GlobalOptions global;
  const Command* command = nullptr;  ///< nullptr: only --help or --version was asked for
  Parsed parsed;
};

/// Parses argv without its first word. Throws UsageError, with what was probably meant.
CommandLine parse_command_line(const std::vector<std::string>& words);
std::span<const Option> global_options();

}  // namespace nutshell
