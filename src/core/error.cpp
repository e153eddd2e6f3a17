// The sentences of the errors that carry more than a sentence. Whatever came from outside (a path,
// a program's stderr) is made printable here, once, so that no error can write escape sequences to
// a terminal.
#include "nutshell/error.hpp"

#include <string_view>
#include <system_error>
#include <utility>

#include "nutshell/values.hpp"

namespace nutshell {
namespace {

constexpr std::size_t longest_command_shown = 400;

std::string sentence_of(const Problems& problems) {
  std::string text;
  for (const Problem& problem : problems) {
    if (!text.empty()) text += '\n';
    if (!problem.where.empty()) text += printable(problem.where) + ": ";
    text += printable(problem.what);
  }
  return text.empty() ? "the specification is wrong" : text;
}

/// Several lines of a program's stderr as one: "first; second".
std::string on_one_line(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view part = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    while (!part.empty() && (part.back() == '\r' || part.back() == ' ')) part.remove_suffix(1);
    if (part.empty()) continue;
    if (!line.empty()) line += "; ";
    line += printable(part);
  }
  return line;
}

std::string sentence_of(const std::vector<std::string>& argv, const std::string& ended,
                        const std::string& stderr_tail) {
  std::string command = printable(shell_line(argv));
  if (command.size() > longest_command_shown) {
    command.resize(longest_command_shown);
    command += " ...";
  }
  std::string sentence = command + " failed (" + printable(ended) + ")";
  const std::string said = on_one_line(stderr_tail);
  return said.empty() ? sentence + " and said nothing on stderr" : sentence + ": " + said;
}

}  // namespace

ConfigError::ConfigError(Problems problems)
    : Error(Exit::bad_spec, sentence_of(problems)), problems_(std::move(problems)) {}

SystemError::SystemError(int error_number, const std::string& doing)
    : Error(Exit::failed, printable(doing) + ": " + std::generic_category().message(error_number)),
      code_(error_number) {}

CommandFailed::CommandFailed(std::vector<std::string> argv, const std::string& ended,
                             const std::string& stderr_tail)
    : Error(Exit::failed, sentence_of(argv, ended, stderr_tail)), argv_(std::move(argv)) {}

}  // namespace nutshell
