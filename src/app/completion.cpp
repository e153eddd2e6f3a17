// The bash completion, from the command table: commands, options, and the names of machines as `ls`
// has them.
#include <fmt/format.h>

#include "app/command.hpp"
#include "app/options.hpp"

namespace nutshell {
namespace {

std::string joined(std::span<const Option> options) {
  std::string text;
  for (const Option& option : options)
    text += fmt::format("{}--{}", text.empty() ? "" : " ", option.name);
  return text;
}

}  // namespace

std::string completion_script() {
  std::string names, cases, groups;
  for (const Command& command : commands()) {
    const auto space = command.name.find(' ');
    const std::string first(command.name.substr(0, space));
    if (groups.find(" " + first + " ") == std::string::npos)
      names += (names.empty() ? "" : " ") + first;
    groups += " " + first + " ";
    cases +=
        fmt::format("    '{}') options='{}'; words={} ;;\n", command.name, joined(command.options),
                    command.arguments.starts_with("NAME") ? "machines"
                    : command.name == "completion"        ? "bash"
                                                          : "");
  }
  return fmt::format(R"(# bash completion for nutshell, made by `nutshell completion bash`
_nutshell() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} command= word options= words=
  local i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${{COMP_WORDS[i]}}
    case $word in
      --root|--config) ((i++)) ;;
      -*) ;;
      *) command=${{command:+$command }}$word
         case $command in pool|lease) continue ;; esac
         break ;;
    esac
  done
  case $command in
    '') options='{}'; words='{}' ;;
    pool) words=ls ;;
    lease) words='ls reserve release' ;;
{}  esac
  COMPREPLY=()
  case $current in
    -*) mapfile -t COMPREPLY < <(compgen -W "$options {}" -- "$current") ;;
    *) if [[ $words == machines ]]; then
         words=$(nutshell --quiet ls 2>/dev/null | awk 'NR > 1 {{ print $1 }}')
         mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current"; compgen -f -- "$current")
       else
         mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current"; [[ -n $command ]] && compgen -f -- "$current")
       fi ;;
  esac
}}
complete -o filenames -F _nutshell nutshell
)",
                     joined(global_options()), names, cases, joined(global_options()));
}

}  // namespace nutshell
