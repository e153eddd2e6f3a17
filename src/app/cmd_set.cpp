// set: changes a machine that is defined. What takes effect when is said.
#include <fmt/format.h>

#include <algorithm>

#include "app/change.hpp"
#include "app/cmd.hpp"
#include "app/complete.hpp"
#include "app/guard.hpp"
#include "app/lvm_access.hpp"
#include "app/machine_options.hpp"
#include "app/machine_state.hpp"
#include "app/settle.hpp"
#include "app/start.hpp"

namespace nutshell {
namespace {

// Origins are keyed by index, so they move down with what comes after.
void shift_origins(Origins& origins, const std::string& kind, std::size_t removed,
                   std::size_t count) {
  for (std::size_t i = removed; i < count; ++i) {
    for (const char* suffix : {"", ".mac"}) {
      const std::string here = fmt::format("{}.{}{}", kind, i, suffix),
                        next = fmt::format("{}.{}{}", kind, i + 1, suffix);
      if (const auto found = origins.find(next); found != origins.end())
        origins[here] = found->second;
      else
        origins.erase(here);
    }
  }
}

void drop_indexed(Change& change, const Parsed& args, Problems& problems) {
  MachineSpec& spec = change.after;
  if (const auto text = args.value("drop-disk")) {
    if (spec.disks.empty())
      problems.push_back({"--drop-disk", "the machine has no disk"});
    else if (const unsigned index = parse_number(
                 *text, "--drop-disk", 0, static_cast<unsigned>(spec.disks.size() - 1), problems);
             problems.empty()) {
      if (spec.disks[index].ours()) change.removed.push_back(spec.disks[index]);
      shift_origins(spec.origins, "disk", index, spec.disks.size());
      spec.disks.erase(spec.disks.begin() + index);
    }
  }
  if (const auto text = args.value("drop-nic")) {
    if (spec.nics.empty())
      problems.push_back({"--drop-nic", "the machine has no NIC"});
    else if (const unsigned index = parse_number(
                 *text, "--drop-nic", 0, static_cast<unsigned>(spec.nics.size() - 1), problems);
             problems.empty()) {
      shift_origins(spec.origins, "nic", index, spec.nics.size());
      spec.nics.erase(spec.nics.begin() + index);
      spec.origins["nic"] = "option --drop-nic";  // no NIC at all is then what was asked for
    }
  }
}

void drop_firewall_words(MachineSpec& spec, const Parsed& args, Problems& problems) {
  for (const std::string& group : args.values("drop-group"))
    if (std::erase(spec.groups, group) == 0)
      problems.push_back(
          {"--drop-group", fmt::format("the machine is not in a group {}", printable(group))});
  for (const std::string& key : args.values("drop-tag"))
    if (spec.tags.erase(key) == 0)
      problems.push_back({"--drop-tag", fmt::format("the machine has no tag {}", printable(key))});
  for (const std::string& text : args.values("drop-publish")) {
    const PublishedPort port = parse_publish(text, "--drop-publish", problems);
    if (port.port && std::erase(spec.publish, port) == 0)
      problems.push_back(
          {"--drop-publish", fmt::format("the machine does not publish {}", to_string(port))});
  }
}

}  // namespace

Exit run_set(const Parsed& args, House& house) {
  const MachineRow row = settled_machine(house, find_machine(house, args.word(0, "NAME")));
  if (args.options.empty() && args.rest.empty())
    throw UsageError("`nutshell set` wants at least one option; see `nutshell set --help`");
  for (const char* fixed : {"cloud", "firmware"})
    if (args.has(fixed))
      throw UsageError(fmt::format("--{} cannot be changed afterwards; make a new machine", fixed));
  const auto nics = args.values("nic");
  if (!row.spec.nics.empty() && std::find(nics.begin(), nics.end(), "none") != nics.end())
    throw UsageError(
        fmt::format("--nic adds a NIC, and none takes none away; `nutshell set {} --drop-nic 0` "
                    "drops the first "
                    "of its {}",
                    to_string(row.name), row.spec.nics.size()));
  Change change{row.spec, {}, args.has("boot")};
  Problems problems;
  drop_indexed(change, args, problems);
  drop_firewall_words(change.after, args, problems);
  if (problems.empty()) apply_options(change.after, args, problems);
  if (!problems.empty()) throw ConfigError(problems);
  std::vector<std::string> warnings;
  complete_volumes(house, change.after, &row.spec, problems, warnings);
  name_new_volumes(house, row.spec, change.after);
  const Facts facts = observe_for_create(house, change.after);
  complete_spec(house, facts, change.after, problems, warnings);
  if (!problems.empty()) throw ConfigError(problems);
  for (const std::string& warning : warnings) house.reporter.warn(warning);
  const bool running = is_alive(house, row.uuid);
  if (running && (args.has("drop-disk") || args.has("drop-nic")))
    throw Conflict(fmt::format("{} is running and uses it; stop it before you take {} away",
                               to_string(row.name),
                               args.has("drop-disk") ? "a disk" : "a NIC with its leases"));
  check_droppable(house, row.spec, change.removed, running, "");
  check_guard(house, change.after);
  change_machine(house, row, std::move(change), facts);
  if (!house.dry())
    house.reporter.done(
        fmt::format("{} is changed; {}", to_string(row.name),
                    running ? "it takes effect at its next start (`nutshell restart` makes one)"
                            : "it takes effect at its next start"));
  return Exit::done;
}

}  // namespace nutshell
