// The spec as JSON: what the registry keeps, and what lies beside a machine's disks so that the
// registry can be built again from it. Reading is strict about types and silent about members that
// a later version may add.
#include <fmt/format.h>

#include <limits>

#include "nutshell/error.hpp"
#include "nutshell/spec.hpp"

namespace nutshell {
namespace {

[[noreturn]] void damaged(std::string_view name, const std::string& why) {
  throw Failed(fmt::format("the kept spec is damaged: {}: {}", name, why));
}

std::string text(const Json& json, std::string_view name) {
  const Json& value = json.at(name);
  if (!value.is_string()) damaged(name, "a text is expected");
  return value.as_string();
}

bool flag(const Json& json, std::string_view name) {
  const Json& value = json.at(name);
  if (!value.is_bool()) damaged(name, "true or false is expected");
  return value.as_bool();
}

template <class Number>
Number number(const Json& json, std::string_view name) {
  const Json& value = json.at(name);
  if (!value.is_integer()) damaged(name, "a whole number is expected");
  const std::int64_t whole = value.as_integer();
  if (whole < 0 || static_cast<std::uint64_t>(whole) > std::numeric_limits<Number>::max())
    damaged(name, std::to_string(whole) + " is out of range");
  return static_cast<Number>(whole);
}

template <class Number>
std::optional<Number> maybe_number(const Json& json, std::string_view name) {
  if (json.at(name).is_null()) return std::nullopt;
  return number<Number>(json, name);
}

template <class Enum>
Enum word(const Json& json, std::string_view name) {
  Enum value{};
  const std::string spelled = text(json, name);
  if (!from_word(spelled, value)) damaged(name, "\"" + printable(spelled) + "\" is not known");
  return value;
}

const Json::Array& items(const Json& json, std::string_view name) {
  const Json& value = json.at(name);
  if (!value.is_array()) damaged(name, "an array is expected");
  return value.as_array();
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json texts_to_json(const std::vector<std::string>& texts) {
  Json json = Json::array();
  for (const std::string& text : texts) json.push(text);
  return json;
}

Json disk_to_json(const DiskSpec& disk) {
  Json backing = Json::array();
  for (const BackingLayer& layer : disk.backing)
    backing.push(Json::object({{"path", layer.path}, {"format", to_string(layer.format)}}));
  return Json::object({{"size", or_null(disk.size)},
                       {"path", disk.path},
                       {"vg", disk.vg},
                       {"thin", disk.thin},
                       {"file", disk.file},
                       {"bus", to_string(disk.bus)},
                       {"format", to_string(disk.format)},
                       {"format_named", disk.format_named},
                       {"cache", to_string(disk.cache)},
                       {"aio", to_string(disk.aio)},
                       {"discard", disk.discard},
                       {"read_only", disk.read_only},
                       {"backing", backing}});
}

DiskSpec disk_from_json(const Json& json) {
  DiskSpec disk;
  disk.size = maybe_number<Bytes>(json, "size");
  disk.path = text(json, "path");
  disk.vg = text(json, "vg");
  // Earlier versions wrote neither of these.
  if (json.find("thin")) disk.thin = text(json, "thin");
  if (json.find("file")) disk.file = flag(json, "file");
  disk.bus = word<DiskBus>(json, "bus");
  disk.format = word<DiskFormat>(json, "format");
  disk.format_named = flag(json, "format_named");
  disk.cache = word<CacheMode>(json, "cache");
  disk.aio = word<AioMode>(json, "aio");
  disk.discard = flag(json, "discard");
  disk.read_only = flag(json, "read_only");
  for (const Json& layer : items(json, "backing"))
    disk.backing.push_back({text(layer, "path"), word<DiskFormat>(layer, "format")});
  return disk;
}

Json nic_to_json(const NicSpec& nic) {
  Json json = Json::object({{"kind", to_string(nic.kind)},
                            {"bridge", nic.bridge},
                            {"network", nic.network},
                            {"model", to_string(nic.model)},
                            {"mac", nic.mac ? Json(to_string(*nic.mac)) : Json()},
                            {"ip", nic.ip ? Json(to_string(*nic.ip)) : Json()}});
  if (nic.mtu) json.append("mtu", nic.mtu);
  if (nic.queues > 1) json.append("queues", nic.queues);
  if (nic.antispoof) json.append("antispoof", *nic.antispoof);
  if (!nic.also.empty()) json.append("also", to_string(nic.also));
  if (nic.rate) json.append("rate", nic.rate);
  if (nic.vlan) json.append("vlan", nic.vlan);
  if (!nic.trunk.empty()) json.append("trunk", to_string(nic.trunk));
  if (nic.kind == NicKind::macvtap) {
    json.append("uplink", nic.uplink);
    json.append("mode", to_string(nic.macvtap_mode));
  }
  return json;
}

NicSpec nic_from_json(const Json& json) {
  NicSpec nic;
  nic.kind = word<NicKind>(json, "kind");
  nic.bridge = text(json, "bridge");
  nic.network = text(json, "network");
  nic.model = word<NicModel>(json, "model");
  if (!json.at("mac").is_null() && !(nic.mac = parse_mac(text(json, "mac"))))
    damaged("mac", "it is malformed");
  if (!json.at("ip").is_null() && !(nic.ip = parse_ipv4(text(json, "ip"))))
    damaged("ip", "it is malformed");
  // Written only where they are asked for.
  if (json.find("mtu")) nic.mtu = number<unsigned>(json, "mtu");
  if (json.find("queues")) nic.queues = number<unsigned>(json, "queues");
  if (json.find("antispoof")) nic.antispoof = flag(json, "antispoof");
  if (json.find("rate")) nic.rate = number<std::uint64_t>(json, "rate");
  if (json.find("also")) {
    const auto ranges = parse_ranges(text(json, "also"));
    if (!ranges) damaged("also", "it is malformed");
    nic.also = *ranges;
  }
  if (json.find("vlan")) nic.vlan = number<unsigned>(json, "vlan");
  if (json.find("trunk")) {
    const auto trunk = parse_vlans(text(json, "trunk"));
    if (!trunk) damaged("trunk", "it is malformed");
    nic.trunk = *trunk;
  }
  if (nic.kind == NicKind::macvtap) {
    nic.uplink = text(json, "uplink");
    nic.macvtap_mode = word<MacvtapMode>(json, "mode");
  }
  return nic;
}

Json vnc_to_json(const VncSpec& vnc) {
  return Json::object({{"mode", to_string(vnc.mode)},
                       {"display", vnc.display},
                       {"listen", vnc.listen},
                       {"password_file", vnc.password_file},
                       {"password", vnc.password}});
}

VncSpec vnc_from_json(const Json& json) {
  VncSpec vnc;
  vnc.mode = word<VncMode>(json, "mode");
  vnc.display = number<unsigned>(json, "display");
  vnc.listen = text(json, "listen");
  vnc.password_file = text(json, "password_file");
  vnc.password = flag(json, "password");
  return vnc;
}

}  // namespace

namespace {

// Written only where they are asked for.
void put_tags(Json& json, const MachineSpec& spec) {
  Json tags = Json::object();
  for (const auto& [key, value] : spec.tags) tags.append(key, value);
  if (!spec.tags.empty()) json.append("tags", tags);
}

void read_tags(const Json& json, MachineSpec& spec) {
  const Json* tags = json.find("tags");
  if (!tags) return;
  if (!tags->is_object()) damaged("tags", "an object is expected");
  for (const auto& [key, value] : tags->as_object()) spec.tags[key] = value.as_string();
}

void put_firewall(Json& json, const MachineSpec& spec) {
  if (!spec.groups.empty()) json.append("groups", texts_to_json(spec.groups));
  Json published = Json::array();
  for (const PublishedPort& port : spec.publish) published.push(to_string(port));
  if (!spec.publish.empty()) json.append("publish", published);
}

void read_firewall(const Json& json, MachineSpec& spec) {
  if (json.find("groups"))
    for (const Json& group : items(json, "groups")) spec.groups.push_back(group.as_string());
  if (!json.find("publish")) return;
  Problems problems;
  for (const Json& port : items(json, "publish"))
    spec.publish.push_back(parse_publish(port.as_string(), "publish", problems));
  if (!problems.empty()) damaged("publish", problems.front().what);
}

}  // namespace

Json to_json(const MachineSpec& spec) {
  Json disks = Json::array(), nics = Json::array(), origins = Json::object();
  for (const DiskSpec& disk : spec.disks) disks.push(disk_to_json(disk));
  for (const NicSpec& nic : spec.nics) nics.push(nic_to_json(nic));
  for (const auto& [field, origin] : spec.origins) origins.append(field, origin);
  Json json = Json::object({{"uuid", spec.uuid.text},
                            {"cloud", spec.name.cloud},
                            {"name", spec.name.name},
                            {"cpus", spec.cpus},
                            {"memory", spec.memory},
                            {"cpu", spec.cpu},
                            {"machine", spec.machine},
                            {"nested", to_string(spec.nested)},
                            {"accel", to_string(spec.accel)},
                            {"firmware", to_string(spec.firmware)},
                            {"firmware_vars", spec.firmware_vars},
                            {"disks", disks},
                            {"cdrom", spec.cdrom},
                            {"cdrom_drive", spec.cdrom_drive},
                            {"boot", to_string(spec.boot)},
                            {"kernel", spec.kernel},
                            {"initrd", spec.initrd},
                            {"append", spec.append},
                            {"nics", nics},
                            {"vnc", vnc_to_json(spec.vnc)},
                            {"qemu", spec.qemu},
                            {"qemu_args", texts_to_json(spec.qemu_args)},
                            {"vsock_cid", or_null(spec.vsock_cid)},
                            {"run_as_uid", or_null(spec.run_as_uid)},
                            {"origins", origins}});
  put_firewall(json, spec);
  put_tags(json, spec);
  if (!spec.applied.empty()) json.append("applied", spec.applied);
  return json;
}

MachineSpec spec_from_json(const Json& json) {
  if (!json.is_object()) throw Failed("the kept spec is damaged: it is no object");
  MachineSpec spec;
  spec.uuid.text = text(json, "uuid");
  if (!spec.uuid.text.empty() && !parse_uuid(spec.uuid.text)) damaged("uuid", "it is malformed");
  spec.name = {text(json, "cloud"), text(json, "name")};
  spec.cpus = number<unsigned>(json, "cpus");
  spec.memory = number<Bytes>(json, "memory");
  spec.cpu = text(json, "cpu");
  spec.machine = text(json, "machine");
  spec.nested = word<Nested>(json, "nested");
  spec.accel = word<Accel>(json, "accel");
  spec.firmware = word<Firmware>(json, "firmware");
  spec.firmware_vars = text(json, "firmware_vars");
  for (const Json& disk : items(json, "disks")) spec.disks.push_back(disk_from_json(disk));
  spec.cdrom = text(json, "cdrom");
  spec.cdrom_drive = flag(json, "cdrom_drive");
  spec.boot = word<BootOrder>(json, "boot");
  spec.kernel = text(json, "kernel");
  spec.initrd = text(json, "initrd");
  spec.append = text(json, "append");
  for (const Json& nic : items(json, "nics")) spec.nics.push_back(nic_from_json(nic));
  spec.vnc = vnc_from_json(json.at("vnc"));
  spec.qemu = text(json, "qemu");
  for (const Json& argument : items(json, "qemu_args"))
    spec.qemu_args.push_back(argument.as_string());
  spec.vsock_cid = maybe_number<unsigned>(json, "vsock_cid");
  spec.run_as_uid = maybe_number<unsigned>(json, "run_as_uid");
  for (const auto& [field, origin] : json.at("origins").as_object())
    spec.origins[field] = origin.as_string();
  read_firewall(json, spec);
  read_tags(json, spec);
  if (json.find("applied")) spec.applied = text(json, "applied");
  return spec;
}

}  // namespace nutshell
