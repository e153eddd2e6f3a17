// --help, general and of one command, from the command table.
#include <fmt/format.h>

#include <algorithm>

#include "app/command.hpp"
#include "app/options.hpp"

namespace nutshell {
namespace {

void add_options(std::string& text, std::span<const Option> options) {
  std::size_t width = 0;
  const auto words = [](const Option& o) {
    return o.value.empty() ? fmt::format("--{}", o.name) : fmt::format("--{} {}", o.name, o.value);
  };
  for (const Option& option : options) width = std::max(width, words(option).size());
  for (const Option& option : options)
    text += fmt::format("  {:<{}}  {}\n", words(option), width, option.help);
}

}  // namespace

std::string help_text() {
  std::string text =
      "nutshell: QEMU/KVM machines on this box, without libvirt and without a daemon\n\nusage: "
      "nutshell [OPTION...] COMMAND ...\n";
  std::string_view group;
  for (const Command& command : commands()) {
    if (command.group != group) text += fmt::format("\n{}\n", group = command.group);
    text += fmt::format("  {:<20} {}\n", command.name, command.summary);
  }
  text += "\nOptions, before or after the command\n";
  add_options(text, global_options());
  return text + "\n`nutshell COMMAND --help` says more; nutshell(1) says all.\n";
}

std::string help_text(const Command& command) {
  std::string text =
      fmt::format("nutshell {}: {}\n\nusage: nutshell {}{}{}{}\n", command.name, command.summary,
                  command.name, command.arguments.empty() ? "" : " ", command.arguments,
                  command.options.empty() ? "" : " [OPTION...]");
  const bool qemu_args =
      command.name == "launch" || command.name == "create" || command.name == "set";
  if (qemu_args) text += "       what stands after -- is handed to QEMU as it is\n";
  if (!command.options.empty()) {
    text += "\nOptions\n";
    add_options(text, command.options);
  }
  text += "\nExamples\n";
  std::string_view examples = command.examples;
  while (!examples.empty()) {
    const auto end = examples.find('\n');
    text += fmt::format("  {}\n", examples.substr(0, end));
    examples.remove_prefix(end == std::string_view::npos ? examples.size() : end + 1);
  }
  return text;
}

std::string help_text(std::string_view word) {
  std::string text = fmt::format("nutshell {}: one of\n\n", word);
  for (const Command& command : commands())
    if (command.name.starts_with(std::string(word) + " "))
      text += fmt::format("  {:<34} {}\n",
                          fmt::format("{}{}{}", command.name, command.arguments.empty() ? "" : " ",
                                      command.arguments),
                          command.summary);
  return text + fmt::format("\n`nutshell {} COMMAND --help` says more.\n", word);
}

}  // namespace nutshell
