// Ours are told by the registry, strangers by what the kernel shows of them at this moment.
#include "app/owners.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "app/machine_state.hpp"
#include "app/start.hpp"
#include "host/listen.hpp"
#include "host/observe.hpp"
#include "host/observe_route.hpp"
#include "host/proc.hpp"

namespace nutshell {
namespace {

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Owner owner_by_lease(const std::string& what, const Lease& lease) {
  Owner owner{what, lease.cloud, lease.machine, "", lease.since, lease.foreign};
  if (lease.machine.empty() && lease.foreign.empty())
    owner.detail = lease.holder.text.starts_with("network:")
                       ? "the network " + lease.holder.text.substr(8)
                       : "reserved by hand" + (lease.note.empty() ? "" : ": " + lease.note);
  else if (lease.pool == "mac" || lease.pool == "tap" || lease.pool.starts_with("ipv4"))
    owner.detail = fmt::format("NIC {}", lease.index);
  return owner;
}

std::vector<Owner> by_lease(House& house, const std::string& what, std::string_view pool_prefix,
                            const std::string& value) {
  std::vector<Owner> owners;
  for (const Lease& lease : house.registry().leases())
    if (lease.value == value && lease.pool.starts_with(pool_prefix))
      owners.push_back(owner_by_lease(what, lease));
  return owners;
}

Owner foreign(const std::string& what, const std::string& holder) {
  return {what, "", "", "", "", holder};
}

/// Of a link that this registry does not know: another's of this host, or a stranger's.
Owner owner_by_mark(const std::string& what, const std::string& alias,
                    const std::string& stranger) {
  if (!is_mark(alias)) return foreign(what, stranger);
  return {what, "", "", "of another registry of nutshell, by its mark " + alias, "", ""};
}

std::vector<Owner> who_mac(House& house, Mac mac) {
  auto owners = by_lease(house, "MAC", "mac", to_string(mac));
  if (!owners.empty()) return owners;
  const Facts facts = observe_parts(house, host::part::links | host::part::macs);
  for (const LinkFact& link : facts.links)
    if (auto tap = by_lease(house, "MAC", "tap", link.name); link.mac == mac && !tap.empty())
      for (Owner& owner : tap) {
        owner.detail += fmt::format(", the host's side of {}", link.name);
        owners.push_back(std::move(owner));
      }
    else if (link.mac == mac)
      owners.push_back(
          owner_by_mark("MAC", link.alias,
                        fmt::format("link {} of this host{}", link.name,
                                    link.alias.empty() ? "" : " (" + link.alias + ")")));
  for (const MacFact& fact : facts.macs)
    if (fact.mac == mac) owners.push_back(foreign("MAC", fact.holder));
  return owners;
}

/// A public address that a cloud has allocated.
std::vector<Owner> who_public(House& house, Ipv4 address) {
  for (const PublicAddress& each : house.registry().addresses())
    if (each.address == address) {
      const auto row = each.machine ? house.registry().machine(*each.machine) : std::nullopt;
      return {{"address", each.cloud, row ? row->name.name : "",
               row ? "its public address"
                   : fmt::format("a public address of the cloud {}, of no machine", each.cloud),
               each.since, ""}};
    }
  return {};
}

std::vector<Owner> who_address(House& house, Ipv4 address) {
  auto owners = who_public(house, address);
  if (!owners.empty()) return owners;
  owners = by_lease(house, "address", "ipv4", to_string(address));
  if (auto own = find_network_address(house, to_string(address)); !own.empty()) return own;
  const Facts facts =
      observe_parts(house, host::part::links | host::part::addresses | host::part::ips);
  for (const AddressFact& fact : facts.addresses)
    if (fact.net.address == address) {
      const auto link = std::find_if(facts.links.begin(), facts.links.end(),
                                     [&](const LinkFact& l) { return l.index == fact.link; });
      owners.push_back(foreign(
          "address",
          fmt::format("this host, on {}", link == facts.links.end() ? "a link" : link->name)));
    }
  if (!owners.empty()) return owners;
  for (const IpFact& fact : facts.ips)
    if (fact.ip == address) owners.push_back(foreign("address", fact.holder));
  return owners.empty() ? find_owners_of_range(house, address) : owners;
}

std::vector<Owner> who_display(House& house, unsigned display) {
  auto owners = by_lease(house, "display", "vnc", fmt::format(":{}", display));
  // Of a stranger the registry knows what was; who has it now, the kernel knows.
  std::erase_if(owners, [](const Owner& owner) { return !owner.foreign.empty(); });
  for (Owner& owner : owners)
    if (owner.detail.empty()) owner.detail = "its screen";
  if (!owners.empty()) return owners;
  if (const std::string holder = host::port_holder(static_cast<std::uint16_t>(5900 + display));
      !holder.empty())
    owners.push_back(foreign("display", holder));
  return owners;
}

/// What serves a network of ours, by the folder that its command line names.
std::vector<Owner> who_serves(House& house, int pid) {
  for (const std::string& word : host::command_line(pid))
    for (const NetworkRow& network : house.registry().networks())
      if (word.find(house.paths.network_dir(network.name) + "/") != std::string::npos)
        return {{"process", "", "", fmt::format("the DHCP server of the network {}", network.name),
                 "", ""}};
  return {};
}

/// A port of the host: published by a machine, a screen's, or held by somebody.
std::vector<Owner> who_port(House& house, unsigned port, bool udp) {
  const std::string name = fmt::format("{}/{}", port, udp ? "udp" : "tcp");
  std::vector<Owner> owners;
  for (const Lease& lease : house.registry().leases())
    if (lease.value == name || lease.value.ends_with(":" + name))
      owners.push_back(owner_by_lease("port", lease));
  for (Owner& owner : owners)
    if (owner.detail.empty() && !owner.machine.empty()) owner.detail = "a port that it publishes";
  if (!udp && port >= 5900)
    for (Owner& owner : by_lease(house, "port", "vnc", fmt::format(":{}", port - 5900)))
      if (owner.foreign.empty()) {
        owner.detail = fmt::format("its screen, display :{}", port - 5900);
        owners.push_back(std::move(owner));
      }
  if (!owners.empty()) return owners;
  const auto number = static_cast<std::uint16_t>(port);
  // Several may have it, each on an address of its own; what is bound and does not listen is listed
  // by another way.
  std::vector<std::string> holders = host::listed_port_holders(number, udp);
  if (holders.empty() && !udp)
    if (std::string holder = host::port_holder(number); !holder.empty())
      holders.push_back(std::move(holder));
  for (const std::string& holder : holders) {
    const std::size_t at = holder.find("(pid ");
    std::vector<Owner> ours;
    if (at != std::string::npos) ours = who_serves(house, std::atoi(holder.c_str() + at + 5));
    if (ours.empty()) ours.push_back(foreign("port", holder));
    for (Owner& owner : ours) {
      owner.what = "port";
      owners.push_back(std::move(owner));
    }
  }
  return owners;
}

std::vector<Owner> who_ports(House& house, unsigned port) {
  std::vector<Owner> owners = who_port(house, port, false);
  for (Owner& owner : who_port(house, port, true)) owners.push_back(std::move(owner));
  return owners;
}

std::vector<Owner> who_number(House& house, unsigned number) {
  auto owners = who_display(house, number >= 5900 ? number - 5900 : number);
  if (number >= 5900 && !owners.empty()) return owners;
  for (Owner& owner : who_ports(house, number)) owners.push_back(std::move(owner));
  return owners;
}

std::vector<Owner> who_uuid(House& house, const Uuid& uuid) {
  return machines_with(house, "uuid", [&](const MachineRow& row) -> std::string {
    return row.uuid == uuid ? "its UUID" : "";
  });
}

/// The MAC that an IPv6 address was made of (RFC 4291, appendix A).
std::optional<Mac> mac_of_ipv6(const std::string& text) {
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return std::nullopt;
  Mac mac;
  if (bytes[11] == 0xff && bytes[12] == 0xfe)
    for (const int at : {8, 9, 10, 13, 14, 15})
      mac.value = mac.value << 8 | (at == 8 ? bytes.at(8) ^ 2U : bytes.at(at));
  return mac;
}

std::vector<Owner> who_ipv6(House& house, const std::string& address, Mac mac) {
  auto owners = mac.value ? who_mac(house, mac) : std::vector<Owner>{};
  std::erase_if(owners, [](const Owner& owner) { return !owner.foreign.empty(); });
  if (auto own = find_network_address(house, address); !own.empty()) return own;
  if (const std::string holder = host::ipv6_holder(address); owners.empty() && !holder.empty())
    return {foreign("address", holder)};
  for (Owner& owner : owners) {
    owner.what = "address";
    owner.detail +=
        fmt::format("{}made of its MAC {}", owner.detail.empty() ? "" : ", ", to_string(mac));
  }
  return owners;
}

std::vector<Owner> who_pid(House& house, int pid) {
  auto owners = machines_with(house, "process", [&](const MachineRow& row) -> std::string {
    return row.run && row.run->pid == pid && is_alive(house, row.uuid) ? "its QEMU" : "";
  });
  if (owners.empty()) owners = who_serves(house, pid);
  if (owners.empty())
    if (const std::string name = host::process_name(pid); !name.empty())
      owners.push_back(foreign("process", fmt::format("{} (pid {})", name, pid)));
  return owners;
}

std::vector<Owner> who_link(House& house, const std::string& name) {
  auto owners = by_lease(house, "tap", "tap", name);
  if (!owners.empty()) return owners;
  for (const NetworkRow& network : house.registry().networks())
    if (network.bridge == name)
      owners.push_back({"bridge", "", "",
                        fmt::format("the network {}, {}", network.name, to_string(network.address)),
                        "", ""});
  const Facts facts = observe_parts(house, host::part::links);
  if (const LinkFact* link = facts.link(name); link && owners.empty())
    owners.push_back(
        owner_by_mark("link", link->alias,
                      fmt::format("a {} of this host{}", link->kind.empty() ? "device" : link->kind,
                                  link->alias.empty() ? "" : ", " + link->alias)));
  if (owners.empty()) owners = find_owners_by_name(house, name);
  return owners;
}

}  // namespace

std::vector<Owner> machines_with(House& house, const std::string& what,
                                 const std::function<std::string(const MachineRow&)>& detail) {
  std::vector<Owner> owners;
  for (const MachineRow& row : house.registry().machines())
    if (const std::string words = detail(row); !words.empty())
      owners.push_back(
          {what, row.name.cloud, row.name.name, words, row.run ? row.run->since : row.created, ""});
  return owners;
}

std::vector<Owner> find_owners(House& house, const std::string& value) {
  if (const auto mac = parse_mac(value)) return who_mac(house, *mac);
  if (const auto address = parse_ipv4(value)) return who_address(house, *address);
  if (const auto uuid = parse_uuid(value)) return who_uuid(house, *uuid);
  if (value.starts_with(":") && value.find(':', 1) == std::string::npos) {
    const auto display = number(std::string_view(value).substr(1));
    if (!display || *display > 65535)
      throw UsageError(
          fmt::format("'{}' is no display or port; give :1, :5901 or 8443/tcp", printable(value)));
    return who_number(house, *display);
  }
  if (const auto mac = mac_of_ipv6(value)) return who_ipv6(house, value, *mac);
  if (value.ends_with("/tcp") || value.ends_with("/udp"))
    if (const auto port = number(std::string_view(value).substr(0, value.size() - 4));
        port && *port >= 1 && *port <= 65535)
      return who_port(house, *port, value.ends_with("/udp"));
  if (const auto net = parse_ipv4_net(value))
    return find_owners_of_span(house, {net->first(), net->last()});
  if (const auto ranges = parse_ranges(value); ranges && ranges->size() == 1)
    return find_owners_of_span(house, ranges->front());
  refuse_garbage(value);
  if (value.find('/') != std::string::npos) {
    auto owners = find_owners_of_file(house, value);
    return owners.empty() ? find_owners_by_name(house, value) : owners;
  }
  if (const auto pid = number(value)) {
    auto owners = who_pid(house, static_cast<int>(*pid));
    return owners.empty() && *pid >= 1 && *pid <= 65535 ? who_ports(house, *pid) : owners;
  }
  if (is_interface_name(value)) return who_link(house, value);
  throw UsageError(
      fmt::format("'{}' is no MAC, address, display (:N), port (N/tcp), tap, path, UUID or pid",
                  printable(value)));
}

}  // namespace nutshell
