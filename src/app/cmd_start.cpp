// start: one run of a machine that exists.
#include <fmt/format.h>

#include "app/cmd.hpp"
#include "app/machine_options.hpp"
#include "app/start.hpp"
#include "app/wait.hpp"

namespace nutshell {

Exit run_start(const Parsed& args, House& house) {
  const std::optional<Condition> condition = parse_wait_options(args);
  const std::optional<BootOrder> boot = parse_boot_option(args);
  const MachineRow row = find_machine(house, args.word(0, "NAME"));
  if (condition) check_condition(row.spec, *condition);
  start_machine(house, row, boot);
  if (house.dry()) return Exit::done;
  if (condition) await(house, row.uuid, *condition);
  report_running(house, row.uuid);
  return Exit::done;
}

}  // namespace nutshell
