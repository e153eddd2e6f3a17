// version and completion: what needs no machine.
#include <fmt/format.h>

#include "app/cmd.hpp"
#include "app/version.hpp"

namespace nutshell {

Exit run_version(const Parsed&, House& house) {
  house.reporter.answer(Json::object({{"version", version()}}),
                        fmt::format("nutshell {}\n", version()));
  return Exit::done;
}

Exit run_completion(const Parsed& args, House& house) {
  const std::string& shell = args.word(0, "SHELL");
  if (shell != "bash")
    throw UsageError(
        fmt::format("there is no completion for '{}'; there is one for bash", printable(shell)));
  const std::string script = completion_script();
  house.reporter.answer(Json::object({{"script", script}}), script);
  return Exit::done;
}

}  // namespace nutshell
