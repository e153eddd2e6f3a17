// The only file that knows Boost.Program_options. The command is found first, because which options
// exist depends on it; then everything else is parsed in one go, so that global options may stand
// anywhere.
#include "app/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>

#include "nutshell/values.hpp"

namespace nutshell {
namespace {

namespace po = boost::program_options;

constexpr Option globals[] = {
    {"root", "DIR", "keep every file of nutshell's below DIR"},
    {"config", "FILE", "read this nutshell.toml"},
    {"json", "", "print JSON"},
    {"dry-run", "", "say what would be done, and change nothing"},
    {"quiet", "", "no progress on stderr"},
    {"verbose", "", "each step as a line on stderr"},
    {"help", "", "what a command does"},
    {"version", "", "the version"},
};

bool is_value_option(std::string_view word) {
  return std::any_of(std::begin(globals), std::end(globals), [&](const Option& o) {
    return !o.value.empty() && word == "--" + std::string(o.name);
  });
}

// The indexes of the one or two words that name the command.
std::vector<std::size_t> find_command_words(const std::vector<std::string>& words) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    if (words[i].starts_with("-")) {
      if (is_value_option(words[i])) ++i;
      if (!found.empty()) break;
      continue;
    }
    found.push_back(i);
    if (found.size() == 2) break;
  }
  return found;
}

[[noreturn]] void throw_unknown_command(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : commands()) names.emplace_back(command.name);
  const auto meant = nearest(name, names);
  throw UsageError(fmt::format(
      "there is no command '{}'; {}", printable(name),
      meant ? fmt::format("did you mean `{}`?", *meant) : "`nutshell --help` lists them"));
}

const Command* take_command(std::vector<std::string>& words) {
  const auto at = find_command_words(words);
  if (at.empty()) return nullptr;
  const auto erase = [&](std::size_t index) {
    words.erase(words.begin() + static_cast<std::ptrdiff_t>(index));
  };
  const std::string first = words[at[0]];
  if (at.size() == 2)
    if (const Command* two = find_command(first + " " + words[at[1]])) {
      erase(at[1]);
      erase(at[0]);
      return two;
    }
  if (const Command* one = find_command(first)) {
    erase(at[0]);
    return one;
  }
  // A group such as `pool` without its verb, or with an unknown one.
  std::string verbs;
  for (const Command& command : commands())
    if (command.name.starts_with(first + " "))
      verbs += (verbs.empty() ? "" : ", ") + std::string(command.name.substr(first.size() + 1));
  // `pool --help`: the word stays, and the help of its commands is shown.
  if (!verbs.empty() && at.size() == 1 &&
      std::find(words.begin(), words.end(), "--help") != words.end())
    return nullptr;
  if (!verbs.empty())
    throw UsageError(fmt::format(
        "`nutshell {}` {}wants one of: {}", first,
        at.size() == 2 ? fmt::format("has no '{}'; it ", printable(words[at[1]])) : "", verbs));
  throw_unknown_command(at.size() == 2 && first == "help" ? words[at[1]] : first);
}

po::options_description describe(std::span<const Option> own) {
  po::options_description all;
  const auto add = [&](const Option& option) {
    const std::string name(option.name);
    if (option.value.empty())
      all.add_options()(name.c_str(), "");
    else
      all.add_options()(name.c_str(), po::value<std::vector<std::string>>()->composing(), "");
  };
  std::for_each(std::begin(globals), std::end(globals), add);
  std::for_each(own.begin(), own.end(), add);
  all.add_options()("<words>", po::value<std::vector<std::string>>()->composing(), "");
  return all;
}

[[noreturn]] void throw_unknown_option(const std::string& option, const Command* command) {
  std::vector<std::string> names;
  const auto collect = [&](const Option& o) { names.push_back("--" + std::string(o.name)); };
  std::for_each(std::begin(globals), std::end(globals), collect);
  if (command) std::for_each(command->options.begin(), command->options.end(), collect);
  const auto meant = nearest(option, names);
  const std::string of = command ? fmt::format("`nutshell {}`", command->name) : "nutshell";
  throw UsageError(
      fmt::format("{} has no option {}; {}", of, printable(option),
                  meant ? fmt::format("did you mean {}?", *meant)
                        : fmt::format("`nutshell {}{}--help` lists them",
                                      command ? command->name : "", command ? " " : "")));
}

Parsed parse_rest(const std::vector<std::string>& words, const Command* command) {
  const auto description = describe(command ? command->options : std::span<const Option>{});
  po::positional_options_description positional;
  positional.add("<words>", -1);
  namespace style = po::command_line_style;
  Parsed parsed;
  try {
    const auto result =
        po::command_line_parser(words)
            .options(description)
            .positional(positional)
            .style(style::allow_long | style::long_allow_adjacent | style::long_allow_next)
            .run();
    for (const auto& option : result.options) {
      auto& values = parsed.options[option.string_key];
      values.insert(values.end(), option.value.begin(), option.value.end());
    }
  } catch (const po::unknown_option& error) {
    throw_unknown_option(error.get_option_name(), command);
  } catch (const po::invalid_command_line_syntax& error) {
    const bool extra = error.kind() == po::invalid_syntax::extra_parameter;
    throw UsageError(
        fmt::format("{} {}; `nutshell {}{}--help` shows {}", printable(error.get_option_name()),
                    extra ? "takes no value" : "wants a value", command ? command->name : "",
                    command ? " " : "", extra ? "what it does" : "which"));
  } catch (const po::error& error) {
    throw UsageError(fmt::format("{}; see `nutshell --help`", printable(error.what())));
  }
  if (const auto found = parsed.options.find("<words>"); found != parsed.options.end()) {
    parsed.words = found->second;
    parsed.options.erase(found);
  }
  for (const std::string& word : parsed.words)
    if (word.size() > 1 && word[0] == '-') throw_unknown_option(word, command);
  return parsed;
}

GlobalOptions take_globals(Parsed& parsed) {
  GlobalOptions global;
  global.root = parsed.value("root").value_or("");
  global.config = parsed.value("config").value_or("");
  if (parsed.has("root") && global.root.empty()) throw UsageError("--root wants a directory");
  global.json = parsed.has("json");
  global.dry_run = parsed.has("dry-run");
  global.quiet = parsed.has("quiet");
  global.verbose = parsed.has("verbose");
  global.help = parsed.has("help");
  global.version = parsed.has("version");
  if (global.quiet && global.verbose)
    throw UsageError("--quiet and --verbose contradict each other; give one");
  // What is left are the command's own.
  for (const Option& option : globals) parsed.options.erase(std::string(option.name));
  return global;
}

void check_words(const Parsed& parsed, const Command& command) {
  if (parsed.words.size() < command.fewest)
    throw UsageError(fmt::format("`nutshell {}` wants {}; see `nutshell {} --help`", command.name,
                                 command.arguments, command.name));
  if (parsed.words.size() > command.most)
    throw UsageError(fmt::format("`nutshell {}` does not know what to do with '{}'; it takes {}",
                                 command.name, printable(parsed.words[command.most]),
                                 command.arguments.empty() ? "no arguments" : command.arguments));
}

}  // namespace

std::optional<std::string> Parsed::value(const std::string& name) const {
  const auto found = options.find(name);
  if (found == options.end() || found->second.empty()) return std::nullopt;
  return found->second.back();
}

std::vector<std::string> Parsed::values(const std::string& name) const {
  const auto found = options.find(name);
  return found == options.end() ? std::vector<std::string>{} : found->second;
}

const std::string& Parsed::word(std::size_t index, std::string_view what) const {
  if (index >= words.size()) throw UsageError(fmt::format("{} is missing", what));
  return words[index];
}

std::span<const Option> global_options() { return globals; }

CommandLine parse_command_line(const std::vector<std::string>& given) {
  std::vector<std::string> words = given, rest;
  bool dashes = false;
  if (const auto found = std::find(words.begin(), words.end(), "--"); found != words.end()) {
    rest.assign(found + 1, words.end());
    words.erase(found, words.end());
    dashes = true;
  }
  for (std::string& word : words) {
    if (word == "-h") word = "--help";
    if (word == "-f") word = "--follow";  // as tail(1) has it
  }
  CommandLine line;
  // `help COMMAND` is `COMMAND --help`.
  if (!words.empty() && words[0] == "help") {
    words.erase(words.begin());
    words.push_back("--help");
  }
  line.command = take_command(words);
  line.parsed = parse_rest(words, line.command);
  line.parsed.rest = std::move(rest);
  line.global = take_globals(line.parsed);
  if (line.global.help || line.global.version) return line;
  if (!line.command) throw UsageError("nutshell wants a command; `nutshell --help` lists them");
  if (dashes && line.command->name != "launch" && line.command->name != "create" &&
      line.command->name != "set")
    throw UsageError(
        fmt::format("`nutshell {}` takes no arguments for QEMU after --", line.command->name));
  check_words(line.parsed, *line.command);
  return line;
}

}  // namespace nutshell
