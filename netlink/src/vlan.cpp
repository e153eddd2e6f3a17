// Port VLANs: RTM_SETLINK and RTM_DELLINK of the family AF_BRIDGE, a range as two entries that are
// its begin and its end. They are read from the bridge family's own dump, where the kernel joins
// what is alike only if it is asked to.
#include "nl/vlan.hpp"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <string>

#include "link_parts.hpp"

namespace nl {
namespace {

constexpr std::size_t vlan_limit = 4096;
constexpr std::uint16_t how = BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED;
constexpr std::uint16_t present = 0x8000;  // no flag of the kernel's
/// The flags of every VLAN; 0 where the port does not have it.
using VlanTable = std::array<std::uint16_t, vlan_limit>;

VlanTable table_of(const std::vector<PortVlans>& vlans) {
  VlanTable table{};
  for (const PortVlans& each : vlans)
    for (std::size_t id = each.first; id <= each.last && id < vlan_limit; ++id)
      table[id] = static_cast<std::uint16_t>(present | (each.pvid ? BRIDGE_VLAN_INFO_PVID : 0) |
                                             (each.untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0));
  return table;
}

PortVlans range_of(std::size_t first, std::size_t last, std::uint16_t flags) {
  return {static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last),
          (flags & BRIDGE_VLAN_INFO_PVID) != 0, (flags & BRIDGE_VLAN_INFO_UNTAGGED) != 0};
}

/// The stretches of VLANs that are alike, of those for which `chosen` is true.
template <class Chosen>
std::vector<PortVlans> ranges(const VlanTable& table, Chosen chosen) {
  std::vector<PortVlans> out;
  for (std::size_t id = 1; id + 1 < vlan_limit; ++id) {
    if (!chosen(id)) continue;
    std::size_t last = id;
    while (last + 2 < vlan_limit && chosen(last + 1) && table[last + 1] == table[id]) ++last;
    out.push_back(range_of(id, last, table[id]));
    id = last;
  }
  return out;
}

void change(Socket& socket, int type, const LinkRef& port, const PortVlans& vlans,
            const std::string& operation) {
  const int index = link_index(socket, port);
  Message message(type, 0);
  auto& header = message.header<ifinfomsg>();
  header.ifi_family = AF_BRIDGE;
  header.ifi_index = index;
  const auto flags = static_cast<std::uint16_t>((vlans.pvid ? BRIDGE_VLAN_INFO_PVID : 0) |
                                                (vlans.untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0));
  message.nest(IFLA_AF_SPEC, [&] {
    if (vlans.first == vlans.last) {
      message.value(IFLA_BRIDGE_VLAN_INFO, bridge_vlan_info{flags, vlans.first});
      return;
    }
    const auto with = [&](unsigned more) { return static_cast<std::uint16_t>(flags | more); };
    message.value(IFLA_BRIDGE_VLAN_INFO,
                  bridge_vlan_info{with(BRIDGE_VLAN_INFO_RANGE_BEGIN), vlans.first});
    message.value(IFLA_BRIDGE_VLAN_INFO,
                  bridge_vlan_info{with(BRIDGE_VLAN_INFO_RANGE_END), vlans.last});
  });
  check(socket, socket.wire().exchange(message), port, operation);
}

std::string words(const PortVlans& vlans) {
  return vlans.first == vlans.last
             ? "VLAN " + std::to_string(vlans.first)
             : "VLANs " + std::to_string(vlans.first) + "-" + std::to_string(vlans.last);
}

/// The VLANs in the IFLA_AF_SPEC of one link's message.
void read_vlans(nlattr* spec, VlanTable& table) {
  nlattr* at = nullptr;
  int left = 0;
  std::uint16_t begin = 0;
  nla_for_each_nested(at, spec, left) {
    if (::nla_type(at) != IFLA_BRIDGE_VLAN_INFO ||
        ::nla_len(at) < static_cast<int>(sizeof(bridge_vlan_info)))
      continue;
    bridge_vlan_info info{};
    std::memcpy(&info, ::nla_data(at), sizeof info);
    if (info.flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) {
      begin = info.vid;
      continue;
    }
    const std::size_t first = info.flags & BRIDGE_VLAN_INFO_RANGE_END ? begin : info.vid;
    for (std::size_t id = first; id <= info.vid && id < vlan_limit; ++id)
      table[id] = static_cast<std::uint16_t>(present | (info.flags & how));
  }
}

}  // namespace

std::vector<PortVlans> list_vlans(Socket& socket, const LinkRef& port) {
  const int index = link_index(socket, port);
  Message message(RTM_GETLINK, NLM_F_DUMP);
  message.header<ifinfomsg>().ifi_family = AF_BRIDGE;
  message.u32(IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED);
  using Tables = std::vector<VlanTable>;
  const Tables tables =
      socket.wire().dump<VlanTable>(message, "bridge VLANs", [&](nlmsghdr* part, Tables& out) {
        if (part->nlmsg_type != RTM_NEWLINK) return;
        if (static_cast<const ifinfomsg*>(::nlmsg_data(part))->ifi_index != index) return;
        nlattr* spec = Attributes(part, sizeof(ifinfomsg)).raw(IFLA_AF_SPEC);
        if (!spec) return;
        out.emplace_back();
        read_vlans(spec, out.back());
      });
  if (tables.empty()) return {};
  const VlanTable& table = tables.front();
  return ranges(table, [&](std::size_t id) { return table[id] != 0; });
}

void add_vlans(Socket& socket, const LinkRef& port, const PortVlans& vlans) {
  change(socket, RTM_SETLINK, port, vlans, "take " + words(vlans));
}

void remove_vlans(Socket& socket, const LinkRef& port, const PortVlans& vlans) {
  change(socket, RTM_DELLINK, port, {vlans.first, vlans.last, false, false},
         "leave " + words(vlans));
}

void set_vlans(Socket& socket, const LinkRef& port, const std::vector<PortVlans>& wanted) {
  const VlanTable now = table_of(list_vlans(socket, port)), then = table_of(wanted);
  for (const PortVlans& gone :
       ranges(now, [&](std::size_t id) { return now[id] != 0 && then[id] == 0; }))
    remove_vlans(socket, port, gone);
  for (const PortVlans& fresh :
       ranges(then, [&](std::size_t id) { return then[id] != 0 && then[id] != now[id]; }))
    add_vlans(socket, port, fresh);
}

}  // namespace nl
