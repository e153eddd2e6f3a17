// Network interfaces: a tap or vhost descriptor (or user-mode networking) behind a device with an
// explicit MAC. Never the MAC that QEMU would give, which is the same for every machine.
#include <fmt/format.h>

#include "core/line_builder.hpp"

namespace nutshell {
namespace {

std::string driver_of(NicModel model) {
  switch (model) {
    case NicModel::virtio: return "virtio-net-pci";
    case NicModel::e1000: return "e1000";
    case NicModel::rtl8139: return "rtl8139";
  }
  return {};
}

/// Hands over a descriptor for each queue: "11", or "11:12:13".
std::string handed(LineBuilder& line, Handle::What what, const std::string& path, unsigned nic,
                   unsigned queues) {
  std::string numbers;
  for (unsigned queue = 0; queue < queues; ++queue)
    numbers += fmt::format("{}{}", queue ? ":" : "", line.hand(what, path, nic));
  return numbers;
}

Json netdev_of(LineBuilder& line, const NicSpec& nic, std::size_t index, const Places& places) {
  Json netdev = Json::object(
      {{"type", nic.kind == NicKind::user ? "user" : "tap"}, {"id", fmt::format("net{}", index)}});
  if (nic.kind == NicKind::user) return netdev;
  const auto number = static_cast<unsigned>(index);
  const std::string tap = index < places.taps.size() ? places.taps[index] : "";
  if (places.by_bridge_helper && (nic.kind == NicKind::macvtap || nic.has_vlans()))
    throw ConfigError("--nic", nic.kind == NicKind::macvtap
                                   ? "macvtap= needs root; the bridge helper makes taps alone"
                                   : "vlan= and trunk= need root; the bridge helper sets no VLAN");
  if (nic.kind == NicKind::macvtap) {
    netdev.set(nic.queues > 1 ? "fds" : "fd",
               handed(line, Handle::What::macvtap, tap, number, nic.queues));
  } else if (places.by_bridge_helper) {
    if (nic.queues > 1)
      throw ConfigError("--nic", "queues= needs root; the bridge helper gives a tap of one queue");
    netdev.set("fd", std::to_string(line.hand(Handle::What::bridge_helper, nic.bridge, number)));
  } else {
    netdev.set(nic.queues > 1 ? "fds" : "fd",
               handed(line, Handle::What::tap, tap, number, nic.queues));
  }
  if (places.vhost_net && nic.model == NicModel::virtio)
    netdev.set("vhost", true)
        .set(nic.queues > 1 ? "vhostfds" : "vhostfd",
             handed(line, Handle::What::vhost_net, "/dev/vhost-net", number, nic.queues));
  return netdev;
}

std::string vlan_words(const NicSpec& nic) {
  std::string words;
  if (nic.vlan) words += fmt::format(", in VLAN {}", nic.vlan);
  if (!nic.trunk.empty()) words += fmt::format(", with the tagged VLANs {}", to_string(nic.trunk));
  return words;
}

std::string describe_wire(const NicSpec& nic) {
  switch (nic.kind) {
    case NicKind::bridge:
      return fmt::format("a tap on the bridge {}{}", nic.bridge, vlan_words(nic));
    case NicKind::macvtap:
      return fmt::format("a macvtap link on {} ({} mode)", nic.uplink, to_string(nic.macvtap_mode));
    case NicKind::network: return fmt::format("a tap on the managed network {}", nic.network);
    case NicKind::user: return "user-mode networking: out through this host, nobody in";
  }
  return {};
}

}  // namespace

void render_nics(LineBuilder& line, const MachineSpec& spec, const Places& places) {
  for (std::size_t i = 0; i < spec.nics.size(); ++i) {
    const NicSpec& nic = spec.nics[i];
    const std::string field = fmt::format("nic.{}", i), origin = line.origin(field);
    if (!nic.mac)
      throw Failed(fmt::format("NIC {} of {} has no MAC yet; create the machine first", i,
                               to_string(spec.name)));
    line.add_json("-netdev", netdev_of(line, nic, i, places), describe_wire(nic), origin);
    Json device = Json::object({{"driver", driver_of(nic.model)},
                                {"id", fmt::format("nic{}", i)},
                                {"netdev", fmt::format("net{}", i)},
                                {"mac", to_string(*nic.mac)},
                                {"bootindex", nic_bootindex(spec, i)}});
    if (spec.boot != BootOrder::net) device.set("romfile", "");
    if (nic.mtu) device.set("host_mtu", nic.mtu);
    // An interrupt for each direction of each queue, one for control and one for configuration.
    if (nic.queues > 1) device.set("mq", true).set("vectors", 2 * nic.queues + 2);
    line.add_json("-device", device,
                  fmt::format("network card {} ({}) with the MAC {}, which no other machine has", i,
                              to_string(nic.model), to_string(*nic.mac)),
                  origin == "default" ? line.origin(field + ".mac") : origin);
  }
}

}  // namespace nutshell
