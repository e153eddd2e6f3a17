// A condition that several machines wait for is waited for once. What only waits does not count
// among what works, so a slow guest holds up nobody but those who asked for it.
#include "app/cloud_errands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "app/interrupt.hpp"
#include "app/machine_state.hpp"
#include "host/crew.hpp"

namespace nutshell {
namespace {

constexpr std::string_view own_name = "nutshell: ", own_warning = "nutshell: warning:";

/// A stop waits for its guest nearly all the time, and a `down` of many has to be done before the
/// host that shuts down loses patience.
constexpr std::size_t most_stops = 64;

std::size_t most_at_once() { return std::max(4U, 2 * std::thread::hardware_concurrency()); }

class Crew {
 public:
  Crew(House& house, const std::string& cloud) : house_(house), cloud_(cloud) {}

  /// An errand for a machine; `counts` is false for one that only waits. Gives its number.
  std::size_t add(const std::string& name, std::vector<std::string> words,
                  std::vector<std::size_t> after, bool waits = false) {
    std::vector<std::string> all;
    for (const auto& [option, value] :
         {std::pair{"--root", house_.options.root}, {"--config", house_.options.config}})
      if (!value.empty()) all.insert(all.end(), {option, value});
    all.push_back(house_.options.verbose ? "--verbose" : "--json");
    all.insert(all.end(), words.begin(), words.end());
    errands_.push_back({std::move(all), std::move(after), waits, {}});
    names_.push_back(name);
    return errands_.size() - 1;
  }

  /// A machine that runs in the end is started, whoever has done it.
  std::size_t add_start(const MachineName& name, const std::vector<std::size_t>& after) {
    const std::size_t number = add(name.name, {"start", to_string(name)}, after);
    errands_[number].is_done = [this, name] {
      const auto row = house_.registry().machine(name);
      return row && is_alive(house_, row->uuid);
    };
    return number;
  }

  /// `cut` says what is true of them after Ctrl-C.
  std::vector<ErrandResult> run(const std::string& doing,
                                const std::string& cut = "what had been begun is undone",
                                std::size_t most = most_at_once()) {
    const auto ended = [&](std::size_t i, const host::ErrandEnd& end) {
      note(i, end);
      if (!errands_[i].idle && end.how != host::ErrandEnd::How::never_begun)
        house_.reporter.step(fmt::format("{}: {} ({} of {})", cloud_, doing, ++over_, works()));
    };
    host::run_errands(errands_, most, ended, interrupted);
    house_.reporter.steps_over();
    check_interrupt_of(doing, cut);
    return std::move(results_);
  }

 private:
  House& house_;
  std::string cloud_;
  std::vector<host::Errand> errands_;
  std::vector<std::string> names_;
  std::vector<ErrandResult> results_;
  std::map<std::size_t, ErrandResult> failed_;
  std::size_t over_ = 0;

  [[nodiscard]] std::size_t works() const {
    return static_cast<std::size_t>(std::count_if(errands_.begin(), errands_.end(),
                                                  [](const auto& each) { return !each.idle; }));
  }
  void check_interrupt_of(const std::string& doing, const std::string& cut) const {
    if (interrupted())
      throw Interrupted(
          fmt::format("interrupted while {} was {}; {}; see `nutshell status {}`, the same command "
                      "again goes on",
                      cloud_, doing, cut, cloud_));
  }

  /// What a command says on stderr comes as a JSON object on each line; with --verbose as it would
  /// say it to a person, and is passed on as it is.
  std::string pass_on(const std::string& errors) {
    std::string error;
    for (std::size_t at = 0; at < errors.size();) {
      const std::size_t end = std::min(errors.find('\n', at), errors.size());
      const std::string line = errors.substr(at, end - at);
      at = end + 1;
      const auto json = Json::try_parse(line);
      const Json* fault = json ? json->find("error") : nullptr;
      const Json* warning = json ? json->find("warning") : nullptr;
      if (fault)
        error = fault->text("message");
      else if (warning)
        house_.reporter.warn(warning->as_string());
      else if (line.starts_with(own_name) && !line.starts_with(own_warning))
        error = line.substr(own_name.size());
      else if (house_.options.verbose && !line.empty())
        house_.reporter.note(line);
      else if (!line.empty())
        error += (error.empty() ? "" : "\n") + line;
    }
    return error;
  }

  void note(std::size_t i, const host::ErrandEnd& end) {
    using How = host::ErrandEnd::How;
    const bool waits = errands_[i].idle;
    ErrandResult result{names_[i], "", end.status};
    if (end.how == How::never_begun) {
      if (interrupted()) return;
      result.exit = 1;
      result.error = "not begun";
      for (const std::size_t other : errands_[i].after)
        if (const auto failed = failed_.find(other); failed != failed_.end()) {
          // Of a wait it is told what was waited for, once for each who did.
          result.exit = failed->second.exit;
          result.error = errands_[other].idle
                             ? "not begun: " + failed->second.error
                             : fmt::format("not begun, as it comes after {}", names_[other]);
          if (waits) result.error = "it comes after " + names_[other];
        }
    } else {
      result.error = pass_on(end.errors);
      if (end.how == How::killed) {
        result.exit = 1;
        result.error = fmt::format(
            "its command was killed by signal {}; `nutshell gc` puts right what it left",
            end.status);
      } else if (!end.done() && result.error.empty()) {
        result.error = fmt::format("its command ended with {}", end.status);
      }
    }
    if (!result.error.empty()) failed_[i] = result;
    if (!waits) results_.push_back(std::move(result));
  }
};

std::string full(const CloudSpec& cloud, const std::string& name) {
  return cloud.name + "/" + name;
}

}  // namespace

std::vector<ErrandResult> start_machines(House& house, const CloudSpec& cloud,
                                         const std::vector<std::string>& names) {
  Crew crew(house, cloud.name);
  std::map<std::string, std::size_t> starts;
  std::map<After, std::size_t> waits;
  // In the file's order a machine may come before one that it waits for, so by rounds.
  std::vector<const CloudMachine*> left;
  for (const CloudMachine& machine : cloud.machines)
    if (std::find(names.begin(), names.end(), machine.wish.name.name) != names.end())
      left.push_back(&machine);
  const auto is_left = [&](const std::string& name) {
    return std::any_of(left.begin(), left.end(),
                       [&](const CloudMachine* each) { return each->wish.name.name == name; });
  };
  while (!left.empty()) {
    std::vector<const CloudMachine*> later;
    bool any = false;
    for (const CloudMachine* machine : left) {
      const bool ready =
          std::none_of(machine->after.begin(), machine->after.end(), [&](const After& after) {
            return is_left(after.machine) && !starts.contains(after.machine);
          });
      if (!ready) {
        later.push_back(machine);
        continue;
      }
      any = true;
      std::vector<std::size_t> before;
      for (const After& after : machine->after) {
        const auto start = starts.find(after.machine);
        std::vector<std::size_t> first;
        if (start != starts.end()) first.push_back(start->second);
        if (after.condition == "running") {
          before.insert(before.end(), first.begin(), first.end());
          continue;
        }
        auto wait = waits.find(after);
        if (wait == waits.end()) {
          const std::vector<std::string> words{"wait", full(cloud, after.machine), after.condition,
                                               "--timeout", std::to_string(machine->after_timeout)};
          wait = waits.emplace(after, crew.add(after.machine, words, first, true)).first;
        }
        before.push_back(wait->second);
      }
      const std::string& name = machine->wish.name.name;
      starts[name] = crew.add_start(machine->wish.name, before);
    }
    left = std::move(later);
    if (!any) break;  // a cycle, which the parser refuses
  }
  return crew.run("being started");
}

std::vector<ErrandResult> stop_machines(House& house, const CloudSpec& cloud,
                                        const std::vector<std::string>& names, Stopping stopping,
                                        unsigned patience) {
  Crew crew(house, cloud.name);
  std::map<std::string, std::size_t> stops;
  const auto waits_for = [&](const std::string& name) {
    std::vector<std::string> before;  // those that come after it are stopped first
    for (const CloudMachine& machine : cloud.machines)
      for (const After& after : machine.after)
        if (after.machine == name) before.push_back(machine.wish.name.name);
    return before;
  };
  std::vector<std::string> left = names;
  while (!left.empty()) {
    std::vector<std::string> later;
    bool any = false;
    for (const std::string& name : left) {
      std::vector<std::size_t> before;
      bool ready = true;
      for (const std::string& other : waits_for(name)) {
        if (std::find(names.begin(), names.end(), other) == names.end()) continue;
        if (const auto stop = stops.find(other); stop != stops.end())
          before.push_back(stop->second);
        else
          ready = false;
      }
      if (!ready) {
        later.push_back(name);
        continue;
      }
      any = true;
      std::vector<std::string> words{"stop", full(cloud, name), "--timeout",
                                     std::to_string(patience)};
      if (stopping == Stopping::insist) words.push_back("--force");
      stops[name] = crew.add(name, words, before);
    }
    left = std::move(later);
    if (!any) break;
  }
  return crew.run("being stopped", "what has stopped stays so", most_stops);
}

std::vector<ErrandResult> remove_machines(House& house, const std::string& cloud,
                                          const std::vector<std::string>& names) {
  Crew crew(house, cloud);
  for (const std::string& name : names) crew.add(name, {"rm", cloud + "/" + name, "--force"}, {});
  std::vector<ErrandResult> results =
      crew.run("being removed", "what is removed is gone, the rest is there");
  // Gone already, by somebody who undid what was cut short, is gone.
  for (ErrandResult& result : results)
    if (result.exit == static_cast<int>(Exit::not_found)) result.error.clear();
  return results;
}

std::vector<ErrandResult> repair_bridges(House& house, const std::string& cloud,
                                         const std::set<std::string>& bridges) {
  Crew crew(house, cloud);
  for (const std::string& bridge : bridges) crew.add(bridge, {"bridge", "repair", bridge}, {});
  return crew.run("being repaired");
}

void throw_failures(const std::string& cloud, const std::vector<ErrandResult>& results,
                    const std::string& what) {
  std::string text;
  int exit = 0;
  std::size_t failed = 0;
  for (const ErrandResult& result : results) {
    if (result.error.empty()) continue;
    ++failed;
    if (exit == 0) exit = result.exit;
    text += fmt::format("\n  {}: {}", result.name, result.error);
  }
  if (failed == 0) return;
  throw Error(static_cast<Exit>(exit),
              fmt::format("the cloud {}: {} of its machines {}:{}", cloud, failed, what, text));
}

}  // namespace nutshell
