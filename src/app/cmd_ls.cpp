// ls: every machine on a line. It has 15 ms for a thousand of them, so no spec is parsed unless
// JSON is asked for.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "app/cmd.hpp"
#include "app/lost.hpp"
#include "app/machine_json.hpp"
#include "app/settle.hpp"
#include "host/files.hpp"
#include "host/outer.hpp"

namespace nutshell {
namespace {

/// Goes on behind the next `key`; false where there is none. (std::string_view::find() looks for
/// the first character of a key alone, which for '"' is the slowest way through JSON.)
bool skip_past(std::string_view& text, std::string_view key) {
  const void* found = ::memmem(text.data(), text.size(), key.data(), key.size());
  if (found)
    text.remove_prefix(static_cast<std::size_t>(static_cast<const char*>(found) - text.data()) +
                       key.size());
  return found != nullptr;
}

/// The addresses in a spec's JSON text, without parsing it: to_json() writes them as
/// "ip":"ADDRESS".
std::string addresses_in(const std::string& spec_json) {
  static constexpr std::string_view key = "\"ip\":\"";
  std::string found;
  for (auto rest = std::string_view(spec_json); skip_past(rest, key);)
    found.append(found.empty() ? "" : ",").append(rest.substr(0, rest.find('"')));
  return found;
}

bool uses_unix_vnc(const std::string& spec_json) {
  return spec_json.find("\"mode\":\"unix\"") != std::string::npos;
}

struct TagFilter {
  std::string key;
  std::optional<std::string> value;  ///< nullopt: any
};

std::vector<TagFilter> filters_from(const Parsed& args) {
  std::vector<TagFilter> filters;
  for (const std::string& text : args.values("tag")) {
    const auto equals = text.find('=');
    std::map<std::string, std::string> read;
    Problems problems;
    parse_tag(equals == text.npos ? text + "=" : text, "--tag", read, problems);
    if (!problems.empty()) throw ConfigError(problems);
    filters.push_back({text.substr(0, equals), std::nullopt});
    if (equals != text.npos) filters.back().value = text.substr(equals + 1);
  }
  return filters;
}

bool has_tags(const MachineSummary& summary, const std::vector<TagFilter>& filters) {
  const auto tags = spec_from_json(Json::parse(summary.spec_json)).tags;
  return std::all_of(filters.begin(), filters.end(), [&](const TagFilter& filter) {
    const auto found = tags.find(filter.key);
    return found != tags.end() && (!filter.value || found->second == *filter.value);
  });
}

struct Listed {
  JsonList list{"machines"};
  Table table{{"NAME", "STATE", "CPUS", "MEMORY", "ADDRESS", "VNC"}, {}};
  std::size_t rows = 0;
  bool doubtful = false;  ///< a run seems to be over, and had not been when all were looked at
};

Listed list_machines(House& house, const std::optional<std::string>& cloud,
                     const std::vector<TagFilter>& filters, unsigned depth) {
  const Settled settled = settle(house);
  Listed listed;
  listed.list.member("depth", depth);
  house.registry().each_summary([&](const MachineSummary& summary) {
    ++listed.rows;
    if (cloud && summary.name.cloud != *cloud) return;
    if (!filters.empty() && !has_tags(summary, filters)) return;
    Seen seen = look_at(house, summary.uuid, summary.run, summary.last_end);
    const bool busy =
        std::find(settled.busy.begin(), settled.busy.end(), summary.uuid) != settled.busy.end();
    listed.doubtful = listed.doubtful || (seen.uncollected && !busy);
    if (seen.uncollected && busy)
      seen = look_at(house, summary.uuid, std::nullopt, summary.last_end);
    seen.words = seen.words.substr(0, seen.words.find(':'));  // `show` says how it ended
    if (seen.uncollected) seen.words += " (not yet collected)";
    if (busy) seen.words += " (a command is at work on it)";
    if (house.reporter.json()) {
      listed.list.push(
          machine_json(house, summary, spec_from_json(Json::parse(summary.spec_json)), seen));
      return;
    }
    const auto run = seen.state == MachineState::running || seen.state == MachineState::paused
                         ? summary.run
                         : std::nullopt;
    const VncMode mode = run && !run->display && uses_unix_vnc(summary.spec_json)
                             ? VncMode::unix_socket
                             : VncMode::automatic;
    const std::string address = addresses_in(summary.spec_json),
                      vnc = vnc_words(house, summary.uuid, mode, run);
    listed.table.rows.push_back({to_string(summary.name), house.reporter.state(seen.words),
                                 std::to_string(summary.cpus), format_size(summary.memory),
                                 address.empty() ? "-" : address, vnc.empty() ? "-" : vnc});
  });
  return listed;
}

}  // namespace

Exit run_ls(const Parsed& args, House& house) {
  constexpr int most_looks = 4;  // a machine that is being started or stopped is soon either
  const std::vector<TagFilter> filters = filters_from(args);
  const auto cloud = args.value("cloud");
  const unsigned depth = host::observe_outer() ? host::observe_outer()->depth : 0;
  Listed listed = list_machines(house, cloud, filters, depth);
  for (int looks = 1; listed.doubtful && looks < most_looks; ++looks)
    listed = list_machines(house, cloud, filters, depth);
  if (depth != 0)
    house.reporter.note(
        fmt::format("this box is a machine of nutshell's itself, at depth {}", depth));
  const bool says_none = listed.table.rows.empty() && !house.reporter.json();
  if (says_none && (cloud || !filters.empty())) {
    house.reporter.note("no machine is so");
    return Exit::done;
  }
  if (host::names_in(house.paths.machines()).size() > listed.rows) warn_of_lost(house);
  warn_of_unknown_runs(house);
  if (says_none) {
    house.reporter.note(
        "no machines yet; `nutshell launch NAME --cdrom ISO --disk SIZE` makes one");
    return Exit::done;
  }
  house.reporter.answer(listed.list, listed.table);
  return Exit::done;
}

}  // namespace nutshell
