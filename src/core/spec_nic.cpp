// One --nic, and --vnc. A MAC or an address that could never work is refused here, where the
// sentence can say why, and not by a guest that stays silent.
#include <string>
#include <vector>

#include "core/spec_options.hpp"
#include "nutshell/network.hpp"
#include "nutshell/spec.hpp"

namespace nutshell {
namespace {

const std::vector<std::string>& nic_keys() {
  static const std::vector<std::string> keys{"bridge", "network", "user",      "macvtap", "model",
                                             "mac",    "ip",      "mtu",       "queues",  "vlan",
                                             "trunk",  "mode",    "antispoof", "also",    "rate"};
  return keys;
}

void take_mac(OptionList& list, NicSpec& nic) {
  const auto text = list.take("mac");
  if (!text) return;
  const auto mac = parse_mac(*text);
  if (!mac) {
    list.complain("mac=" + quoted(*text) +
                  " is malformed; write six bytes in hex with colons: 52:54:00:12:34:60");
  } else if (mac->is_multicast()) {
    list.complain("mac=" + *text +
                  " is a multicast address (its first byte is odd); a machine "
                  "needs a unicast one such as 52:54:00:12:34:60");
  } else if (mac->value == 0) {
    list.complain("mac=" + *text +
                  " is all zero, which no machine may have; leave mac= out to be "
                  "given one");
  } else {
    nic.mac = mac;
  }
}

void take_ip(OptionList& list, NicSpec& nic) {
  const auto text = list.take("ip");
  if (!text) return;
  const auto ip = parse_ipv4(*text);
  if (!ip) {
    list.complain("ip=" + quoted(*text) +
                  " is no IPv4 address; write four numbers from 0 to 255: 10.0.0.7");
    return;
  }
  const unsigned first = ip->value >> 24;
  if (first == 0 || first == 127 || first >= 224) {
    list.complain("ip=" + *text + " is no address that a machine can have (" +
                  (first == 0     ? "it means this network"
                   : first == 127 ? "it is the loopback"
                   : first < 240  ? "it is multicast"
                                  : "it is reserved") +
                  ")");
    return;
  }
  if (nic.kind == NicKind::user || nic.kind == NicKind::macvtap) {
    list.complain(std::string("ip= needs bridge= or network=; ") +
                  (nic.kind == NicKind::user
                       ? "in user mode QEMU hands out the address itself"
                       : "what an address is behind a macvtap link, nobody here can see"));
    return;
  }
  nic.ip = ip;
}

/// A whole number between two limits; complains and gives nothing otherwise.
std::optional<unsigned> take_number(OptionList& list, const std::string& key, unsigned least,
                                    unsigned most) {
  const auto text = list.take(key);
  if (!text) return std::nullopt;
  const bool digits =
      !text->empty() && text->size() < 9 && text->find_first_not_of("0123456789") == text->npos;
  const unsigned long value = digits ? std::stoul(*text) : 0;
  if (digits && value >= least && value <= most) return static_cast<unsigned>(value);
  list.complain(key + "=" + quoted(*text) + " is not possible; write a number from " +
                std::to_string(least) + " to " + std::to_string(most));
  return std::nullopt;
}

/// VLANs of a port of a bridge that keeps them apart.
void take_vlans(OptionList& list, NicSpec& nic) {
  constexpr unsigned highest = 4094;
  const bool asked = list.has("vlan") || list.has("trunk");
  const auto vlan = take_number(list, "vlan", 1, highest);
  std::vector<VlanRange> trunk;
  if (const auto text = list.take("trunk")) {
    if (const auto vlans = parse_vlans(*text))
      trunk = *vlans;
    else
      list.complain("trunk=" + quoted(*text) +
                    " is not possible; write VLANs from 1 to 4094, ranges with '-' and several "
                    "with '+': trunk=10+20-25");
  }
  if (asked && nic.kind != NicKind::bridge) {
    list.complain(
        "vlan= and trunk= need bridge=, on a bridge that keeps VLANs apart (`nutshell "
        "bridge create --vlan-filtering`)");
    return;
  }
  for (const VlanRange& range : trunk)
    if (vlan && *vlan >= range.first && *vlan <= range.last)
      list.complain("VLAN " + std::to_string(*vlan) +
                    " is in vlan= and in trunk= too; its frames come either without a tag (vlan=) "
                    "or with it (trunk=)");
  nic.vlan = vlan.value_or(0);
  nic.trunk = std::move(trunk);
}

/// What only a virtio card can be told, and only on a tap.
void take_virtio(OptionList& list, NicSpec& nic) {
  constexpr unsigned most_queues = 16;
  const auto mtu = take_number(list, "mtu", least_mtu, largest_mtu_of_tap);
  const auto queues = take_number(list, "queues", 1, most_queues);
  for (const auto& [key, given] :
       {std::pair{"mtu=", mtu.has_value()}, std::pair{"queues=", queues.value_or(1) > 1}}) {
    if (!given) continue;
    if (nic.model != NicModel::virtio)
      list.complain(std::string(key) + " is for model=virtio alone; an " + to_string(nic.model) +
                    " card cannot be told");
    else if (nic.kind == NicKind::user)
      list.complain(std::string(key) +
                    " needs bridge=, network= or macvtap=; user mode has no tap");
  }
  nic.mtu = mtu.value_or(0);
  nic.queues = queues.value_or(1);
}

}  // namespace

NicSpec parse_nic(std::string_view text, const std::string& where, Problems& problems) {
  NicSpec nic;
  OptionList list(text, where, problems);
  if (const auto word = list.take_leading_word(nic_keys())) {
    const std::string guess = suggestion(*word, {"user"});
    list.complain(quoted(*word) +
                  " is no network; write bridge=NAME, network=NAME, macvtap=UPLINK or user" +
                  guess);
  }
  const bool user = list.take_switch("user").value_or(false);
  const auto bridge = list.take("bridge"), network = list.take("network");
  const auto uplink = list.take("macvtap");
  if (user + bridge.has_value() + network.has_value() + uplink.has_value() > 1)
    list.complain("a NIC is on one network; give one of bridge=, network=, macvtap= and user");
  if (bridge) {
    nic.kind = NicKind::bridge;
    nic.bridge = *bridge;
    if (!is_interface_name(*bridge))
      list.complain("bridge=" + quoted(*bridge) +
                    " can be no interface's name (1 to 15 bytes "
                    "without '/', ':', '%' and spaces)");
  } else if (network) {
    nic.network = *network;
    if (const std::string fault = name_fault(*network); !fault.empty())
      list.complain("network=" + quoted(*network) + " can be no network's name: " + fault);
  } else if (uplink) {
    nic.kind = NicKind::macvtap;
    nic.uplink = *uplink;
    if (!is_interface_name(*uplink))
      list.complain("macvtap=" + quoted(*uplink) +
                    " can be no interface's name (1 to 15 bytes without '/', ':', '%' and spaces)");
  } else if (user) {
    nic.kind = NicKind::user;
  }
  if (list.has("mode") && !uplink) {
    list.take("mode");
    list.complain("mode= is for macvtap= alone");
  }
  list.take_word("mode", nic.macvtap_mode);
  list.take_word("model", nic.model);
  take_mac(list, nic);
  take_ip(list, nic);
  take_virtio(list, nic);
  take_vlans(list, nic);
  take_guard(list, nic);
  list.refuse_the_rest(nic_keys());
  return nic;
}

void parse_vnc(std::string_view text, const std::string& where, VncSpec& vnc, Problems& problems) {
  constexpr unsigned highest_display = 65535 - 5900;
  VncMode mode = VncMode::automatic;
  if (from_word(text, mode) && mode != VncMode::fixed) {
    vnc.mode = mode;
    return;
  }
  std::string_view digits = text;
  if (!digits.empty() && digits.front() == ':') digits.remove_prefix(1);
  const bool number = !digits.empty() && digits.find_first_not_of("0123456789") == digits.npos;
  unsigned display = 0;
  for (const char c : digits.substr(0, number ? 6 : 0))
    display = display * 10 + static_cast<unsigned>(c - '0');
  if (!number) {
    problems.push_back({where, quoted(text) + " is no display; use auto, a number from 0 to " +
                                   std::to_string(highest_display) + ", unix or off" +
                                   suggestion(text, {"auto", "unix", "off"})});
  } else if (digits.size() > 6 || display > highest_display) {
    problems.push_back({where, "display " + quoted(digits) +
                                   " does not exist; displays go from 0 to " +
                                   std::to_string(highest_display) + " (port 5900 and up)"});
  } else {
    vnc.mode = VncMode::fixed;
    vnc.display = display;
  }
}

}  // namespace nutshell
