// A command is data: its words for --help, the man page's check and the completion, and one
// function. The table is commands.cpp.
#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nutshell/error.hpp"

namespace nutshell {

struct House;

/// One option of a command. `value` names its argument in the help; empty: a switch.
struct Option {
  std::string_view name;  ///< without the dashes
  std::string_view value;
  std::string_view help;
  bool repeated = false;
};

/// What the command line said, after parsing: words are still text.
struct Parsed {
  std::vector<std::string> words;                           ///< positional arguments
  std::map<std::string, std::vector<std::string>> options;  ///< by name; a switch has no values
  std::vector<std::string> rest;                            ///< after "--"

  [[nodiscard]] bool has(const std::string& name) const { return options.contains(name); }
  /// The last value given, or nullopt.
  [[nodiscard]] std::optional<std::string> value(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> values(const std::string& name) const;
  /// The positional argument at `index`; throws UsageError naming what is missing.
  [[nodiscard]] const std::string& word(std::size_t index, std::string_view what) const;
};

/// What a command does to the registry: `look` never creates or writes it.
enum class Access { none, look, change };

struct Command {
  std::string_view name;   ///< "launch", or "lease reserve"
  std::string_view group;  ///< heading in --help
  std::string_view summary;
  std::string_view arguments;  ///< "NAME [FILE.png]"
  std::size_t fewest, most;    ///< positional arguments
  std::span<const Option> options;
  std::string_view examples;  ///< lines
  Access access;
  Exit (*run)(const Parsed&, House&);
};

std::span<const Command> commands();
/// The command of that name (one or two words), or nullptr.
const Command* find_command(std::string_view name);
/// The general help, and that of one command.
std::string help_text();
std::string help_text(const Command& command);
/// Of the commands that begin with a word, such as `volume`.
std::string help_text(std::string_view word);
/// The bash completion script, from the table.
std::string completion_script();

}  // namespace nutshell
