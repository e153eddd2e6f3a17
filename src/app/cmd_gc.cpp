// gc: first what the journal and the runs say, then what only marks say; each with its evidence.
// Never a volume, unless told.
#include <fmt/format.h>

#include "app/cmd.hpp"
#include "app/firewall_kept.hpp"
#include "app/guard.hpp"
#include "app/leftovers.hpp"
#include "app/settle.hpp"
#include "host/tool.hpp"

namespace nutshell {
namespace {

/// Names of machines whose rules somebody took away; they are put in again, but in a dry run.
std::vector<std::string> put_back_rules(House& house, std::vector<std::string>& failed) {
  if (!house.root || !host::find_program("nft") || firewall_is_of_later_day(house)) return {};
  try {
    std::vector<std::string> names = unguarded_machines(house);
    if (!names.empty() && !house.dry()) restore_guests(house);
    return names;
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    failed.push_back(fmt::format("firewall rules: {}", error.what()));
    return {};
  }
}

}  // namespace

Exit run_gc(const Parsed& args, House& house) {
  const std::vector<Leftover> before =
      house.dry() ? find_leftovers(house) : std::vector<Leftover>{};
  const Settled settled = settle(house);
  if (!house.dry()) drop_half_written(house);
  Json done = Json::array(), left = Json::array();
  std::string text;
  for (const std::string& words : settled.done) {
    done.push(Json::object({{"thing", words}, {"evidence", "the journal"}}));
    text += words + "\n";
  }
  std::vector<std::string> failed = settled.leftovers;
  for (const std::string& name : put_back_rules(house, failed)) {
    const std::string thing = "the firewall rules of " + name;
    done.push(
        Json::object({{"thing", thing}, {"evidence", "it runs, and nft does not show them"}}));
    text += fmt::format("{} {}\n", house.dry() ? "would put back" : "put back", thing);
  }
  for (const Leftover& leftover : house.dry() ? before : find_leftovers(house)) {
    const Json item = Json::object({{"thing", leftover.thing}, {"evidence", leftover.evidence}});
    if (leftover.kind == Leftover::Kind::unknown_machine ||
        leftover.kind == Leftover::Kind::lost_volume) {
      left.push(item);
      text += fmt::format("kept: {} ({})\n", leftover.thing, leftover.evidence);
      continue;
    }
    if (!leftover.held.empty()) {
      left.push(Json::object(
          {{"thing", leftover.thing}, {"evidence", leftover.evidence + "; " + leftover.held}}));
      text += fmt::format("kept: {} ({}); {}\n", leftover.thing, leftover.evidence, leftover.held);
      continue;
    }
    if (leftover.has_volumes && !args.has("volumes")) {
      left.push(item);
      text += fmt::format("kept: {} ({}); it holds volumes: `nutshell gc --volumes` deletes them\n",
                          leftover.thing, leftover.evidence);
      continue;
    }
    try {
      if (!house.dry()) drop_leftover(house, leftover);
      done.push(item);
      text += fmt::format("{} {} ({})\n", house.dry() ? "would remove" : "removed", leftover.thing,
                          leftover.evidence);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      failed.push_back(fmt::format("{}: {}", leftover.thing, error.what()));
    }
  }
  if (text.empty() && failed.empty()) text = "nothing was left behind\n";
  house.reporter.answer(Json::object({{"removed", done}, {"kept", left}}), text);
  if (failed.empty()) return Exit::done;
  std::string sentence = "not everything could be put right:";
  for (const std::string& words : failed) sentence += "\n  " + words;
  throw Error(Exit::left_behind, sentence);
}

}  // namespace nutshell
