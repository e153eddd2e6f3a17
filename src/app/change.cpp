// `set` is a small launch: the same reservation for what is new, the same journal, the same undo.
#include "app/change.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_quota.hpp"
#include "app/network.hpp"
#include "app/reserve.hpp"
#include "app/settle.hpp"
#include "app/start.hpp"
#include "host/files.hpp"
#include "nutshell/plan.hpp"

namespace nutshell {
namespace {

std::string spec_text(const MachineSpec& spec) { return to_json(spec).dump(true) + "\n"; }

std::vector<std::pair<std::string, std::string>> values_of(const MachineSpec& spec) {
  std::vector<std::pair<std::string, std::string>> values;
  for (const NicSpec& nic : spec.nics) {
    if (nic.mac) values.emplace_back("mac", to_string(*nic.mac));
    if (nic.ip && nic.kind != NicKind::user)
      values.emplace_back(nic.kind == NicKind::network ? "ipv4:" + nic.network : "ipv4:bridge",
                          to_string(*nic.ip));
  }
  for (const DiskSpec& disk : spec.disks)
    if (disk.ours()) values.emplace_back("volume", disk.path);
  return values;
}

// What `from` holds and `to` does not goes back to the pools.
void release_difference(Allocator& allocator, const MachineSpec& from, const MachineSpec& to) {
  const auto kept = values_of(to);
  for (const auto& [pool, value] : values_of(from))
    if (std::find(kept.begin(), kept.end(), std::pair{pool, value}) == kept.end())
      allocator.release_value(pool, value);
}

// The wants of what is new, and where their values go.
void reserve_new(House& house, Transaction& transaction, const MachineSpec& before,
                 MachineSpec& after, const Facts& facts) {
  const auto held = values_of(before);
  const auto is_held = [&](const std::string& pool, const std::string& value) {
    return std::find(held.begin(), held.end(), std::pair{pool, value}) != held.end();
  };
  for (std::size_t i = 0; i < after.nics.size(); ++i) {
    NicSpec& nic = after.nics[i];
    const int index = static_cast<int>(i);
    if (nic.kind == NicKind::network) put_on_network(house, transaction, after.name, nic, facts);
    if (std::none_of(before.nics.begin(), before.nics.end(),
                     [&](const NicSpec& had) { return had.also == nic.also; }))
      refuse_also_of_others(transaction, after, nic, facts);
    std::vector<Want> wants;
    if (!nic.mac || !is_held("mac", to_string(*nic.mac)))
      wants.push_back({"mac", index, Lifetime::machine,
                       nic.mac ? std::optional(to_string(*nic.mac)) : std::nullopt});
    const std::string pool = nic.kind == NicKind::network ? "ipv4:" + nic.network : "ipv4:bridge";
    const bool wants_address =
        nic.kind == NicKind::network || (nic.kind == NicKind::bridge && nic.ip);
    if (wants_address && (!nic.ip || !is_held(pool, to_string(*nic.ip))))
      wants.push_back({pool, index, Lifetime::machine,
                       nic.ip ? std::optional(to_string(*nic.ip)) : std::nullopt});
    for (const Lease& lease : transaction.allocator().take(after.uuid, wants, facts).leases) {
      if (lease.pool == "mac")
        nic.mac = parse_mac(lease.value);
      else
        nic.ip = parse_ipv4(lease.value);
    }
  }
  std::vector<Want> volumes;
  for (std::size_t i = 0; i < after.disks.size(); ++i)
    if (after.disks[i].ours() && !is_held("volume", after.disks[i].path))
      volumes.push_back({"volume", static_cast<int>(i), Lifetime::machine, after.disks[i].path});
  transaction.allocator().take(after.uuid, volumes, facts);
}

std::vector<Step> steps_of_change(const House& house, const MachineSpec& before,
                                  const Change& change) {
  std::vector<Step> steps{HoldSpec{before.uuid, to_json(before).dump()}};
  const auto existed = [&](const DiskSpec& disk) {
    return std::any_of(before.disks.begin(), before.disks.end(),
                       [&](const DiskSpec& old) { return old.path == disk.path; });
  };
  for (const DiskSpec& disk : change.after.disks)
    if (disk.ours() && !existed(disk))
      for (Step& step : steps_to_make_disk(disk, before.uuid)) steps.push_back(std::move(step));
  if (change.after.vnc.password && !before.vnc.password)
    steps.push_back(
        MakeSecret{house.paths.vnc_password(before.uuid), change.after.vnc.password_file});
  steps.push_back(WriteFile{house.paths.spec_file(before.uuid), spec_text(change.after)});
  steps.push_back(Commit{before.uuid});
  for (const DiskSpec& disk : change.removed) steps.push_back(step_to_drop_disk(disk, before.uuid));
  steps.push_back(TrimLeases{before.uuid, to_json(before).dump()});
  return steps;
}

}  // namespace

// The name of a new volume must be free although disks before it may be gone.
void name_new_volumes(const House& house, const MachineSpec& before, MachineSpec& after) {
  const std::string stem = house.paths.machine(after.uuid) + "/disk";
  const auto taken = [&](unsigned number) {
    const auto has_it = [&](const DiskSpec& disk) {
      return disk.path.starts_with(fmt::format("{}{}.", stem, number));
    };
    return std::any_of(before.disks.begin(), before.disks.end(), has_it) ||
           std::any_of(after.disks.begin(), after.disks.end(), has_it);
  };
  for (DiskSpec& disk : after.disks) {
    if (!disk.ours() || !disk.path.empty() || disk.on_lvm()) continue;
    unsigned number = 0;
    while (taken(number)) ++number;
    disk.path =
        fmt::format("{}{}.{}", stem, number, disk.format == DiskFormat::qcow2 ? "qcow2" : "img");
  }
}

// What was decided from `before` holds only while the machine is still that.
void check_unchanged(House& house, const MachineRow& before) {
  const auto now = house.registry().machine(before.uuid);
  if (!now) throw NotFound(fmt::format("{} was removed meanwhile", to_string(before.name)));
  if (now->run != before.run || to_json(now->spec).dump() != to_json(before.spec).dump())
    throw Conflict(fmt::format("{} was changed by another command meanwhile; run this one again",
                               to_string(before.name)));
}

void reserve_change(House& house, Transaction& transaction, const MachineSpec& before,
                    MachineSpec& after, const Facts& facts) {
  refuse_others_volumes(transaction, after);
  reserve_new(house, transaction, before, after, facts);
}

void change_machine(House& house, const MachineRow& before, Change change, const Facts& facts) {
  if (!house.dry()) wait_for_others(house, before.uuid, to_string(before.name));
  Transaction transaction = house.registry().begin();
  check_alone(house, before.uuid, to_string(before.name));
  check_unchanged(house, before);
  if (!change.counted) refuse_over_quota_of_change(house, before.spec, change.after);
  reserve_change(house, transaction, before.spec, change.after, facts);
  const Plan plan =
      plan_of("set", before.uuid, OnFailure::undo, steps_of_change(house, before.spec, change));
  if (house.dry()) return report_dry_run(house, plan.steps, {});
  transaction.change_spec(before.uuid, change.after);
  const auto id = transaction.journal(plan, house.self.pid, house.self.start_time, house.boot_id);
  transaction.commit();
  LiveStart none;
  none.start.who = to_string(before.name);
  execute_start(house, plan, id, none);
  if (change.boot_once_again) house.registry().set_boot_once_consumed(before.uuid, false);
}

void change_cdrom(House& house, const MachineRow& row, const std::string& iso) {
  Change change{row.spec, {}, false};
  change.after.cdrom = iso;
  change.after.cdrom_drive = true;
  change.after.origins["cdrom"] = "`nutshell cdrom`";
  change_machine(house, row, std::move(change), {});
}

void trim_leases(House& house, const Uuid& uuid, const std::string& before) {
  const auto row = house.registry().machine(uuid);
  if (!row) return;
  Transaction transaction = house.registry().begin();
  release_difference(transaction.allocator(), spec_from_json(Json::parse(before)), row->spec);
  remove_unused_networks(house, transaction);
  transaction.commit();
}

void restore_spec(House& house, const Uuid& uuid, const std::string& spec_json) {
  const auto row = house.registry().machine(uuid);
  if (!row) return;
  const MachineSpec spec = spec_from_json(Json::parse(spec_json));
  Transaction transaction = house.registry().begin();
  release_difference(transaction.allocator(), row->spec, spec);
  transaction.change_spec(uuid, spec);
  remove_unused_networks(house, transaction);
  transaction.commit();
  host::write_file(house.paths.spec_file(uuid), spec_text(spec));
}

}  // namespace nutshell
