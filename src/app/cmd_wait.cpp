// wait: until a machine is as asked.
#include "app/cmd.hpp"
#include "app/machine_state.hpp"
#include "app/settle.hpp"
#include "app/wait.hpp"

namespace nutshell {

Exit run_wait(const Parsed& args, House& house) {
  Condition condition = parse_condition(args.word(1, "CONDITION"));
  condition.timeout = parse_timeout(args, condition.timeout);
  const MachineRow row = find_machine(house, args.word(0, "NAME"));
  await(house, row.uuid, condition);
  settle(house, row.uuid);
  return Exit::done;
}

}  // namespace nutshell
