// The kernel would refuse most of this too, but late, and with a number.
#include "app/nic_checks.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/vlans.hpp"

namespace nutshell {
namespace {

bool takes_frames(const LinkFact& link) { return link.kind == "macvtap" || link.kind == "macvlan"; }

std::string whose(const LinkFact& link) {
  return is_mark(link.alias) ? fmt::format("{} of the machine {}", link.name,
                                           link.alias.substr(9, link.alias.rfind(':') - 9))
                             : link.name;
}

}  // namespace

std::string vlan_fault(const NicSpec& nic, const Facts& facts) {
  if (!nic.has_vlans()) return "";
  if (!facts.root)
    return "vlan= and trunk= need root; the bridge helper sets no VLAN for an ordinary user";
  const LinkFact* bridge = facts.link(nic.bridge);
  if (bridge && bridge->kind == "bridge" && !bridge->vlan_filtering)
    return host::no_vlan_filtering(nic.bridge);
  return "";
}

std::string macvtap_fault(const NicSpec& nic, const Facts& facts) {
  if (nic.kind != NicKind::macvtap) return "";
  if (!facts.root)
    return fmt::format(
        "macvtap={} needs root; use --nic user, or --nic bridge=BR where "
        "/etc/qemu/bridge.conf allows it",
        nic.uplink);
  const LinkFact* uplink = facts.link(nic.uplink);
  if (!uplink)
    return fmt::format("{} does not exist; name a device of `ip link` with macvtap=",
                       printable(nic.uplink));
  if (uplink->kind == "bridge")
    return fmt::format("{} is a bridge; use bridge={}", nic.uplink, nic.uplink);
  if (uplink->mac.value == 0)
    return fmt::format("{} has no Ethernet address, so no macvtap link can be made on it",
                       nic.uplink);
  if (const auto master =
          std::find_if(facts.links.begin(), facts.links.end(),
                       [&](const LinkFact& link) { return link.index == uplink->master; });
      uplink->master != 0 && master != facts.links.end())
    return fmt::format(
        "{} belongs to {}, which has its frames; use {}", nic.uplink, master->name,
        master->kind == "bridge" ? "bridge=" + master->name : "macvtap=" + master->name);
  if (!uplink->up)
    return fmt::format("{} is down; `ip link set {} up` sets it up", nic.uplink, nic.uplink);
  if (nic.mtu > uplink->mtu)
    return fmt::format("mtu={} is more than {} carries ({}); use that or less", nic.mtu, nic.uplink,
                       uplink->mtu);
  if (nic.macvtap_mode == MacvtapMode::passthru)
    for (const LinkFact& link : facts.links)
      if (link.lower == uplink->index && takes_frames(link))
        return fmt::format("mode=passthru needs {} for itself, and {} is on it; remove that first",
                           nic.uplink, whose(link));
  return "";
}

}  // namespace nutshell
