// Each kind of thing that could stay behind has its question here: is it ours (a mark that only
// this registry gives), and does nobody hold it?
#include "app/leftovers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/adoption.hpp"
#include "app/cloud_file.hpp"
#include "app/cloud_unit.hpp"
#include "app/firewall.hpp"
#include "app/leftovers_network.hpp"
#include "app/lost.hpp"
#include "app/lost_links.hpp"
#include "app/lvm_access.hpp"
#include "app/machine_state.hpp"
#include "app/settle.hpp"
#include "app/start.hpp"
#include "app/volume.hpp"
#include "host/dhcp.hpp"
#include "host/files.hpp"
#include "host/network.hpp"
#include "host/observe.hpp"
#include "host/unique_name.hpp"
#include "nutshell/plan.hpp"

namespace nutshell {
namespace {

namespace fs = std::filesystem;
using Kind = Leftover::Kind;

bool is_short_id(const std::string& name) {
  return name.size() == 8 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool holds_volumes(const std::string& folder) {
  for (const std::string& name : host::names_in(folder))
    if (name.starts_with("disk")) return true;
  return false;
}

void find_cut_short(House& house, std::vector<Leftover>& found) {
  for (const Unfinished& unfinished : house.registry().unfinished())
    if (!owner_lives(house, unfinished))
      found.push_back(
          {Kind::plan, fmt::format("a `{}` that was cut short", unfinished.plan.verb),
           fmt::format("in the journal, and its command (pid {}) is gone", unfinished.owner_pid),
           std::to_string(unfinished.id)});
  for (const MachineSummary& row : house.registry().summaries()) {
    const Seen seen = look_at(house, row.uuid, row.run, row.last_end);
    if (seen.uncollected && is_over(house, row.uuid))
      found.push_back({Kind::run, fmt::format("the run of {}", to_string(row.name)),
                       fmt::format("{}, and its lock is free", seen.end), row.uuid.text});
  }
}

/// True when a machine of the registry has a disk, or a layer below one, in that folder: then
/// somebody holds it, running or not.
bool named_by_a_machine(House& house, const std::string& folder) {
  const auto inside = [&](const std::string& path) {
    return path.starts_with(folder + "/") || canonical(path).starts_with(folder + "/");
  };
  for (const MachineRow& row : house.registry().machines())
    for (const DiskSpec& disk : row.spec.disks)
      if (inside(disk.path) ||
          std::any_of(disk.backing.begin(), disk.backing.end(),
                      [&](const BackingLayer& layer) { return inside(layer.path); }))
        return true;
  return false;
}

void find_folders(House& house, std::vector<Leftover>& found) {
  std::vector<std::string> short_ids, uuids;
  for (const MachineSummary& row : house.registry().summaries()) {
    uuids.push_back(row.uuid.text);
    if (row.run) short_ids.push_back(row.uuid.short_id());
  }
  for (const Uuid& uuid : unknown_living(house)) short_ids.push_back(uuid.short_id());
  const auto unknown = [](const std::vector<std::string>& known, const std::string& name) {
    return std::find(known.begin(), known.end(), name) == known.end();
  };
  for (const std::string& name : host::names_in(house.paths.machines())) {
    const auto uuid = parse_uuid(name);
    if (!uuid || !unknown(uuids, name)) continue;
    const std::string folder = house.paths.machine(*uuid);
    if (is_alive(house, *uuid) || named_by_a_machine(house, folder)) continue;
    if (std::any_of(found.begin(), found.end(), [&](const Leftover& one) {
          return one.kind == Kind::unknown_machine && one.key == name;
        }))
      continue;
    if (host::file_exists(house.paths.spec_file(*uuid))) {
      found.push_back(
          {Kind::unknown_machine, "the folder " + folder,
           "its spec.json cannot be read: once that is mended, `nutshell recover` finds "
           "its machine again",
           name});
      continue;
    }
    found.push_back({Kind::machine_folder, "the folder " + folder,
                     "no machine of the registry has it, and its lock is free", name,
                     holds_volumes(folder)});
  }
  for (const std::string& name : host::names_in(house.paths.logs))
    if (parse_uuid(name) && unknown(uuids, name) &&
        !fs::exists(house.paths.machines() + "/" + name))
      found.push_back({Kind::run_folder, "the logs " + house.paths.logs + "/" + name,
                       "no machine of the registry has them", house.paths.logs + "/" + name});
  for (const std::string& name : host::names_in(house.paths.run))
    if (is_short_id(name) && unknown(short_ids, name))
      found.push_back({Kind::run_folder, "the folder " + house.paths.run + "/" + name,
                       "no run of the registry has it", house.paths.run + "/" + name});
}

// A logical volume with the mark of a machine that this registry does not know. Its folder, where
// there is one, proves that the machine was made here (rm --keep-volumes left it); without it
// another registry of this host may have the machine, so the volume is named and never touched.
void find_logical_volumes(House& house, std::vector<Leftover>& found) {
  LvmFacts facts;
  try {
    facts = observe_all_groups(house);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    house.reporter.warn(fmt::format("volume groups are left out: {}", error.what()));
    for (Leftover& one : found)
      if (one.kind == Kind::machine_folder) one.held = "its logical volumes cannot be seen now";
    return;
  }
  for (const LogicalVolumeFact& volume : facts.volumes) {
    const std::string* tag = our_tag(volume);
    const auto mark = tag ? parse_mark(*tag) : std::nullopt;
    if (!mark || !mark->machine || house.registry().machine(mark->owner)) continue;
    const auto folder = std::find_if(found.begin(), found.end(), [&](const Leftover& one) {
      return (one.kind == Kind::machine_folder || one.kind == Kind::unknown_machine) &&
             one.key == mark->owner.text;
    });
    if (folder != found.end() && folder->kind == Kind::unknown_machine) continue;
    if (folder != found.end()) {
      const std::string word = volume.vg + "/" + volume.name;
      folder->has_volumes = true;
      folder->thing += (folder->logical.empty() ? " with the logical volumes " : ", ") + word;
      folder->logical.push_back({volume.vg, volume.name});
      for (const VolumeUser& user : users_of(house, volume.path()))
        folder->held =
            fmt::format("{} is disk {} of {}", word, user.disk, to_string(user.row.name));
      if (volume.open) folder->held = word + " is in use";
      continue;
    }
    found.push_back({Kind::lost_volume,
                     fmt::format("the logical volume {}/{}", volume.vg, volume.name),
                     fmt::format("its mark is {}, a machine that this registry does not know; "
                                 "another registry on this host may know it",
                                 *tag),
                     volume.path(),
                     true,
                     {},
                     {}});
  }
}

// Snapshots go before what they were made of.
void drop_logical(House& house, std::vector<VolumeName> volumes, const std::string& tag) {
  std::sort(volumes.begin(), volumes.end(), [](const VolumeName& one, const VolumeName& other) {
    return one.lv.size() > other.lv.size();
  });
  for (const VolumeName& name : volumes) host::drop_lv(lvm_place(house), name, tag);
}

}  // namespace

std::vector<Leftover> find_leftovers(House& house) {
  std::vector<Leftover> found;
  const std::vector<Uuid> living = unknown_living(house);
  for (const Uuid& uuid : living)
    found.push_back({Kind::unknown_machine, "a running machine, " + uuid.text,
                     "its lock is held, and the registry does not know that it runs: `nutshell "
                     "recover` finds it again",
                     uuid.text});
  for (const MachineSpec& spec : lost_machines(house))
    if (!is_alive(house, spec.uuid))
      found.push_back({Kind::unknown_machine, "the folder " + house.paths.machine(spec.uuid),
                       fmt::format("it is the machine {}, which the registry does not know: "
                                   "`nutshell recover` finds it again",
                                   to_string(spec.name)),
                       spec.uuid.text});
  find_cut_short(house, found);
  find_folders(house, found);
  find_logical_volumes(house, found);
  // What nobody in the registry uses may be used by a machine that it has forgotten.
  if (living.empty()) find_network_leftovers(house, found);
  for (const LostLink& link : lost_macvtaps(house))
    found.push_back(
        {Kind::macvtap, "the macvtap link " + link.name,
         fmt::format("its mark is {} and its MAC is that machine's, which does not run", link.mark),
         link.name});
  return found;
}

void drop_half_written(const House& house) {
  const auto parent = [](const std::string& path) { return fs::path(path).parent_path().string(); };
  std::vector<std::string> folders{
      house.paths.state, house.paths.state + "/networks", adoptions_folder(house),
      house.paths.cache, parent(unit_path(house, "any")), parent(house.paths.config_file)};
  for (const std::string& cloud : noted_clouds(house))
    folders.push_back(cloud_folder(house, cloud));
  for (const std::string& folder : folders) host::drop_temporaries(folder);
}

void drop_leftover(House& house, const Leftover& leftover) {
  switch (leftover.kind) {
    case Kind::unknown_machine:
      throw Conflict("`nutshell recover` finds it again, and nothing of it is taken away");
    case Kind::lost_volume:
      throw Conflict("another registry may know its machine; `lvremove` is for you to decide");
    case Kind::plan:
    case Kind::run: return;  // settle() has done what can be done
    case Kind::dhcp: return host::stop_dhcp(leftover.key);
    case Kind::firewall: return drop_firewall(house);
    case Kind::run_folder: return host::drop_directory(leftover.key);
    case Kind::bridge: {
      const Facts facts = observe_parts(house, host::part::links);
      if (const LinkFact* link = facts.link(leftover.key))
        host::drop_bridge({link->name, {}, link->mac, link->alias});
      return;
    }
    case Kind::macvtap: return drop_lost_macvtap(house, leftover.key);
    case Kind::machine_folder: {
      const Uuid uuid{leftover.key};
      for (const std::string& name : host::names_in(house.paths.machine(uuid)))
        if (name.starts_with("disk")) host::drop_volume(house.paths.machine(uuid) + "/" + name);
      drop_logical(house, leftover.logical, machine_tag(uuid));
      host::drop_directory(house.paths.log_dir(uuid));
      host::drop_directory(house.paths.machine(uuid));
      return;
    }
  }
}

}  // namespace nutshell
