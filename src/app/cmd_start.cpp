// start: one run of a machine that exists.
#include <fmt/format.h>

#include "app/cmd.hpp"
#include "app/start.hpp"
#include "app/wait.hpp"

namespace nutshell {

Exit run_start(const Parsed& args, House& house) {
  const std::optional<Condition> condition = parse_wait_options(args);
  std::optional<BootOrder> boot;
  if (const auto text = args.value("boot")) {
    BootOrder order{};
    if (!from_word(*text, order))
      throw ConfigError(
          "--boot", fmt::format("'{}' is not known; give {}", printable(*text), words_of(order)));
    boot = order;
  }
  const MachineRow row = find_machine(house, args.word(0, "NAME"));
  start_machine(house, row, boot);
  if (house.dry()) return Exit::done;
  if (condition) await(house, row.uuid, *condition);
  report_running(house, row.uuid);
  return Exit::done;
}

}  // namespace nutshell
