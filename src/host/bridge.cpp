// A bridge of ours is one with our mark; until the mark is set, the MAC that was noted before it
// was made tells.
#include "host/bridge.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "host/fd.hpp"
#include "nl/address.hpp"
#include "nl/bridge.hpp"
#include "nl/error.hpp"
#include "nl/route.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr std::uint32_t per_second = 100;  // the kernel's timers are in hundredths

template <typename Act>
auto told(Act act) {
  try {
    return act();
  } catch (const nl::Error& error) {
    if (error.code() == EOPNOTSUPP)
      throw Failed(fmt::format("{}; this kernel has no VLAN filtering", error.what()));
    throw Failed(error.what());
  }
}

std::optional<std::uint32_t> hundredths(const std::optional<unsigned>& seconds) {
  if (!seconds) return std::nullopt;
  return *seconds * per_second;
}

void write_setting(const std::string& path, const char* value) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), value, 1) != 1)
    throw SystemError(errno, fmt::format("{}: cannot be set", path));
}

nl::Prefix network_of(const nl::Ip& ip, unsigned length) {
  nl::Prefix prefix{ip, static_cast<std::uint8_t>(length)};
  for (std::size_t bit = length; bit < ip.size() * 8; ++bit)
    prefix.ip.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> bit % 8));
  return prefix;
}

bool overlap(const nl::Prefix& a, const nl::Prefix& b) {
  if (a.ip.family != b.ip.family) return false;
  const std::uint8_t shorter = std::min(a.length, b.length);
  return network_of(a.ip, shorter) == network_of(b.ip, shorter);
}

nl::Address address_of(const std::string& text) {
  const auto prefix = nl::Prefix::parse(text);
  if (!prefix) throw Failed(fmt::format("{} is no address", text));
  nl::Address address;
  address.ip = prefix->ip;
  address.prefix = prefix->length;
  if (prefix->ip.family == nl::Family::v6) address.flags = nl::address_flag::no_dad;
  if (prefix->ip.family == nl::Family::v4 && prefix->length < 31)
    address.broadcast = nl::Ip::v4(prefix->ip.as_v4() | (0xffffffffU >> prefix->length));
  return address;
}

}  // namespace

std::vector<BridgeFact> list_bridges() {
  return told([] {
    nl::Socket socket;
    std::vector<BridgeFact> all;
    const auto addresses = nl::list_addresses(socket);
    for (const nl::Link& link : nl::list_links(socket, {.kind = "bridge", .counters = false})) {
      BridgeFact fact{.name = link.name,
                      .mac = link.mac ? nl::to_text(*link.mac) : "",
                      .alias = link.alias,
                      .mtu = link.mtu,
                      .up = link.up};
      try {
        const nl::BridgeSettings settings = nl::bridge_settings(socket, link);
        fact.stp = settings.stp;
        fact.vlan_filtering = settings.vlan_filtering;
        fact.forward_delay = settings.forward_delay / double{per_second};
        fact.hello = settings.hello_time / double{per_second};
        fact.max_age = settings.max_age / double{per_second};
        for (const nl::BridgePort& port : nl::list_ports(socket, link))
          fact.ports.push_back({port.link.name, port.link.alias, nl::to_string(port.state)});
      } catch (const nl::Error& error) {
        if (error.code() == ENODEV) continue;  // it went while we looked
        throw;
      }
      for (const nl::Address& address : addresses)
        if (address.index == link.index) fact.addresses.push_back(address.text());
      all.push_back(std::move(fact));
    }
    return all;
  });
}

void make_host_bridge(const NewBridge& wish) {
  told([&] {
    nl::Socket socket;
    nl::make_bridge(socket, wish.name,
                    {.mac = nl::parse_mac(wish.mac),
                     .mtu = wish.mtu,
                     .stp = wish.stp,
                     .forward_delay = hundredths(wish.forward_delay),
                     .hello_time = hundredths(wish.hello),
                     .max_age = hundredths(wish.max_age),
                     .vlan_filtering = wish.vlan_filtering ? std::optional(true) : std::nullopt,
                     .alias = wish.mark});
    try {
      if (wish.isolated) {
        write_setting(fmt::format("/proc/sys/net/ipv4/conf/{}/forwarding", wish.name), "0");
        write_setting(fmt::format("/proc/sys/net/ipv6/conf/{}/forwarding", wish.name), "0");
      }
      for (const std::string& text : wish.addresses)
        nl::add_address(socket, wish.name, address_of(text));
      nl::set_up(socket, wish.name);
    } catch (...) {
      nl::remove_bridge(socket, wish.name);
      throw;
    }
  });
}

void drop_host_bridge(const std::string& name, const std::string& mark, const std::string& mac) {
  told([&] {
    nl::Socket socket;
    const auto link = nl::find_link(socket, name);
    if (!link) return;
    const bool ours = link->kind == "bridge" &&
                      (link->alias == mark || (link->alias.empty() && link->mac && !mac.empty() &&
                                               nl::to_text(*link->mac) == mac));
    if (!ours)
      throw Conflict(
          fmt::format("bridge {}: is not nutshell's (it carries no mark of this "
                      "registry), and is left alone",
                      name));
    const auto ports = nl::list_links(socket, {.master = link->index, .counters = false});
    if (!ports.empty())
      throw Conflict(fmt::format("bridge {}: {} is still a port of it, so it is left alone", name,
                                 ports.front().name));
    nl::remove_bridge(socket, *link);
  });
}

void put_on_bridge(const std::string& port, const std::string& bridge, const PortWish& wish) {
  told([&] {
    nl::Socket socket;
    if (wish.any()) {  // no frame passes before the port is as wished
      nl::change_link(socket, port, {.up = false});
      nl::set_master(socket, {port, bridge});
      put_port(port, wish);
    }
    nl::change_link(socket, port, {.up = true, .master = bridge});
    nl::set_up(socket, bridge);
  });
}

std::optional<std::string> interface_address(const std::string& text) {
  const auto prefix = nl::Prefix::parse(text);
  if (!prefix || text.find('/') == std::string::npos || prefix->length == 0) return std::nullopt;
  const bool v4 = prefix->ip.family == nl::Family::v4;
  const std::uint8_t first = prefix->ip.bytes[0];
  if (first == 0 || (v4 ? first >= 224 || first == 127 : first == 0xff)) return std::nullopt;
  if (v4 && prefix->length < 31) {
    const std::uint32_t host = prefix->ip.as_v4() & (0xffffffffU >> prefix->length);
    if (host == 0 || host == (0xffffffffU >> prefix->length)) return std::nullopt;
  }
  return prefix->ip.text() + "/" + std::to_string(prefix->length);
}

std::optional<std::string> overlapping_network(const std::string& address) {
  return told([&]() -> std::optional<std::string> {
    const auto wanted = nl::Prefix::parse(address);
    if (!wanted) return std::nullopt;
    nl::Socket socket;
    std::map<int, std::string> names;
    for (const nl::Link& link : nl::list_links(socket, {.counters = false}))
      names[link.index] = link.name;
    for (const nl::Address& each : nl::list_addresses(socket))
      if (each.scope == 0 && overlap(*wanted, {each.ip, each.prefix}))
        return fmt::format("{} has {}", names[each.index], each.text());
    for (const nl::Route& route : nl::list_routes(socket)) {
      const bool whole = route.destination.length < 2;  // the default, and the halves of a VPN
      if (whole || route.type != nl::RouteType::unicast || route.hops.empty()) continue;
      if (overlap(*wanted, route.destination))
        return fmt::format("{} is routed over {}", route.text(), names[route.hops.front().index]);
    }
    return std::nullopt;
  });
}

}  // namespace nutshell::host
