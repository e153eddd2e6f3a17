// Fields are always there, sizes are integers in bytes, lists are lists of objects, whatever state
// the machine is in.
#include "app/machine_json.hpp"

#include <fmt/format.h>

namespace nutshell {
namespace {

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json nics_json(const MachineSpec& spec, const std::optional<RunRecord>& run) {
  Json nics = Json::array();
  for (std::size_t i = 0; i < spec.nics.size(); ++i) {
    const NicSpec& nic = spec.nics[i];
    const std::string tap = run && i < run->taps.size() ? run->taps[i] : "";
    nics.push(Json::object(
        {{"mac", nic.mac ? Json(to_string(*nic.mac)) : Json()},
         {"kind", to_string(nic.kind)},
         {"bridge", text_or_null(nic.bridge)},
         {"network", text_or_null(nic.network)},
         {"model", to_string(nic.model)},
         {"tap", text_or_null(tap)},
         {"ip", nic.ip ? Json(to_string(*nic.ip)) : Json()},
         {"mtu", nic.mtu ? Json(nic.mtu) : Json()},
         {"queues", nic.queues},
         {"vlan", nic.vlan ? Json(nic.vlan) : Json()},
         {"trunk", text_or_null(to_string(nic.trunk))},
         {"uplink", text_or_null(nic.uplink)},
         {"mode", nic.kind == NicKind::macvtap ? Json(to_string(nic.macvtap_mode)) : Json()},
         {"antispoof", nic.is_guarded()},
         {"also", nic.also.empty() ? Json() : Json(to_string(nic.also))},
         {"rate", nic.rate ? Json(nic.rate) : Json()}}));
  }
  return nics;
}

Json disks_json(const MachineSpec& spec) {
  Json disks = Json::array();
  for (const DiskSpec& disk : spec.disks)
    disks.push(Json::object({{"path", disk.path},
                             {"size", disk.size ? Json(*disk.size) : Json()},
                             {"vg", text_or_null(disk.vg)},
                             {"thin_pool", text_or_null(disk.thin)},
                             {"format", to_string(disk.format)},
                             {"bus", to_string(disk.bus)},
                             {"ours", disk.ours()},
                             {"read_only", disk.read_only}}));
  return disks;
}

Json vnc_json(const House& house, const Uuid& uuid, const VncSpec& vnc,
              const std::optional<RunRecord>& run) {
  const bool tcp = run && run->display;
  const bool unix_socket = run && vnc.mode == VncMode::unix_socket;
  return Json::object({{"listen", tcp ? Json(run->vnc_listen) : Json()},
                       {"display", tcp ? Json(*run->display) : Json()},
                       {"port", tcp ? Json(5900 + *run->display) : Json()},
                       {"socket", unix_socket ? Json(house.paths.vnc(uuid)) : Json()},
                       {"password", vnc.password}});
}

}  // namespace

MachineSummary summary_of(const MachineRow& row) {
  MachineSummary summary;
  summary.uuid = row.uuid;
  summary.name = row.name;
  summary.cpus = row.spec.cpus;
  summary.memory = row.spec.memory;
  summary.boots = row.boots;
  summary.last_end = row.last_end;
  summary.run = row.run;
  return summary;
}

Json machine_json(const House& house, const MachineSummary& summary, const MachineSpec& spec,
                  const Seen& seen) {
  const bool alive = seen.state == MachineState::running || seen.state == MachineState::paused;
  const std::optional<RunRecord> run = alive ? summary.run : std::nullopt;
  return Json::object({{"name", summary.name.name},
                       {"cloud", summary.name.cloud},
                       {"state", to_string(seen.state)},
                       {"uuid", summary.uuid.text},
                       {"pid", run && run->pid ? Json(run->pid) : Json()},
                       {"cpus", summary.cpus},
                       {"memory", summary.memory},
                       {"nics", nics_json(spec, run)},
                       {"disks", disks_json(spec)},
                       {"vnc", vnc_json(house, summary.uuid, spec.vnc, run)}});
}

Json machine_details(House& house, const MachineRow& row, const Seen& seen) {
  Json json = machine_json(house, summary_of(row), row.spec, seen);
  const unsigned boot = row.run ? row.run->boot : row.boots;
  json.set("state_words", seen.words)
      .set("created", row.created)
      .set("since", row.run ? Json(row.run->since) : Json());
  json.set("boots", row.boots).set("last_end", text_or_null(row.last_end));
  json.set("accel", row.run ? Json(row.run->accel) : Json(to_string(row.spec.accel)));
  json.set("cpu", row.spec.cpu)
      .set("machine", row.spec.machine)
      .set("nested", to_string(row.spec.nested));
  json.set("firmware", to_string(row.spec.firmware)).set("cdrom", text_or_null(row.spec.cdrom));
  json.set("boot", to_string(row.spec.boot)).set("boot_once_consumed", row.boot_once_consumed);
  json.set("vsock_cid", row.spec.vsock_cid ? Json(*row.spec.vsock_cid) : Json());
  json.set("folder", house.paths.machine(row.uuid));
  json.set("log", boot ? Json(house.paths.qemu_log(row.uuid, boot)) : Json());
  json.set("serial_log", boot ? Json(house.paths.serial_log(row.uuid, boot)) : Json());
  Json groups = Json::array(), publish = Json::array(), publics = Json::array();
  for (const std::string& group : row.spec.groups) groups.push(group);
  for (const PublishedPort& port : row.spec.publish) publish.push(to_string(port));
  for (const PublicAddress& address : house.registry().addresses())
    if (address.machine == row.uuid) publics.push(to_string(address.address));
  Json tags = Json::object();
  for (const auto& [key, value] : row.spec.tags) tags.append(key, value);
  json.set("tags", std::move(tags));
  json.set("groups", groups).set("publish", publish).set("public_addresses", publics);
  Json leases = Json::array();
  for (const Lease& lease : house.registry().leases_of(row.uuid))
    leases.push(
        Json::object({{"pool", lease.pool}, {"value", lease.value}, {"since", lease.since}}));
  json.set("leases", leases);
  return json;
}

std::string vnc_words(const House& house, const Uuid& uuid, VncMode mode,
                      const std::optional<RunRecord>& run) {
  if (!run) return "";
  if (mode == VncMode::unix_socket) return "unix:" + house.paths.vnc(uuid);
  if (!run->display) return "";
  const std::string host = run->vnc_listen.find(':') == std::string::npos
                               ? run->vnc_listen
                               : "[" + run->vnc_listen + "]";
  return fmt::format("{}:{}", host, *run->display);
}

}  // namespace nutshell
