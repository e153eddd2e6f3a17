// What machines of a cloud wait for. A condition that can never be met is told before anything is
// changed, at its line of the file, and not when the time is up.
#include "app/cloud_after.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "app/wait.hpp"

namespace nutshell {
namespace {

/// As the other machine will be while it is waited for.
const MachineSpec& spec_of(const MachineWork& machine) {
  const bool as_is = machine.action == MachineWork::Action::nothing || machine.waits;
  return as_is && machine.row ? machine.row->spec : machine.wanted->wish;
}

}  // namespace

Problems faults_of_after(const CloudWork& work) {
  std::map<std::string_view, const MachineWork*> by_name;
  for (const MachineWork& machine : work.machines)
    if (machine.wanted) by_name[machine.name] = &machine;
  std::map<std::string, Condition> parsed;
  Problems problems;
  const auto check = [&](const After& after, const MachineWork& other) {
    auto known = parsed.find(after.condition);
    if (known == parsed.end())
      known = parsed.emplace(after.condition, parse_condition(after.condition)).first;
    check_condition(spec_of(other), known->second);
  };
  for (const MachineWork& machine : work.machines) {
    if (!machine.wanted) continue;
    const Origins& origins = machine.wanted->wish.origins;
    for (const After& after : machine.wanted->after) {
      const auto other = by_name.find(after.machine);
      if (other == by_name.end()) continue;
      try {
        check(after, *other->second);
      } catch (const ConfigError& error) {
        const auto at = origins.contains("after") ? origins.find("after") : origins.find("name");
        for (const Problem& problem : error.problems()) {
          const Problem told{at == origins.end() ? machine.name : at->second,
                             fmt::format("{}: after: {}", machine.wanted->entry, problem.what)};
          if (std::find(problems.begin(), problems.end(), told) == problems.end())
            problems.push_back(told);
        }
      }
    }
  }
  return problems;
}

}  // namespace nutshell
