// The bash completion, from the command table: commands, options, the words an option takes, and
// the names of machines as `ls` has them. File names are offered only where a file is wanted.
#include <fmt/format.h>

#include <cctype>
#include <map>

#include "app/command.hpp"
#include "app/options.hpp"

namespace nutshell {
namespace {

constexpr const char* conditions = "running stopped serial= port= agent";

std::string joined(std::span<const Option> options) {
  std::string text;
  for (const Option& option : options)
    text += fmt::format("{}--{}", text.empty() ? "" : " ", option.name);
  return text;
}

// What an option takes: "files", "directories", words, or nothing that could be listed.
std::string values_of(const Option& option) {
  if (option.value == "DIR") return "directories";
  if (option.value == "LINK") return "links";
  if (option.value == "WHERE") return "disk cdrom once=cdrom net";
  if (option.value == "CONDITION") return conditions;
  if (option.value == "CLOUD") return "clouds";
  if (option.value == "FILE" || option.value == "ISO" || option.value == "BINARY" ||
      option.name == "disk")
    return "files";
  if (option.value.find('|') == std::string_view::npos) return "";
  std::string words;
  for (std::string_view left = option.value; !left.empty();) {
    const std::string_view word = left.substr(0, left.find('|'));
    left.remove_prefix(std::min(left.size(), word.size() + 1));
    if (!std::isupper(static_cast<unsigned char>(word[0])))
      words += fmt::format("{}{}", words.empty() ? "" : " ", word);
  }
  return words;
}

// What the words of a command are, one quoted word of bash for each.
std::string words_taken(const Command& command) {
  if (command.name == "launch" || command.name == "create" || command.name == "volume create" ||
      command.name.starts_with("network"))
    return "";  // a name that is new, or none of a machine
  if (command.arguments == "NAME CONDITION") return fmt::format("machines '{}'", conditions);
  if (command.arguments == "NAME [FILE.png]" || command.arguments == "NAME [ISO]")
    return "machines files";
  if (command.arguments == "SHELL") return "bash";
  if (command.arguments.starts_with("VOLUME") || command.arguments == "SNAPSHOT") return "volumes";
  if (command.arguments == "IMAGE NAME" || command.arguments == "FILE") return "files";
  if (command.arguments == "CLOUD" || command.arguments == "[CLOUD]") return "clouds";
  if (command.arguments == "CLOUD [MACHINE]") return "clouds members";
  if (command.arguments == "BRIDGE" && command.name != "bridge create") return "bridges";
  return command.arguments.starts_with("NAME") ? "machines" : "";
}

constexpr const char* function = R"(
_nutshell() {
  local current=${COMP_WORDS[COMP_CWORD]} command= word value values= offer= options= before= i end count=0
  local inside= dashes= place=() takes=()
  for ((i = 1; i < ${#COMP_WORDS[@]}; i = end + 1)); do
    word=${COMP_WORDS[i]} end=$i values=
    if [[ $word == -- ]]; then
      ((i < COMP_CWORD)) && dashes=yes
      break
    fi
    # Bash cuts words at = and :, so a value may be several of them.
    if [[ $word == -* ]] && _nutshell_value "$command $word"; then
      [[ ${COMP_WORDS[end + 1]} == = ]] || ((end++))
      while [[ ${COMP_WORDS[end + 1]} == [=:] ]]; do ((end += 2)); done
      if ((i < COMP_CWORD && COMP_CWORD <= end)); then
        inside=yes offer=$values
      elif [[ $word == --root || $word == --config ]]; then
        printf -v value %s "${COMP_WORDS[@]:i + 1:end - i}"
        value=${value#=}
        place+=("$word" "${value/#\~/$HOME}")
      fi
      continue
    fi
    while [[ ${COMP_WORDS[end + 1]} == [=:] ]]; do ((end += 2)); done
    if [[ $word == -* ]] || ((end >= COMP_CWORD)); then continue; fi
    case $command in
      ''|pool|lease|volume|bridge) command=${command:+$command }$word ;;
      *) ((count++)); before=$word ;;
    esac
  done
  [[ $current == [=:] ]] && current=
  COMPREPLY=()
  _nutshell_command "$command"
  if [[ -n $dashes ]]; then
    offer=files
  elif [[ -z $inside ]]; then
    offer=${takes[count]}
    [[ $current == -* ]] && offer=$options
  fi
  case $offer in
    files|directories)
      compopt -o filenames 2>/dev/null
      [[ $offer == files ]] && value=-f || value=-d
      mapfile -t COMPREPLY < <(compgen $value -- "$current")
      return ;;
    links) offer=$(ls /sys/class/net 2>/dev/null) ;;
    bridges) offer=$(nutshell "${place[@]}" --quiet bridge ls 2>/dev/null | awk 'NR > 1 { print $1 }') ;;
    clouds) offer=$(nutshell "${place[@]}" --quiet status 2>/dev/null | awk 'NR > 1 { print $1 }') ;;
    members) offer=$(nutshell "${place[@]}" --quiet ls --cloud "$before" 2>/dev/null | awk -F '[ /]' 'NR > 1 { print $2 }') ;;
    machines) offer=$(nutshell "${place[@]}" --quiet ls 2>/dev/null | awk 'NR > 1 { print $1 }') ;;
    volumes) offer=$(nutshell "${place[@]}" --quiet volume ls 2>/dev/null | awk 'NR > 1 { print $1 }') ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$offer" -- "$current")
  [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _nutshell nutshell
)";

}  // namespace

std::string completion_script() {
  std::string names, cases;
  std::map<std::string, std::string> groups, patterns;  // verbs by group; options by what they take
  const auto note = [&](std::string_view command, const Option& option) {
    if (option.value.empty()) return;
    std::string& all = patterns[values_of(option)];
    all += fmt::format("{}{}' --{}'", all.empty() ? "" : "|",
                       command.empty() ? "*" : fmt::format("'{}'", command), option.name);
  };
  for (const Option& option : global_options()) note("", option);
  for (const Command& command : commands()) {
    const auto space = command.name.find(' ');
    const std::string first(command.name.substr(0, space));
    if (!groups.contains(first)) names += (names.empty() ? "" : " ") + first;
    std::string& verbs = groups[first];
    if (space != std::string_view::npos)
      verbs += fmt::format("{}{}", verbs.empty() ? "" : " ", command.name.substr(space + 1));
    cases += fmt::format("    '{}') options+=' {}'; takes=({}) ;;\n", command.name,
                         joined(command.options), words_taken(command));
    for (const Option& option : command.options) note(command.name, option);
  }
  cases += fmt::format("    '') takes=('{}') ;;\n", names);
  for (const auto& [group, verbs] : groups)
    if (!verbs.empty()) cases += fmt::format("    '{}') takes=('{}') ;;\n", group, verbs);
  std::string script = "# bash completion for nutshell, made by `nutshell completion bash`\n";
  script += "_nutshell_value() {\n  case $1 in\n";
  for (const auto& [values, all] : patterns)
    script += fmt::format("    {}) values='{}' ;;\n", all, values);
  script += "    *) return 1 ;;\n  esac\n}\n_nutshell_command() {\n";
  script += fmt::format("  options='{}'\n  case $1 in\n", joined(global_options()));
  return script + cases + "  esac\n}" + function;
}

}  // namespace nutshell
