// The one place that prints an error and chooses the exit code.
#include <fcntl.h>
#include <unistd.h>

#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "app/adoption.hpp"
#include "app/house.hpp"
#include "app/interrupt.hpp"
#include "app/options.hpp"
#include "app/report.hpp"
#include "app/version.hpp"
#include "nutshell/error.hpp"

namespace {

using namespace nutshell;

// A closed stdin, stdout or stderr would be handed out to the next open(), and written to by
// mistake.
void open_standard_descriptors() {
  for (int fd = 0; fd < 3; ++fd)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd) _exit(1);
}

Exit run(const std::vector<std::string>& words, GlobalOptions& global) {
  const CommandLine line = parse_command_line(words);
  global = line.global;
  if (line.global.help) {
    if (line.command)
      print(help_text(*line.command));
    else
      print(line.parsed.words.empty() ? help_text() : help_text(line.parsed.words.front()));
    return Exit::done;
  }
  if (line.global.version) {
    print(std::string("nutshell ") + version() + "\n");
    return Exit::done;
  }
  House house(line.global, *line.command);
  recover_adoptions(house, line.command->name == "bridge confirm" && !line.parsed.words.empty()
                               ? line.parsed.words[0]
                               : "");
  house.read_config();
  return line.command->run(line.parsed, house);
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_descriptors();
  watch_interrupts();
  const std::vector<std::string> words(argv + 1, argv + argc);
  GlobalOptions global;
  for (const std::string& word : words) {
    if (word == "--") break;
    if (word == "--json") global.json = true;  // also for the errors of the command line itself
  }
  try {
    return static_cast<int>(run(words, global));
  } catch (const Error& error) {
    Reporter(global).error(error.what(), static_cast<int>(error.exit()));
    return static_cast<int>(error.exit());
  } catch (const std::exception& error) {
    Reporter(global).error(error.what(), static_cast<int>(Exit::failed));
    return static_cast<int>(Exit::failed);
  }
}
