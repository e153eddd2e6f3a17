// setup: what an ordinary host lacks is written, each change shown first and recorded with its
// inverse before it is made, so that --undo finds it whatever happened in between. A setup that
// fails takes back what it has made itself; what somebody's use keeps from being taken back stays
// in the record.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "app/cmd.hpp"
#include "app/interrupt.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/setup.hpp"

namespace nutshell {
namespace {

constexpr auto lock_patience = std::chrono::seconds(60);
constexpr int most_interrupts = 20;

using Changes = std::vector<SetupChange>;

std::string record_file(const House& house) { return house.paths.state + "/setup.json"; }

Changes read_record(const House& house) {
  Changes changes;
  const auto text = host::read_file(record_file(house), 16 * mebi);
  if (!text) return changes;
  try {
    const Json json = Json::parse(*text);
    for (const Json& each : json.at("changes").as_array())
      changes.push_back(setup_change_from_json(each));
  } catch (const Error& error) {
    throw Failed(fmt::format(
        "{0} is damaged, which has what setup changed on this host ({1}); bring it back from a "
        "backup, or move it away: then setup begins a new one, and --undo knows of nothing before",
        record_file(house), error.what()));
  }
  return changes;
}

void write_record(const House& house, const Changes& changes) {
  if (changes.empty()) return host::drop_file(record_file(house));
  Json list = Json::array();
  for (const SetupChange& change : changes) list.push(to_json(change));
  host::write_file(record_file(house), Json::object({{"changes", list}}).dump(true) + "\n");
}

Json change_json(const SetupChange& change) {
  return Json::object({{"description", change.words},
                       {"path", change.path.empty() ? Json() : Json(change.path)},
                       {"name", change.name.empty() ? Json() : Json(change.name)}});
}

/// What a file gets that it had not, each line with a plus before it.
std::string added_lines(const SetupChange& change) {
  if (change.kind != SetupChange::Kind::file) return "";
  const std::string before = change.before.value_or("");
  std::string added =
      change.after.starts_with(before) ? change.after.substr(before.size()) : change.after;
  std::string text;
  for (std::size_t at = 0; at < added.size();) {
    const std::size_t end = std::min(added.find('\n', at), added.size());
    if (end > at) text += "    + " + added.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return text;
}

void report(const House& house, const char* verb, const Changes& changes,
            const std::vector<std::string>& remarks, const std::string& nothing) {
  Json list = Json::array(), left = Json::array();
  std::string text;
  for (const SetupChange& change : changes) {
    list.push(change_json(change));
    text += fmt::format("{}{}\n{}", verb, change.words, added_lines(change));
  }
  for (const std::string& remark : remarks) {
    left.push(remark);
    text += remark + "\n";
  }
  house.reporter.answer(Json::object({{"changes", list}, {"remarks", left}}),
                        text.empty() ? nothing + "\n" : text);
}

struct TakenBack {
  Changes taken, kept;
  std::vector<std::string> remarks;  ///< of what was taken, and why the others were kept
};

enum class OnInterrupt { stop, go_on };

/// The last first; what cannot be is kept in the record, after what is older.
TakenBack take_back(House& house, const Changes& older, Changes changes, OnInterrupt on_interrupt) {
  TakenBack result;
  int again = most_interrupts;
  // A module is loaded last: what it is loaded with has to be taken back before.
  std::stable_partition(changes.begin(), changes.end(), [](const SetupChange& change) {
    return change.kind == SetupChange::Kind::module;
  });
  while (!changes.empty()) {
    if (on_interrupt == OnInterrupt::stop && interrupted())
      throw Interrupted("interrupted; `nutshell setup --undo` again takes the rest back");
    try {
      if (const auto remark = host::take_back(changes.back())) result.remarks.push_back(*remark);
      result.taken.push_back(changes.back());
    } catch (const Error& error) {
      if (on_interrupt == OnInterrupt::stop && interrupted()) continue;
      // Ctrl-C once more ends the tool that was at work, and not the way back.
      if (error.exit() == Exit::interrupted && again-- > 0) continue;
      result.kept.push_back(changes.back());
      result.remarks.emplace_back(error.what());
    }
    changes.pop_back();
    Changes record = older;
    record.insert(record.end(), changes.begin(), changes.end());
    record.insert(record.end(), result.kept.rbegin(), result.kept.rend());
    write_record(house, record);
  }
  return result;
}

Exit undo(House& house) {
  const Changes changes = read_record(house);
  const std::string nothing = "there is nothing to undo";
  if (house.dry()) {
    report(house, "would take back: ", Changes(changes.rbegin(), changes.rend()), {}, nothing);
    return Exit::done;
  }
  const TakenBack result = take_back(house, {}, changes, OnInterrupt::stop);
  report(house, "taken back: ", result.taken, result.remarks, nothing);
  return result.kept.empty() ? Exit::done : Exit::left_behind;
}

/// Throws what is to be said of a setup that failed, after what it has made is taken back.
[[noreturn]] void give_up(House& house, const Changes& older, const Changes& made,
                          const SetupChange& at, const Error& error) {
  const TakenBack result = take_back(house, older, made, OnInterrupt::go_on);
  const bool by_hand = error.exit() == Exit::interrupted;
  if (by_hand && result.kept.empty()) throw Interrupted();
  const std::string why = by_hand ? "setup was interrupted"
                                  : fmt::format("setup could not {}: {}", at.words, error.what());
  if (result.kept.empty()) throw Error(error.exit(), why + "; what it had done before is undone");
  throw Error(Exit::left_behind,
              fmt::format("{}; of what it had done, this is left ({}): `nutshell setup --undo` "
                          "takes it back",
                          why, result.remarks.back()));
}

SetupWish wish_of(const Parsed& args) {
  SetupWish wish;
  for (const std::string& bridge : args.values("bridge")) {
    if (!is_interface_name(bridge))
      throw UsageError(fmt::format("--bridge '{}' is no name of a bridge", printable(bridge)));
    // To the helper it means every bridge there is, and to the kernel it is no name at all.
    if (bridge == "all" || bridge == "default")
      throw UsageError(fmt::format("--bridge {} is no bridge; name each bridge", bridge));
    if (std::find(wish.bridges.begin(), wish.bridges.end(), bridge) == wish.bridges.end())
      wish.bridges.push_back(bridge);
  }
  wish.user = args.value("user").value_or("");
  if (wish.user.find_first_of("/ \n") != std::string::npos || wish.user.starts_with("."))
    throw UsageError(fmt::format("--user '{}' is no name of a user", printable(wish.user)));
  if (args.has("user") && wish.bridges.empty() && !args.has("undo"))
    throw UsageError("--user says who may use a bridge; say which with --bridge");
  return wish;
}

}  // namespace

Exit run_setup(const Parsed& args, House& house) {
  const SetupWish wish = wish_of(args);
  if (args.has("undo") && (!wish.bridges.empty() || args.has("user")))
    throw UsageError("--undo takes back all that setup did; leave --bridge and --user out");
  if (!house.root && !house.dry())
    throw Failed("setup changes this host, which root may do; run it with sudo");
  std::optional<host::Lock> lock;
  if (!house.dry()) {
    host::make_directories(house.paths.state);
    lock = host::Lock::exclusive(house.paths.state + "/setup.lock", lock_patience, "setup");
  }
  if (args.has("undo")) return undo(house);
  const SetupPlan plan = plan_setup(wish, host::observe_setup(wish));
  const std::string nothing = "this host has all that setup gives it";
  if (house.dry()) {
    report(house, "would ", plan.changes, plan.remarks, nothing);
    return Exit::done;
  }
  const Changes older = read_record(house);
  Changes record = older, made;
  std::vector<std::string> remarks = plan.remarks;
  bool short_of_it = false;
  for (const SetupChange& change : plan.changes) {
    try {
      check_interrupt();
      house.reporter.step(change.words);
      made.push_back(change);
      record.push_back(change);
      write_record(house, record);
      host::make_change(change);
      if (std::string lack = host::lack_after(change); !lack.empty()) {
        remarks.push_back(std::move(lack));
        short_of_it = true;
      }
    } catch (const Error& error) {
      // The last of all, and nothing hangs on it: what else was done serves without.
      if (change.kind == SetupChange::Kind::module && error.exit() != Exit::interrupted) {
        remarks.push_back(
            fmt::format("{} could not be loaded anew: {}; when it can be, run "
                        "`modprobe -r {} && modprobe {}`",
                        change.name, error.what(), change.name, change.name));
        short_of_it = true;
        continue;
      }
      // An account that could not be made may be somebody else's.
      if (error.exit() != Exit::interrupted && !made.empty() &&
          (change.kind == SetupChange::Kind::user || change.kind == SetupChange::Kind::group))
        made.pop_back();
      house.reporter.steps_over();
      give_up(house, older, made, change, error);
    }
  }
  house.reporter.steps_over();
  report(house, "", plan.changes, remarks, nothing);
  return short_of_it ? Exit::left_behind : Exit::done;
}

}  // namespace nutshell
