// plan and up: the same decision, printed or done. After each line of run_up() stands what is now
// true.
#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_apply.hpp"
#include "app/cloud_trial.hpp"
#include "app/cloud_unit.hpp"
#include "app/cloud_words.hpp"
#include "app/cmd.hpp"
#include "app/machine_json.hpp"
#include "app/machine_state.hpp"
#include "app/settle.hpp"
#include "app/wait.hpp"

namespace nutshell {
namespace {

UpOptions options_from(const Parsed& args) {
  UpOptions options;
  options.start = !args.has("no-start");
  options.restart = args.has("restart");
  options.rename = args.has("moved");
  options.autostart = args.has("autostart");
  options.patience =
      static_cast<unsigned>(parse_timeout(args, std::chrono::seconds(options.patience)).count());
  if (options.restart && !options.start)
    throw UsageError("--restart and --no-start contradict each other; give one");
  if (options.autostart && !options.start)
    throw UsageError("--autostart and --no-start contradict each other; give one");
  return options;
}

std::string head_of(const CloudWork& work, const CloudFile& file) {
  return fmt::format("{} ({})", work.cloud, printable(file.path));
}

Json json_of(const std::vector<ChangeWords>& words) {
  Json list = Json::array();
  for (const ChangeWords& each : words)
    list.push(Json::object({{"what", each.what},
                            {"name", each.name.empty() ? Json() : Json(each.name)},
                            {"action", each.action},
                            {"detail", each.detail}}));
  return list;
}

std::string text_of(const std::vector<ChangeWords>& words) {
  std::string text;
  for (const ChangeWords& each : words) {
    text += fmt::format("{} {}", each.sign, each.what);
    if (!each.name.empty()) text += " " + each.name;
    if (!each.detail.empty()) text += ": " + each.detail;
    text += "\n";
  }
  return text;
}

void say_warnings(House& house, const CloudWork& work) {
  for (const std::string& warning : work.warnings) house.reporter.warn(warning);
}

/// What waits for --restart is tried as it would be done then: what cannot be is refused now, and
/// not when somebody has waited for it.
void try_what_waits(House& house, const CloudWork& work, const CloudFile& file, UpOptions options) {
  if (!work.waits() || options.restart || options.autostart) return;
  options.restart = true;
  CloudWork later = plan_work(house, file, options);
  complete_work(house, later);
  Transaction transaction = house.registry().begin();  // rolled back
  reserve_all(house, transaction, later, file.spec);
  try_starts(house, transaction, later, Tried::touched);
}

Exit look_and_show(House& house, const CloudFile& file, const UpOptions& options) {
  // From here all that is read is of one moment, whatever an `up` beside us does.
  { const Transaction snapshot = house.registry().begin(); }
  CloudWork work = plan_work(house, file, options);
  complete_work(house, work);
  try_what_waits(house, work, file, options);
  if (work.autostart_change) check_autostart(house, file.spec);
  Transaction transaction = house.registry().begin();  // rolled back
  reserve_all(house, transaction, work, file.spec);
  const std::vector<ChangeWords> words = words_of_work(house, work, file);
  const std::vector<MachineLine> lines = try_starts(house, transaction, work, Tried::all);
  std::string text = head_of(work, file) + "\n" + text_of(words);
  if (words.empty()) text += "nothing is to be done\n";
  if (work.autostart_change && file.spec.autostart)
    text += fmt::format("\n{}:\n{}", unit_path(house, work.cloud), unit_text(house, file.spec));
  Json machines = Json::array();
  for (const MachineLine& line : lines) {
    Json argv = Json::array();
    for (const std::string& word : line.argv) argv.push(word);
    machines.push(Json::object({{"name", line.name}, {"argv", argv}}));
    text += fmt::format("\n{}:\n{}\n", line.name, shell_line(line.argv));
  }
  say_warnings(house, work);
  house.reporter.answer(Json::object({{"cloud", work.cloud},
                                      {"file", file.path},
                                      {"plan", json_of(words)},
                                      {"waits", work.waits()},
                                      {"machines", machines}}),
                        text);
  return Exit::done;
}

/// What an `up` or `down` makes or removes while we look is on the host and not in what we read, or
/// the other way around. So a conflict counts when a second look finds it, too.
Exit show_plan(House& house, const CloudFile& file, const UpOptions& options) {
  try {
    return look_and_show(house, file, options);
  } catch (const Conflict&) {
    house.look_anew();
    return look_and_show(house, file, options);
  }
}

struct State {
  std::size_t all = 0, running = 0, paused = 0;
  Json machines = Json::array();
};

State state_of(House& house, const CloudSpec& spec) {
  State state;
  for (const CloudMachine& machine : spec.machines) {
    const auto row = house.registry().machine(machine.wish.name);
    ++state.all;
    if (!row) continue;
    const Seen seen = look_calmly(house, *row);
    if (seen.state == MachineState::running) ++state.running;
    if (seen.state == MachineState::paused) ++state.paused;
    state.machines.push(machine_details(house, *row, seen));
  }
  return state;
}

/// What is now, said once, also where not all came up; the lines of what was done stand before it.
void report(House& house, const CloudWork& work, const CloudFile& file,
            const std::vector<ChangeWords>& words) {
  const State state = state_of(house, file.spec);
  std::string sentence =
      state.all == 0
          ? fmt::format("{} has no machines", work.cloud)
          : fmt::format("{}: {} of its {} machine{} run{}", work.cloud,
                        state.running == state.all ? "all" : std::to_string(state.running),
                        state.all, state.all == 1 ? "" : "s",
                        state.running == 1 && state.all > 1 ? "s" : "");
  if (state.all == 1)
    sentence = fmt::format("{}: its machine {}", work.cloud,
                           state.running  ? "runs"
                           : state.paused ? "is paused"
                                          : "does not run");
  else if (state.paused)
    sentence += fmt::format(", {} {} paused", state.paused, state.paused == 1 ? "is" : "are");
  const bool nothing = !work.has_work();
  if (nothing) sentence += work.waits() ? "; the rest waits" : "; nothing was to be done";
  std::string text = text_of(words) + sentence + "\n";
  house.reporter.answer(Json::object({{"cloud", work.cloud},
                                      {"file", file.path},
                                      {"changed", !nothing},
                                      {"done", json_of(words)},
                                      {"waits", work.waits()},
                                      {"machines", state.machines}}),
                        text);
}

}  // namespace

Exit run_plan(const Parsed& args, House& house) {
  house.options.dry_run = true;
  return show_plan(house, read_cloud_file(house, args.word(0, "FILE")), options_from(args));
}

Exit run_up(const Parsed& args, House& house) {
  const UpOptions options = options_from(args);
  const std::string typed = args.word(0, "FILE");
  const CloudFile file =
      options.autostart ? file_as_applied(house, typed) : read_cloud_file(house, typed);
  if (house.dry()) return show_plan(house, file, options);
  // From here the file is a value, without a mistake that it shows by itself.
  const host::Lock lock = lock_cloud(house, file.spec.name);
  settle_cloud(house, file.spec.name);
  CloudWork work = plan_work(house, file, options);
  complete_work(house, work);
  try_what_waits(house, work, file, options);
  if (work.autostart_change) check_autostart(house, file.spec);
  // From here it is known what is to be done, and that the host can do it.
  std::vector<ChangeWords> words;
  std::vector<ErrandResult> results;
  if (work.has_work()) {
    results = apply_work(house, work, file, options.patience);
    words = words_of_work(house, work, file);
    if (work.autostart_change) follow_autostart(house, file.spec);
    if (options.start && !options.autostart) activate_autostart(house, file.spec);
  } else {
    words = words_of_work(house, work, file);
    note_lines(house, work, file);
  }
  say_warnings(house, work);
  const bool failed = std::any_of(results.begin(), results.end(),
                                  [](const ErrandResult& each) { return !each.error.empty(); });
  report(house, work, file, words);
  const bool edited = has_changed(file);
  const std::string edit =
      fmt::format("{} was changed while `up` ran; what it says now is not done, run `up` again",
                  printable(file.path));
  if (failed && edited) house.reporter.warn(edit);
  throw_failures(work.cloud, results, "did not come up");
  if (edited) throw Conflict(edit);
  return Exit::done;
}

}  // namespace nutshell
