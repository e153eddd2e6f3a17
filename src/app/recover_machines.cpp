// What lies beside the disks and what runs proves itself; nothing here is taken away but a QEMU
// that was never let run.
#include "app/recover_machines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "app/lvm_access.hpp"
#include "app/machine_state.hpp"
#include "app/network.hpp"
#include "app/qmp_access.hpp"
#include "app/settle.hpp"
#include "app/start.hpp"
#include "host/files.hpp"
#include "host/observe.hpp"

namespace nutshell {
namespace {

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

std::vector<Want> wants_again(const FoundMachine& found) {
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

}  // namespace

std::vector<FoundMachine> find_lost_machines(House& house, const Facts& facts,
                                             std::vector<std::string>& unreadable) {
  std::vector<FoundMachine> found;
  for (const std::string& folder : host::names_in(house.paths.machines())) {
    const auto uuid = parse_uuid(folder);
    if (!uuid || house.registry().machine(*uuid)) continue;
    try {
      const auto text = host::read_file(house.paths.spec_file(*uuid));
      if (!text) continue;
      FoundMachine one{spec_from_json(Json::parse(*text)), latest_boot(house, *uuid), std::nullopt};
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

void add_again(House& house, const FoundMachine& found) {
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

std::vector<std::string> recover_runs(House& house, const Facts& facts,
                                      std::vector<std::string>& failed) {
  std::vector<std::string> names;
  for (const MachineRow& row : house.registry().machines()) {
    const auto pid = is_alive(house, row.uuid) ? host::find_qemu_by_uuid(row.uuid) : std::nullopt;
    if (!pid || (row.run && row.run->pid == *pid && row.run->boot_id == house.boot_id)) continue;
    try {
      check_alone(house, row.uuid, to_string(row.name));
      if (never_ran(house, row.spec)) continue;
      FoundMachine found{row.spec, latest_boot(house, row.uuid),
                         read_run(house, row.spec, *pid, facts)};
      if (!house.dry()) {
        Transaction transaction = house.registry().begin();
        if (row.run) transaction.end_run(row.uuid, "");
        std::vector<Want> wants = wants_again(found);
        std::erase_if(wants, [](const Want& want) { return want.lifetime != Lifetime::run; });
        transaction.take_again(row.uuid, wants);
        transaction.begin_run(row.uuid, *found.run);
        transaction.commit();
      }
      names.push_back(fmt::format("{}, running (pid {})", to_string(row.name), *pid));
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      failed.push_back(fmt::format("{}: {}", to_string(row.name), error.what()));
    }
  }
  return names;
}

}  // namespace nutshell
