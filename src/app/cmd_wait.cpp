// wait: until a machine is as asked.
#include <fmt/format.h>

#include "app/cmd.hpp"
#include "app/machine_state.hpp"
#include "app/settle.hpp"
#include "app/wait.hpp"

namespace nutshell {

Exit run_wait(const Parsed& args, House& house) {
  Condition condition = parse_condition(args.word(1, "CONDITION"));
  condition.timeout = parse_timeout(args, condition.timeout);
  const MachineRow row = find_machine(house, args.word(0, "NAME"));
  check_condition(row.spec, condition);
  await(house, row.uuid, condition);
  settle(house, row.uuid);
  if (house.reporter.json())
    house.reporter.done(
        fmt::format("{}: {} is met", to_string(row.name), printable(condition.words)));
  return Exit::done;
}

}  // namespace nutshell
