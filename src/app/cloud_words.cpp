// Words first, lines after: a person reads what changes, and goes on to the lines if they want to.
#include "app/cloud_words.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_ranges.hpp"
#include "app/cloud_unit.hpp"
#include "app/lvm_access.hpp"
#include "app/reserve.hpp"
#include "app/start.hpp"
#include "core/cloud_rules.hpp"
#include "nutshell/plan.hpp"

namespace nutshell {
namespace {

using Action = MachineWork::Action;

std::string joined(const std::string& one, const std::string& other) {
  return one.empty() ? other : other.empty() ? one : one + "; " + other;
}

std::string words_of_machine(const MachineSpec& spec) {
  std::string text = fmt::format("{} CPU{}, {} of memory", spec.cpus, spec.cpus == 1 ? "" : "s",
                                 format_size(spec.memory));
  for (const DiskSpec& disk : spec.disks)
    text += fmt::format(", disk {}", disk.ours() ? format_size(*disk.size) : printable(disk.path));
  for (const NicSpec& nic : spec.nics) {
    if (nic.ip) text += fmt::format(", address {}", to_string(*nic.ip));
    if (nic.mac) text += fmt::format(", MAC {}", to_string(*nic.mac));
  }
  return text;
}

/// All of them; of one that waits, `at_once` chooses those that do not.
std::string words_of_changes(const MachineWork& machine, bool at_once = false) {
  std::string text;
  for (const FieldChange& change : machine.changes) {
    if (machine.waits && (change.takes == FieldChange::Takes::nothing) != at_once) continue;
    const std::string from = change.from.empty() ? "nothing" : change.from,
                      to = change.to.empty() ? "nothing" : change.to;
    text += fmt::format("{}{} {} to {}", text.empty() ? "" : ", ", change.field, from, to);
  }
  return text;
}

/// Those that come and those that go; of a new group all of them.
std::string words_of_rules(const GroupWork& group) {
  constexpr std::size_t most_told = 8;
  std::vector<std::string> words;
  const auto add = [&](const char* sign, const std::vector<GroupRule>& rules,
                       const std::vector<GroupRule>& others) {
    for (const GroupRule& rule : rules)
      if (std::find(others.begin(), others.end(), rule) == others.end())
        words.push_back(sign + rule_words(rule));
  };
  const std::vector<GroupRule> none, &had = group.had ? group.had->rules : none;
  add(group.had ? "+ " : "", group.wanted->rules, had);
  add("- ", had, group.wanted->rules);
  if (!group.had && words.empty()) return "no rules";
  if (group.had && group.had->description != group.wanted->description)
    words.emplace_back("its description");
  std::string text;
  for (std::size_t i = 0; i < std::min(words.size(), most_told); ++i)
    text += (i ? ", " : "") + words[i];
  if (words.size() > most_told) text += fmt::format(", and {} more", words.size() - most_told);
  return text;
}

std::string volumes_of(const MachineSpec& spec) {
  std::string text;
  for (const DiskSpec& disk : spec.disks)
    if (disk.ours()) text += (text.empty() ? "" : ", ") + printable(disk.path);
  return text;
}

class Teller {
 public:
  Teller(House& house, const CloudWork& work, const CloudFile& file)
      : house_(house), work_(work), file_(file) {}

  std::vector<ChangeWords> tell() {
    if (work_.is_new())
      say("+", "cloud", "", "create", fmt::format("from {}", printable(file_.path)));
    if (work_.file_moves)
      say("~", "cloud", "", "change",
          fmt::format("its file is {} now, no more {}", printable(file_.path),
                      printable(work_.row->file)));
    tell_ranges();
    for (const NetworkWork& network : work_.networks) tell(network);
    for (const GroupWork& group : work_.groups) tell(group);
    for (const std::string& bridge : work_.repairs)
      say("~", "bridge", bridge, "repair", "machines that run are cut off from it; it is repaired");
    for (const MachineWork& machine : work_.machines) tell(machine);
    if (work_.quota_change) say("~", "quota", "", "change", "its limits are changed");
    if (work_.answers_change) say("~", "answers", "", "change", "what `answers` says is changed");
    if (work_.autostart_change)
      say("~", "autostart", "", "change",
          file_.spec.autostart ? "the cloud " + words_of_autostart(house_)
                               : "the cloud does not come up by itself any more");
    return std::move(all_);
  }

 private:
  House& house_;
  const CloudWork& work_;
  const CloudFile& file_;
  std::vector<ChangeWords> all_;

  void say(const std::string& sign, const std::string& what, const std::string& name,
           const std::string& action, const std::string& detail) {
    all_.push_back({sign, what, name, action, detail});
  }

  void tell_range(const std::string& what, const std::string& had, const std::string& has) {
    if (had == has) return;
    if (had.empty())
      say("+", what, "", "create", has);
    else if (has.empty())
      say("-", what, "", "remove", had);
    else
      say("~", what, "", "change", fmt::format("{} instead of {}", has, had));
  }
  void tell_ranges() {
    if (work_.ranges_wait)
      return say("!", "ranges", "", "wait",
                 "machines run that may use what would be taken away; `up --restart` does it");
    const CloudRanges has = ranges_of(house_, work_.cloud);
    const auto publics = [](const CloudRanges& ranges) {
      return ranges.publics.empty() ? "" : words_of_publics(ranges);
    };
    const auto subnet = [](const CloudRanges& ranges) {
      return ranges.subnet ? to_string(*ranges.subnet) : "";
    };
    tell_range("public range", publics(work_.held), publics(has));
    tell_range("private subnet", subnet(work_.held), subnet(has));
  }

  void tell(const NetworkWork& network) {
    const auto row = house_.registry().network(network.name);
    const std::string place =
        row ? fmt::format("{} ({})", to_string(Ipv4Net{row->address.first(), row->address.prefix}),
                          to_string(row->mode))
            : "";
    switch (network.action) {
      case NetworkWork::Action::add: return say("+", "network", network.name, "create", place);
      case NetworkWork::Action::change:
        return say("~", "network", network.name, "change", network.change);
      case NetworkWork::Action::remove: return say("-", "network", network.name, "remove", place);
      case NetworkWork::Action::waits:
        return say("!", "network", network.name, "wait", network.change + "; " + network.reason);
    }
  }

  void tell(const GroupWork& group) {
    if (group.action == GroupWork::Action::remove)
      return say("-", "group", group.name, "remove", "");
    say(group.had ? "~" : "+", "group", group.name, group.had ? "change" : "create",
        words_of_rules(group));
  }

  void tell(const MachineWork& machine) {
    if (machine.seed_lacks)
      say("+", "seed", machine.name, "create", "its file was not there; it is made anew");
    if (machine.failed) return;
    const std::string changes = words_of_changes(machine);
    const bool starts = machine.starts && !machine.is_down;
    const std::string start = starts ? "it is started" : "";
    if (machine.action == Action::remove) {
      const std::string volumes = volumes_of(machine.row->spec);
      return say("-", "machine", machine.name, "remove",
                 fmt::format("{}it is removed{}", machine.alive ? "it is stopped, and " : "",
                             volumes.empty() ? "" : " with its volumes: " + volumes));
    }
    if (machine.action == Action::create)
      return say("+", "machine", machine.name, "create",
                 joined(words_of_machine(machine.spec), start));
    if (machine.waits) {
      if (machine.meanwhile)
        say("~", "machine", machine.name, "change", words_of_changes(machine, true));
      return say("!", "machine", machine.name, "wait",
                 changes + "; it runs, `up --restart` does it");
    }
    if (machine.restarts)
      return say("~", "machine", machine.name, "restart",
                 joined(changes, starts ? "it is stopped and started again" : "it is stopped"));
    if (machine.action == Action::change)
      return say("~", "machine", machine.name, "change", joined(changes, start));
    if (starts) say("~", "machine", machine.name, "start", start);
  }
};

}  // namespace

std::vector<ChangeWords> words_of_work(House& house, const CloudWork& work, const CloudFile& file) {
  return Teller(house, work, file).tell();
}

}  // namespace nutshell
