// What a machine's interfaces are to be told, derived from what the host shows of the network that
// they are on: a bridge passes frames and adds no hop, so there the host's own gateway and name
// servers are the machine's, too.
#include "nutshell/answers.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "nutshell/network.hpp"

namespace nutshell {
namespace {

constexpr unsigned main_table = 254;

class NicTeller {
 public:
  NicTeller(std::string who, const AnswersWish& wish, const AnswersHost& host,
            std::vector<std::string>& warnings)
      : who_(std::move(who)), wish_(wish), host_(host), warnings_(warnings) {}

  [[nodiscard]] NicAnswers tell(const NicSpec& nic) {
    NicAnswers told;
    told.kind = to_string(nic.kind);
    told.mac = nic.mac;
    told.mtu = nic.mtu;
    told.address = nic.ip;
    switch (nic.kind) {
      case NicKind::user:
        told.on = "user-mode network";
        told.address.reset();
        break;
      case NicKind::network: on_network(nic, told); break;
      case NicKind::bridge:
        told.on = "bridge " + nic.bridge;
        on_link(nic.bridge, told);
        break;
      case NicKind::macvtap:
        told.on = "device " + nic.uplink;
        on_link(nic.uplink, told);
        break;
    }
    return told;
  }

 private:
  std::string who_;
  const AnswersWish& wish_;
  const AnswersHost& host_;
  std::vector<std::string>& warnings_;

  void warn(const std::string& sentence) {
    if (std::find(warnings_.begin(), warnings_.end(), sentence) == warnings_.end())
      warnings_.push_back(sentence);
  }

  void on_network(const NicSpec& nic, NicAnswers& told) {
    told.on = "network " + nic.network;
    const auto row = std::find_if(host_.networks.begin(), host_.networks.end(),
                                  [&](const NetworkRow& each) { return each.name == nic.network; });
    if (row == host_.networks.end() || !told.address)
      return warn(
          fmt::format("{}: its network {} is not known, and so neither are its netmask and "
                      "gateway",
                      who_, printable(nic.network)));
    told.prefix = row->address.prefix;
    if (told.mtu == 0 && row->mtu != usual_mtu) told.mtu = row->mtu;
    if (row->mode != NetworkMode::isolated) told.gateway = row->address.address;
    follow_wish(row->address, told);
    if (wish_.dns.empty() && row->dns)
      told.name_servers = {row->address.address};
    else if (row->mode != NetworkMode::isolated || !wish_.dns.empty())
      tell_name_servers(told);
  }

  void on_link(const std::string& name, NicAnswers& told) {
    if (!told.address) return;  // DHCP tells it all
    const LinkFact* link = host_.facts.link(name);
    if (!link) warn(fmt::format("{}: there is no {} on this host", who_, printable(name)));
    const std::vector<int> links = link ? with_vlans(*link) : std::vector<int>{};
    const auto net = net_of(links, *told.address);
    tell_name_servers(told);
    if (!net)
      return warn(
          fmt::format("{}: this host has no address in the network of {} on {}, so its "
                      "netmask and gateway are not known",
                      who_, to_string(*told.address), printable(name)));
    told.prefix = net->prefix;
    told.gateway = default_gateway(links, *net);
    follow_wish(*net, told);
    if (told.gateway == told.address)
      told.gateway.reset();  // it is the gateway
    else if (!told.gateway)
      warn(
          fmt::format("{}: no gateway is known on {}: this host has no default route through it; "
                      "say `gateway` in the file's [answers]",
                      who_, printable(name)));
  }

  /// A bridge, and the VLANs that the host has on top of it.
  [[nodiscard]] std::vector<int> with_vlans(const LinkFact& link) const {
    std::vector<int> links{link.index};
    for (const LinkFact& each : host_.facts.links)
      if (each.kind == "vlan" && each.lower == link.index) links.push_back(each.index);
    return links;
  }

  /// The host's network there that holds the address: the narrowest, of its addresses before its
  /// routes.
  [[nodiscard]] std::optional<Ipv4Net> net_of(const std::vector<int>& links, Ipv4 address) const {
    std::optional<Ipv4Net> found;
    const auto consider = [&](int link, const Ipv4Net& net) {
      if (std::find(links.begin(), links.end(), link) != links.end() && net.contains(address) &&
          net.prefix > 0 && net.prefix < 32 && (!found || net.prefix > found->prefix))
        found = net;
    };
    for (const AddressFact& fact : host_.facts.addresses) consider(fact.link, fact.net);
    if (found) return found;
    for (const RouteFact& fact : host_.facts.routes)
      if (fact.table == main_table && !fact.gateway) consider(fact.link, fact.destination);
    return found;
  }

  [[nodiscard]] std::optional<Ipv4> default_gateway(const std::vector<int>& links,
                                                    const Ipv4Net& net) const {
    for (const RouteFact& route : host_.facts.routes)
      if (route.destination.prefix == 0 && route.table == main_table && route.gateway &&
          net.contains(*route.gateway) &&
          std::find(links.begin(), links.end(), route.link) != links.end())
        return route.gateway;
    return std::nullopt;
  }

  void follow_wish(const Ipv4Net& net, NicAnswers& told) {
    if (!wish_.gateway) return;
    if (net.contains(*wish_.gateway))
      told.gateway = wish_.gateway;
    else if (told.kind != to_string(NicKind::network))
      warn(
          fmt::format("{}: the gateway {} of [answers] is not in the network of {}, {}/{}; it is "
                      "not told there",
                      who_, to_string(*wish_.gateway), to_string(*told.address),
                      to_string(net.first()), net.prefix));
  }

  void tell_name_servers(NicAnswers& told) {
    told.name_servers = wish_.dns.empty() ? host_.name_servers : wish_.dns;
    if (told.name_servers.empty())
      warn(
          "no name server is known: /etc/resolv.conf names none that another machine could ask; "
          "say `dns` in the file's [answers]");
  }
};

}  // namespace

MachineAnswers answers_of(const MachineName& name, const MachineSpec& spec, const AnswersWish& wish,
                          const AnswersHost& host, std::vector<std::string>& warnings) {
  MachineAnswers answers{name.name, spec.uuid, dns_name(name.name, name.cloud), {}};
  NicTeller teller(to_string(name), wish, host, warnings);
  for (const NicSpec& nic : spec.nics) answers.nics.push_back(teller.tell(nic));
  return answers;
}

}  // namespace nutshell
