// Network cards in the line for a shell. What QEMU's bridge helper cannot make (a port with VLANs,
// a macvtap link) is made by commands that stand before the line, with ip(8) and bridge(8).
#include <fmt/format.h>

#include "core/line_builder.hpp"

namespace nutshell {
namespace {

constexpr std::size_t longest_interface_name = 15;
constexpr int first_shell_fd = 3;

/// A link's name that says whose it is, as a person would choose it: "web1-0".
std::string link_name(const MachineSpec& spec, std::size_t nic) {
  const std::string number = fmt::format("-{}", nic);
  return spec.name.name.substr(0, longest_interface_name - number.size()) + number;
}

void make_port(LineBuilder& line, const NicSpec& nic, const std::string& tap) {
  line.run_before(fmt::format("ip tuntap add dev {} mode tap vnet_hdr{}", tap,
                              nic.queues > 1 ? " multi_queue" : ""));
  line.run_before(fmt::format("ip link set {} master {}", tap, shell_quote(nic.bridge)));
  line.run_before(fmt::format("bridge vlan del dev {} vid 1", tap));
  if (nic.vlan)
    line.run_before(fmt::format("bridge vlan add dev {} vid {} pvid untagged", tap, nic.vlan));
  for (const VlanRange& range : nic.trunk)
    line.run_before(
        fmt::format("bridge vlan add dev {} vid {}", tap, to_string(std::vector{range})));
  line.run_before(fmt::format("ip link set {} up", tap));
}

void make_macvtap(LineBuilder& line, const NicSpec& nic, const std::string& link) {
  line.run_before(
      fmt::format("ip link add link {} name {}{}{} type macvtap mode {}", shell_quote(nic.uplink),
                  link, nic.mac ? " address " + to_string(*nic.mac) : "",
                  nic.mtu ? fmt::format(" mtu {}", nic.mtu) : "", to_string(nic.macvtap_mode)));
  line.run_before(fmt::format("ip link set {} up", link));
}

bool needs_commands(const NicSpec& nic) { return nic.kind == NicKind::macvtap || nic.has_vlans(); }

struct Wire {
  std::string netdev, meaning;
};

/// Where a NIC of the long form is plugged in, and what must have run before.
Wire wire_of(LineBuilder& line, const MachineSpec& spec, std::size_t i, int& next_fd) {
  const NicSpec& nic = spec.nics[i];
  const std::string id = fmt::format("id=net{}", i), name = link_name(spec, i);
  if (nic.kind == NicKind::user)
    return {"user," + id, "user-mode networking: out through this host, nobody in"};
  if (nic.kind == NicKind::macvtap) {
    make_macvtap(line, nic, name);
    std::string numbers;
    for (unsigned queue = 0; queue < nic.queues; ++queue) {
      line.redirect(fmt::format("{}<>/dev/tap$(cat /sys/class/net/{}/ifindex)", next_fd, name));
      numbers += fmt::format("{}{}", queue ? ":" : "", next_fd++);
    }
    return {
        fmt::format("tap,{},{}={}", id, nic.queues > 1 ? "fds" : "fd", numbers),
        fmt::format("the macvtap link {} on {}, which the shell opens; `ip link del {}` removes "
                    "it afterwards",
                    name, nic.uplink, name)};
  }
  if (nic.has_vlans()) {
    make_port(line, nic, name);
    return {fmt::format("tap,{},ifname={},script=no,downscript=no{}", id, name,
                        nic.queues > 1 ? fmt::format(",queues={}", nic.queues) : ""),
            fmt::format("the tap {} on the bridge {}; `ip link del {}` removes it afterwards", name,
                        nic.bridge, name)};
  }
  return {fmt::format("bridge,{},br={}", id, nic.bridge),
          fmt::format("a tap on the bridge {}, made by QEMU's bridge helper", nic.bridge)};
}

}  // namespace

void hand_nics(LineBuilder& line, const MachineSpec& spec) {
  if (spec.nics.empty()) line.add("-nic", "none", "no network card", line.origin("nic"));
  // Several -net options would all hang on one hub, and -net nic cannot tell an MTU.
  const bool alone =
      spec.nics.size() == 1 && spec.nics.front().mtu == 0 && !needs_commands(spec.nics.front());
  int next_fd = first_shell_fd;
  for (std::size_t i = 0; i < spec.nics.size(); ++i) {
    const NicSpec& nic = spec.nics[i];
    const std::string origin = line.origin(fmt::format("nic.{}", i));
    const std::string mac = nic.mac ? to_string(*nic.mac) : "";
    const std::string card = "the network card, with a MAC that no other machine may have";
    const Wire wire = wire_of(line, spec, i, next_fd);
    if (alone) {
      line.add(
          "-net",
          fmt::format("nic,model={}{}", to_string(nic.model), mac.empty() ? "" : ",macaddr=" + mac),
          card, origin);
      line.add("-net", nic.kind == NicKind::user ? "user" : "bridge,br=" + nic.bridge, wire.meaning,
               origin);
      continue;
    }
    line.add("-netdev", wire.netdev, wire.meaning, origin);
    const std::string driver =
        nic.model == NicModel::virtio ? "virtio-net-pci" : to_string(nic.model);
    std::string device = fmt::format("{},netdev=net{}", driver, i);
    if (!mac.empty()) device += ",mac=" + mac;
    if (nic.mtu) device += fmt::format(",host_mtu={}", nic.mtu);
    if (nic.queues > 1 && needs_commands(nic))
      device += fmt::format(",mq=on,vectors={}", 2 * nic.queues + 2);
    line.add("-device", device, card, origin);
  }
}

}  // namespace nutshell
