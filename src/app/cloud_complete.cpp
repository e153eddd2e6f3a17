// From wishes to complete specs. Every mistake of every machine is told at once, at the line of the
// file that it comes from.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "app/change.hpp"
#include "app/cloud_after.hpp"
#include "app/cloud_facts.hpp"
#include "app/cloud_quota.hpp"
#include "app/cloud_work.hpp"
#include "app/complete.hpp"
#include "app/lost.hpp"
#include "app/lvm_access.hpp"
#include "app/machine_options.hpp"
#include "app/reserve.hpp"
#include "app/start.hpp"
#include "host/observe.hpp"

namespace nutshell {
namespace {

/// The line that a mistake in the words of an option comes from.
std::string line_of(const MachineSpec& spec, const std::string& where, const std::string& what) {
  if (!where.starts_with("--")) return where;
  const std::string field = where.substr(2);
  const auto found = [&](const std::string& key) -> const std::string* {
    const auto at = spec.origins.find(key);
    return at == spec.origins.end() ? nullptr : &at->second;
  };
  if (field == "nic")
    for (std::size_t i = 0; i < spec.nics.size(); ++i) {
      const NicSpec& nic = spec.nics[i];
      for (const std::string& name : {nic.bridge, nic.network, nic.uplink})
        if (!name.empty() && what.find(name) != what.npos)
          if (const auto* line = found(fmt::format("nic.{}", i))) return *line;
    }
  if (field == "disk")
    for (std::size_t i = 0; i < spec.disks.size(); ++i)
      if (!spec.disks[i].path.empty() && what.find(spec.disks[i].path) != what.npos)
        if (const auto* line = found(fmt::format("disk.{}", i))) return *line;
  for (const std::string& key : {field, field + ".0", std::string("name")})
    if (const auto* line = found(key)) return *line;
  return to_string(spec.name);
}

/// A hint that names an option, for a reader who writes a key.
std::string in_keys(std::string what) {
  for (const auto& [option, key] :
       {std::pair{"leave --nic out", "leave it out of nics"}, std::pair{"--nic user", "\"user\""},
        std::pair{"--nic bridge=BR", "\"bridge=BR\""},
        std::pair{"--firmware bios", "firmware = \"bios\""}})
    if (const auto at = what.find(option); at != what.npos)
      what.replace(at, std::string_view(option).size(), key);
  return what;
}

/// A mistake that names its option itself, as "--vnc-password-file: ...".
Problem problem_of(const Error& error) {
  const std::string text = error.what();
  const auto colon = text.find(": ");
  if (!text.starts_with("--") || text.find(' ') < colon) return {"--disk", text};
  return {text.substr(0, colon), text.substr(colon + 2)};
}

class Completer {
 public:
  Completer(House& house, CloudWork& work) : house_(house), work_(work) {
    for (const NetworkWork& network : work.networks)
      if (network.wanted && network.action != NetworkWork::Action::waits) {
        NetworkRow row;
        row.name = network.name;
        row.mode = network.wanted->mode;
        row.mtu = network.wanted->mtu;
        coming_.push_back(row);
      }
  }

  void run() {
    observe();
    problems_ = faults_of_after(work_);
    for (MachineWork& machine : work_.machines) {
      if (machine.action == MachineWork::Action::create) complete_new(machine);
      if (machine.is_changed()) complete_changed(machine);
      if (machine.restarts && !machine.is_changed()) check_unchanged_spec(machine);
    }
    for (const NetworkWork& network : work_.networks)
      if (network.action == NetworkWork::Action::change) check_others_on(network);
    if (!problems_.empty()) throw ConfigError(problems_);
  }

 private:
  House& house_;
  CloudWork& work_;
  std::vector<NetworkRow> coming_;
  Problems problems_;
  std::map<std::string, Facts> by_qemu_;

  void observe() {
    work_.facts = observe_for_create(house_, {});
    add_other_ranges(house_, work_.facts, work_.cloud);
    // One look for all of them: what it asks the wire is asked at once.
    MachineSpec all;
    for (const MachineWork& machine : work_.machines)
      if (machine.action == MachineWork::Action::create)
        all.nics.insert(all.nics.end(), machine.wanted->wish.nics.begin(),
                        machine.wanted->wish.nics.end());
    probe_wanted_addresses(house_, all, work_.facts);
  }

  const Facts& facts_for(const MachineSpec& spec) {
    if (spec.qemu.empty()) return work_.facts;
    auto found = by_qemu_.find(spec.qemu);
    if (found == by_qemu_.end()) {
      Facts facts = work_.facts;
      Facts qemu = observe_parts(house_, host::part::qemu, spec.qemu);
      facts.qemu = qemu.qemu;
      facts.qemu_trouble = qemu.qemu_trouble;
      found = by_qemu_.emplace(spec.qemu, std::move(facts)).first;
    }
    return found->second;
  }

  void complain(const MachineWork& machine, const MachineSpec& spec, const Problems& problems) {
    for (const Problem& problem : problems) {
      const Problem told{line_of(spec, problem.where, problem.what),
                         fmt::format("{}: {}", machine.name, in_keys(problem.what))};
      if (std::find(problems_.begin(), problems_.end(), told) == problems_.end())
        problems_.push_back(told);
    }
  }

  /// What complete_spec() would throw at the first of.
  void check_files(const MachineSpec& spec, Problems& problems) {
    for (const auto& [path, where] :
         {std::pair{spec.cdrom, "--cdrom"}, {spec.kernel, "--kernel"}, {spec.initrd, "--initrd"}}) {
      if (path.empty()) continue;
      try {
        check_iso(path, where);
      } catch (const Error& error) {
        const std::string text = error.what(), head = std::string(where) + ": ";
        problems.push_back({where, text.starts_with(head) ? text.substr(head.size()) : text});
      }
    }
  }

  void check_groups(const MachineSpec& spec, Problems& problems) {
    for (const std::string& group : spec.groups) {
      const auto is_it = [&](const GroupWork& each) {
        return each.name == group && each.action == GroupWork::Action::put;
      };
      const auto rows = house_.registry().groups();
      const auto is_row = [&](const GroupRow& row) {
        return row.cloud == work_.cloud && row.name == group;
      };
      if (std::any_of(work_.groups.begin(), work_.groups.end(), is_it) ||
          std::any_of(rows.begin(), rows.end(), is_row))
        continue;
      problems.push_back({"--groups", fmt::format("there is no security group {}; declare it with "
                                                  "[[group]]",
                                                  printable(group))});
    }
  }

  [[nodiscard]] bool leads_out(const NicSpec& nic) const {
    if (nic.kind != NicKind::network) return false;
    auto row = house_.registry().network(nic.network);
    for (const NetworkRow& each : coming_)
      if (each.name == nic.network) row = each;
    return !row || row->mode != NetworkMode::isolated;
  }

  void check_publish(const MachineSpec& spec, Problems& problems) {
    if (!spec.publish.empty() && std::none_of(spec.nics.begin(), spec.nics.end(),
                                              [&](const NicSpec& nic) { return leads_out(nic); }))
      problems.push_back({"--publish",
                          "ports are published on a NIC on a managed network that "
                          "leads out, and it has none; add \"network=NAME\" to its "
                          "nics, or leave publish out"});
  }

  void complete(const MachineWork& machine, MachineSpec& spec, const MachineSpec* before) {
    Problems problems;
    std::vector<std::string> warnings;
    check_files(spec, problems);
    check_groups(spec, problems);
    try {
      complete_volumes(house_, spec, before, problems, warnings);
      if (before) name_new_volumes(house_, *before, spec);
      complete_spec(house_, facts_for(spec), spec, problems, warnings, coming_);
      check_publish(spec, problems);
    } catch (const Conflict&) {
      throw;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      problems.push_back(problem_of(error));
    }
    complain(machine, spec, problems);
    for (const std::string& warning : warnings)
      work_.warnings.push_back(fmt::format("{}: {}", machine.name, warning));
  }

  void complete_new(MachineWork& machine) {
    machine.spec = machine.wanted->wish;
    MachineSpec& spec = machine.spec;
    spec.uuid = draw_uuid();
    require_vnc_password(spec.vnc);
    complete(machine, spec, nullptr);
  }

  void complete_changed(MachineWork& machine) {
    machine.spec = merged(machine.row->spec, *machine.before,
                          machine.meanwhile ? *machine.meanwhile : *machine.wanted);
    require_vnc_password(machine.spec.vnc);
    complete(machine, machine.spec, &machine.row->spec);
  }

  /// Those that are not in the file are not restarted, and have to go on as they are.
  void check_others_on(const NetworkWork& network) {
    for (const MachineRow& row : house_.registry().machines()) {
      if (std::any_of(work_.machines.begin(), work_.machines.end(), [&](const MachineWork& each) {
            return each.row && each.row->uuid == row.uuid;
          }))
        continue;
      const auto complain_of = [&](const std::string& what) {
        problems_.push_back(
            {network.wanted->origin, fmt::format("{}, which is not in the file, {}; change it with "
                                                 "`nutshell set` first",
                                                 to_string(row.name), what)});
      };
      bool is_on = false;
      for (const NicSpec& nic : row.spec.nics) {
        if (nic.kind != NicKind::network || nic.network != network.name) continue;
        is_on = true;
        if (nic.mtu > network.wanted->mtu)
          complain_of(fmt::format("has a NIC there with an MTU of {}", nic.mtu));
      }
      if (is_on && !row.spec.publish.empty() &&
          std::none_of(row.spec.nics.begin(), row.spec.nics.end(),
                       [&](const NicSpec& nic) { return leads_out(nic); }))
        complain_of("publishes ports by it, and could not");
    }
  }

  void check_unchanged_spec(const MachineWork& machine) {
    MachineSpec spec = machine.row->spec;
    const auto said = work_.warnings;
    complete(machine, spec, &machine.row->spec);
    work_.warnings = said;
  }
};

std::uint64_t publics_of(const CloudSpec& wanted) {
  return wanted.public_range.count + size_of(wanted.public_range.ranges);
}

/// A quota that was lowered ends nothing that is there, but a file that asks for more than it
/// allows itself is refused as one of a new cloud is.
void refuse_more_than_own_quota(const House& house, const CloudSpec& wanted) {
  Usage usage;
  for (const CloudMachine& machine : wanted.machines) {
    MachineSpec wish = machine.wish;
    if (house.config.memory && !wish.origins.contains("memory")) wish.memory = *house.config.memory;
    add_usage(usage, wish);
  }
  usage.addresses = static_cast<unsigned>(publics_of(wanted));
  refuse_over_quota(wanted.name, usage, *wanted.quota);
}

}  // namespace

void complete_work(House& house, CloudWork& work) { Completer(house, work).run(); }

void check_quota_of_work(House& house, const CloudWork& work, const CloudSpec& wanted) {
  const auto quota = wanted.quota ? wanted.quota : house.config.quota;
  if (!quota) return;
  if (wanted.quota && work.quota_change) refuse_more_than_own_quota(house, wanted);
  Usage usage;
  for (const MachineWork& machine : work.machines) {
    if (!machine.wanted) continue;
    add_usage(usage, machine.action == MachineWork::Action::nothing || machine.waits
                         ? machine.row->spec
                         : machine.spec);
  }
  for (const MachineRow& row : house.registry().machines()) {
    if (row.name.cloud != work.cloud) continue;
    const auto known = [&](const MachineWork& machine) { return machine.name == row.name.name; };
    if (std::none_of(work.machines.begin(), work.machines.end(), known))
      add_usage(usage, row.spec);  // made by hand
  }
  std::uint64_t publics = publics_of(wanted);
  if (work.ranges_wait) publics = std::max(publics, work.held.addresses());
  usage.addresses = static_cast<unsigned>(publics + addresses_beside_range(house, work.cloud));
  refuse_over_quota(work.cloud, usage,
                    limits_that_count(*quota, usage, usage_of(house, work.cloud)));
}

}  // namespace nutshell
