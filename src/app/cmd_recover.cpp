// recover: a registry that is lost, broken or behind is made anew from what proves itself: the
// specs beside the disks, the locks, the QEMUs that hold them, the marks on their taps. It adds
// what is missing and takes nothing away.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "app/cloud_file.hpp"
#include "app/cmd.hpp"
#include "app/firewall_kept.hpp"
#include "app/lvm_access.hpp"
#include "app/machine_state.hpp"
#include "app/network.hpp"
#include "app/perform.hpp"
#include "app/qmp_access.hpp"
#include "app/reserved_kept.hpp"
#include "app/settle.hpp"
#include "app/start.hpp"
#include "host/files.hpp"
#include "host/observe.hpp"

namespace nutshell {
namespace {

namespace fs = std::filesystem;

struct Found {
  MachineSpec spec;
  unsigned boots = 0;
  std::optional<RunRecord> run;
};

unsigned latest_boot(const House& house, const Uuid& uuid) {
  unsigned latest = 0;
  for (const std::string& name : host::names_in(house.paths.log_dir(uuid)))
    if (name.ends_with(".log"))
      latest = std::max(latest, static_cast<unsigned>(std::strtoul(name.c_str(), nullptr, 10)));
  return latest;
}

// A QEMU that was never told to go on is what a killed launcher leaves: no run, and nothing is lost
// with it.
bool never_ran(const House& house, const MachineSpec& spec) {
  return host::Qmp::connect(qmp_place(house, spec.uuid, spec.name))
             .execute("query-status")
             .text("status") == "prelaunch";
}

// What a living QEMU says of itself, and what its taps say by their marks.
RunRecord read_run(House& house, const MachineSpec& spec, int pid, const Facts& facts) {
  RunRecord run;
  run.boot_id = house.boot_id;
  run.pid = pid;
  run.start_time = host::start_time(pid).value_or(0);
  run.boot = latest_boot(house, spec.uuid);
  run.since = now_utc();
  for (std::size_t i = 0; i < spec.nics.size(); ++i) {
    run.taps.emplace_back();
    for (const LinkFact& link : facts.links)
      if (link.alias == tap_mark(spec.name, static_cast<unsigned>(i))) run.taps.back() = link.name;
  }
  try {
    run.volumes = volumes_of_run(house, spec, Disks::there).words;
  } catch (const Error&) {  // what is surely its own
    for (const DiskSpec& disk : spec.disks)
      if (disk.ours() && disk.on_lvm()) run.volumes.push_back(disk.vg + "/" + disk.lv());
  }
  host::Qmp qmp = host::Qmp::connect(qmp_place(house, spec.uuid, spec.name));
  run.accel = qmp.execute("query-kvm").flag("enabled") ? "kvm" : "tcg";
  const Json vnc = qmp.execute("query-vnc");
  if (spec.vnc.mode != VncMode::unix_socket && vnc.flag("enabled")) {
    const unsigned port =
        static_cast<unsigned>(std::strtoul(vnc.text("service").c_str(), nullptr, 10));
    if (port >= 5900) run.display = port - 5900;
    run.vnc_listen = vnc.text("host", spec.vnc.listen);
  }
  return run;
}

std::vector<Found> find_machines(House& house, const Facts& facts,
                                 std::vector<std::string>& unreadable) {
  std::vector<Found> found;
  for (const std::string& folder : host::names_in(house.paths.machines())) {
    const auto uuid = parse_uuid(folder);
    if (!uuid || house.registry().machine(*uuid)) continue;
    try {
      const auto text = host::read_file(house.paths.spec_file(*uuid));
      if (!text) continue;
      Found one{spec_from_json(Json::parse(*text)), latest_boot(house, *uuid), std::nullopt};
      if (one.spec.uuid != *uuid) throw Failed("the spec is of another machine");
      if (const auto pid = host::find_qemu_by_uuid(*uuid); pid && is_alive(house, *uuid)) {
        if (never_ran(house, one.spec)) {
          if (!house.dry()) stop_qemu(house, *uuid);
        } else {
          one.run = read_run(house, one.spec, *pid, facts);
        }
      }
      found.push_back(std::move(one));
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      unreadable.push_back(fmt::format("{}: {}", house.paths.machine(*uuid), error.what()));
    }
  }
  return found;
}

std::vector<Want> wants_again(const Found& found) {
  std::vector<Want> wants;
  for (std::size_t i = 0; i < found.spec.nics.size(); ++i) {
    const NicSpec& nic = found.spec.nics[i];
    const int index = static_cast<int>(i);
    if (nic.mac) wants.push_back({"mac", index, Lifetime::machine, to_string(*nic.mac)});
    if (nic.ip)
      wants.push_back({nic.kind == NicKind::network ? "ipv4:" + nic.network : "ipv4:bridge", index,
                       Lifetime::machine, to_string(*nic.ip)});
    if (found.run && !found.run->taps[i].empty())
      wants.push_back({"tap", index, Lifetime::run, found.run->taps[i]});
  }
  for (std::size_t i = 0; i < found.spec.disks.size(); ++i)
    if (found.spec.disks[i].ours())
      wants.push_back({"volume", static_cast<int>(i), Lifetime::machine, found.spec.disks[i].path});
  if (found.spec.vsock_cid)
    wants.push_back({"cid", 0, Lifetime::machine, std::to_string(*found.spec.vsock_cid)});
  if (found.spec.run_as_uid)
    wants.push_back({"uid", 0, Lifetime::machine, std::to_string(*found.spec.run_as_uid)});
  if (found.run)
    for (std::size_t i = 0; i < found.spec.publish.size(); ++i)
      wants.push_back(
          {"port", static_cast<int>(i), Lifetime::run, outside_of(found.spec.publish[i])});
  if (found.run && found.run->display)
    wants.push_back({"vnc", 0, Lifetime::run, fmt::format(":{}", *found.run->display)});
  return wants;
}

void add_again(House& house, const Found& found) {
  Transaction transaction = house.registry().begin();
  MachineRow row;
  row.uuid = found.spec.uuid;
  row.name = found.spec.name;
  row.spec = found.spec;
  row.created = now_utc();
  row.boots = found.boots;
  // A CD that had its boot does not get another one: it may install over what it has installed.
  row.boot_once_consumed = found.boots > 0;
  if (found.boots > 0 && !found.run)
    row.last_end = words_of_end(ending_in_log(house, row.uuid, found.boots));
  transaction.add_machine(row);
  for (const NicSpec& nic : found.spec.nics)
    if (nic.kind == NicKind::network) restore_network(house, transaction, nic.network);
  transaction.take_again(found.spec.uuid, wants_again(found));
  if (found.run) transaction.begin_run(found.spec.uuid, *found.run);
  transaction.commit();
}

/// Machines that are known, and run otherwise than the registry says: an older one was put in its
/// place.
void find_runs(House& house, const Facts& facts, std::string& text,
               std::vector<std::string>& failed) {
  for (const MachineRow& row : house.registry().machines()) {
    const auto pid = is_alive(house, row.uuid) ? host::find_qemu_by_uuid(row.uuid) : std::nullopt;
    if (!pid || (row.run && row.run->pid == *pid && row.run->boot_id == house.boot_id)) continue;
    try {
      check_alone(house, row.uuid, to_string(row.name));
      if (never_ran(house, row.spec)) continue;
      Found found{row.spec, latest_boot(house, row.uuid), read_run(house, row.spec, *pid, facts)};
      if (!house.dry()) {
        Transaction transaction = house.registry().begin();
        if (row.run) transaction.end_run(row.uuid, "");
        std::vector<Want> wants = wants_again(found);
        std::erase_if(wants, [](const Want& want) { return want.lifetime != Lifetime::run; });
        transaction.take_again(row.uuid, wants);
        transaction.begin_run(row.uuid, *found.run);
        transaction.commit();
      }
      text += fmt::format("{}{}, running (pid {})\n",
                          house.dry() ? "would find again: " : "found again: ", to_string(row.name),
                          *pid);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      failed.push_back(fmt::format("{}: {}", to_string(row.name), error.what()));
    }
  }
}

// A registry that cannot be opened is put aside, never deleted.
std::string open_or_put_aside(House& house) {
  house.access = Access::change;
  try {
    house.registry();
    return "";
  } catch (const Conflict&) {
    throw;  // locked, or of a newer version: it is not broken
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    if (house.dry() || !host::read_file(house.paths.registry(), ~Bytes{0} >> 1)) throw;
    const std::string aside = fmt::format("{}.broken-{}", house.paths.registry(), now_utc());
    for (const char* suffix : {"", "-wal", "-shm"})
      std::rename((house.paths.registry() + suffix).c_str(), (aside + suffix).c_str());
    house.registry();
    return fmt::format("the old registry ({}) is kept as {}\n", error.what(), aside);
  }
}

/// Networks that were made by hand come back although no machine is on them.
void recover_networks(House& house, std::string& text, std::vector<std::string>& failed) {
  for (const std::string& name : lost_networks(house, failed)) {
    try {
      if (!house.dry()) {
        Transaction transaction = house.registry().begin();
        restore_network(house, transaction, name);
        transaction.commit();
      }
      text +=
          fmt::format("{}network {}\n", house.dry() ? "would find again: " : "found again: ", name);
    } catch (const Error& error) {
      failed.push_back(fmt::format("network {}: {}", name, error.what()));
    }
  }
}

/// Groups before the machines that are in them, addresses after those that they lead to.
void recover_parts(House& house, std::string& text, std::vector<std::string>& failed,
                   const std::string& what,
                   std::vector<std::string> (*put_back)(House&, std::vector<std::string>&)) {
  try {
    for (const std::string& name : put_back(house, failed))
      text += fmt::format("{}{} {}\n", house.dry() ? "would find again: " : "found again: ", what,
                          name);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    failed.push_back(fmt::format("{}: {}", what, error.what()));
  }
}

/// Rules of machines that run, as the registry knows them now.
std::vector<std::string> put_rules_in(House& house, std::vector<std::string>&) {
  if (!house.dry()) recover_guests(house);
  return {};
}

}  // namespace

Exit run_recover(const Parsed&, House& house) {
  std::string text = open_or_put_aside(house);
  settle(house);
  const Facts facts = observe_parts(house, host::part::links);
  std::vector<std::string> failed;
  Json list = Json::array();
  recover_parts(house, text, failed, "cloud", recover_clouds);
  recover_networks(house, text, failed);
  recover_parts(house, text, failed, "security group", recover_groups);
  find_runs(house, facts, text, failed);
  for (const Found& found : find_machines(house, facts, failed)) {
    const std::string who = to_string(found.spec.name);
    try {
      if (!house.dry()) add_again(house, found);
      list.push(Json::object({{"name", found.spec.name.name},
                              {"cloud", found.spec.name.cloud},
                              {"uuid", found.spec.uuid.text},
                              {"running", found.run.has_value()}}));
      text += fmt::format("{}{}{}\n", house.dry() ? "would find again: " : "found again: ", who,
                          found.run ? fmt::format(", running (pid {})", found.run->pid) : "");
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      failed.push_back(fmt::format("{}: {}", who, error.what()));
    }
  }
  try {
    if (house.root && !house.dry()) follow_running_networks(house);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    failed.push_back(fmt::format("the rules of the networks: {}", error.what()));
  }
  recover_parts(house, text, failed, "public address", recover_addresses);
  recover_parts(house, text, failed, "reservation", recover_reservations);
  recover_parts(house, text, failed, "firewall rules", put_rules_in);
  if (text.empty()) text = "the registry knows every machine that has its spec beside its disks\n";
  house.reporter.answer(Json::object({{"recovered", list}}), text);
  if (failed.empty()) return Exit::done;
  std::string sentence = "not everything could be recovered:";
  for (const std::string& words : failed) sentence += "\n  " + words;
  throw Error(Exit::left_behind, sentence);
}

}  // namespace nutshell
