// The machines of a cloud: each entry of the file made into as many as it counts, and what two of
// them cannot both have.
#include <fmt/format.h>

#include <map>

#include "core/cloud_parts.hpp"

namespace nutshell {
namespace {

constexpr std::uint64_t most_machines = 4000;

/// What only one machine can have, in words, with the field that asks for it.
std::vector<std::pair<std::string, std::string>> own_things(const MachineSpec& wish) {
  std::vector<std::pair<std::string, std::string>> things;
  for (std::size_t i = 0; i < wish.nics.size(); ++i) {
    const NicSpec& nic = wish.nics[i];
    const std::string field = "nic." + std::to_string(i);
    if (nic.mac) things.emplace_back("the MAC " + to_string(*nic.mac), field);
    if (nic.ip && nic.is_bridged())
      things.emplace_back(fmt::format("the address {} on {}", to_string(*nic.ip),
                                      nic.kind == NicKind::bridge ? nic.bridge : nic.network),
                          field);
  }
  for (const PublishedPort& port : wish.publish)
    things.emplace_back("the host's port " + outside_of(port), "publish");
  if (wish.vnc.mode == VncMode::fixed)
    things.emplace_back(fmt::format("the VNC display {}", wish.vnc.display), "vnc");
  for (std::size_t i = 0; i < wish.disks.size(); ++i)
    if (!wish.disks[i].ours() && !wish.disks[i].read_only && !wish.disks[i].path.empty())
      things.emplace_back("the disk " + quoted(wish.disks[i].path), "disk." + std::to_string(i));
  return things;
}

/// Two entries that both ask for one thing; within an entry, check() and its count have been
/// looked at already.
void refuse_twins(const std::vector<MachineEntry>& entries, CloudReading& reading) {
  struct Holder {
    std::size_t entry;
    std::string place;
  };
  std::map<std::string, Holder> held;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const MachineSpec& wish = entries[i].machine.wish;
    for (const auto& [thing, field] : own_things(wish)) {
      const auto origin = wish.origins.find(field);
      const std::string place = origin == wish.origins.end() ? reading.file : origin->second;
      const auto [holder, fresh] = held.emplace(thing, Holder{i, place});
      if (!fresh && holder->second.entry != i)
        reading.problems.push_back(
            {place,
             fmt::format("{} is asked for by machine {} already ({}); only one can have it", thing,
                         entries[holder->second.entry].machine.entry, holder->second.place)});
    }
  }
}

/// The place where a name stands.
std::string place_of_name(const MachineEntry& entry, const CloudReading& reading) {
  const auto origin = entry.machine.wish.origins.find("name");
  return origin == entry.machine.wish.origins.end() ? reading.top.place(*entry.table)
                                                    : origin->second;
}

void refuse_same_names(const std::vector<MachineEntry>& entries, CloudReading& reading) {
  std::map<std::string, const MachineEntry*> names, machines;
  const auto refuse = [&](const MachineEntry& entry, const MachineEntry& other,
                          const std::string& name) {
    reading.problems.push_back(
        {place_of_name(entry, reading),
         fmt::format("the machine {} is there already ({}); give one of them another name",
                     quoted(name), place_of_name(other, reading))});
  };
  for (const MachineEntry& entry : entries) {
    if (entry.machine.entry.empty()) continue;
    const auto [known, fresh] = names.emplace(entry.machine.entry, &entry);
    if (!fresh) {
      refuse(entry, *known->second, entry.machine.entry);
      continue;
    }
    for (unsigned i = 0; i < entry.count; ++i) {
      const auto [machine, new_one] = machines.emplace(entry.name_of(i), &entry);
      if (new_one) continue;
      refuse(entry, *machine->second, entry.name_of(i));
      break;
    }
  }
}

}  // namespace

void read_cloud_machines(CloudReading& reading) {
  std::vector<MachineEntry> entries;
  std::uint64_t machines = 0;
  for (const ConfigNode* table : reading.top.take_tables("machine")) {
    if (machines >= most_machines) {
      reading.top.complain(
          *table, fmt::format("with this one the cloud has more than {} machines; make it two "
                              "clouds",
                              most_machines));
      return;
    }
    entries.push_back(read_machine_entry(*table, reading));
    machines += entries.back().count;
    if (machines > most_machines) {
      reading.top.complain(*table, fmt::format("with these the cloud has {} machines; at most {} "
                                               "are possible, make it two clouds",
                                               machines, most_machines));
      return;
    }
  }
  refuse_same_names(entries, reading);
  refuse_twins(entries, reading);
  read_order(entries, reading);
}

}  // namespace nutshell
