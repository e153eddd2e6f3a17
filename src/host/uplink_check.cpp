// Every reason here is a way in which somebody lost a host: a link that cannot forward (Wi-Fi), a
// receive path that is taken already (bonds, macvlans), or a service that puts the address back on
// the uplink a minute later.
#include "host/uplink_check.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "host/files.hpp"
#include "host/proc.hpp"
#include "host/tool.hpp"
#include "nl/error.hpp"
#include "nl/link.hpp"
#include "nl/route.hpp"
#include "nutshell/error.hpp"
#include "nutshell/facts.hpp"
#include "nutshell/values.hpp"

namespace nutshell::host {
namespace {

constexpr std::uint16_t ethernet = 1;  // ARPHRD_ETHER
constexpr std::array takes_frames{"macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"};
constexpr std::array dhcp_clients{"dhclient", "dhcpcd", "udhcpc", "dhcp6c", "odhcp6c"};
constexpr const char* interfaces = "/etc/network/interfaces";

[[noreturn]] void refuse(const std::string& uplink, const std::string& why) {
  throw Conflict(fmt::format("{} {}", uplink, why));
}

void check_master(nl::Socket& socket, const nl::Link& link) {
  if (link.master == 0) return;
  const auto master = nl::find_link(socket, link.master);
  const std::string name = master ? master->name : "another link";
  const std::string kind = master ? master->kind : "";
  if (kind == "bridge")
    refuse(link.name, fmt::format("is a port of the bridge {} already; use that bridge", name));
  refuse(link.name, fmt::format("is a member of the {} {}; name {} as the uplink",
                                kind.empty() ? "link" : kind, name, name));
}

void check_children(nl::Socket& socket, const nl::Link& link) {
  for (const nl::Link& child : nl::list_links(socket, {.counters = false})) {
    if (child.peer != link.index ||
        std::find(takes_frames.begin(), takes_frames.end(), child.kind) == takes_frames.end())
      continue;
    const std::string whose =
        is_mark(child.alias)
            ? fmt::format(" of the machine {}", child.alias.substr(9, child.alias.rfind(':') - 9))
            : "";
    refuse(link.name,
           fmt::format("has the {} {}{} on it, which takes its frames; remove that first",
                       child.kind, child.name, whose));
  }
}

void check_routes(nl::Socket& socket, const nl::Link& link) {
  for (const nl::Route& route : nl::list_routes(socket))
    if (route.nexthop_object != 0)
      for (const nl::NextHop& hop : route.hops)
        if (hop.index == link.index)
          refuse(link.name, fmt::format("is used by the nexthop object {} (route {}), which cannot "
                                        "be moved; route over the link itself",
                                        route.nexthop_object, route.text()));
}

bool is_wireless(const std::string& name) {
  const std::string folder = "/sys/class/net/" + name;
  return file_exists(folder + "/phy80211") || file_exists(folder + "/wireless");
}

/// The value of KEY= in a file of KEY=VALUE lines.
std::string value_in(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(key + "=")) return line.substr(key.size() + 1);
  return "";
}

int index_of(const std::string& name) {
  nl::Socket socket;
  const auto link = nl::find_link(socket, name);
  return link ? link->index : 0;
}

std::string text_of(const std::string& path) {
  try {
    return read_file(path).value_or("");
  } catch (const Error&) {
    return "";  // not ours to read: then nothing is known of it
  }
}

bool has_stanza(const std::string& text, const std::string& uplink) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first, second, family, method;
    words >> first >> second >> family >> method;
    if (first == "iface" && second == uplink && method != "manual") return true;
  }
  return false;
}

/// The file of ifupdown that has an `iface` stanza of that link; "" for none.
std::string ifupdown_file(const std::string& uplink) {
  if (has_stanza(text_of(interfaces), uplink)) return interfaces;
  std::error_code error;
  for (const auto& file :
       std::filesystem::directory_iterator(std::string(interfaces) + ".d", error))
    if (has_stanza(text_of(file.path().string()), uplink)) return file.path().string();
  std::istringstream up(text_of("/run/network/ifstate"));
  for (std::string line; std::getline(up, line);)
    if (line == uplink || line.starts_with(uplink + "=")) return "/run/network/ifstate";
  return "";
}

std::string network_of(const std::string& pid) {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/" + pid + "/ns/net", error).string();
}

/// "dhclient (pid 311)"; "" for none. Those of other network namespaces look after other links.
std::string dhcp_client(const std::string& uplink) {
  const std::string here = network_of("self");
  for (const int pid : pids()) {
    const std::vector<std::string> argv = command_line(pid);
    if (argv.empty() || std::find(argv.begin(), argv.end(), uplink) == argv.end()) continue;
    for (const std::string& word : {argv[0], argv.size() > 1 ? argv[1] : argv[0]}) {
      const std::string name = word.substr(word.rfind('/') + 1);
      const bool known =
          std::find(dhcp_clients.begin(), dhcp_clients.end(), name) != dhcp_clients.end();
      if (known && network_of(std::to_string(pid)) == here)
        return fmt::format("{} (pid {})", name, pid);
    }
  }
  return "";
}

}  // namespace

void check_uplink(const std::string& uplink) {
  if (!is_interface_name(uplink))
    throw ConfigError("--uplink", fmt::format("{} can be no interface's name; `ip link` lists them",
                                              printable(uplink)));
  try {
    nl::Socket socket;
    const auto link = nl::find_link(socket, uplink);
    if (!link)
      throw NotFound(fmt::format("there is no link {}; `ip link` lists them", printable(uplink)));
    if (link->loopback)
      refuse(uplink,
             "is the loopback, which leads nowhere; name the link that has "
             "the cable");
    check_master(socket, *link);
    if (link->kind == "bridge")
      refuse(uplink, "is a bridge itself; use it as it is, with --nic bridge=" + uplink);
    if (!link->mac || link->type != ethernet)
      refuse(uplink, "is no Ethernet link, and a bridge takes no other");
    if (is_wireless(uplink))
      refuse(uplink,
             "is wireless: an access point takes frames from one MAC only, so machines "
             "behind a bridge would hear nothing; use the managed network");
    if (!link->up)
      refuse(uplink, fmt::format("is down; set it up with `ip link set {} up`", uplink));
    check_children(socket, *link);
    check_routes(socket, *link);
  } catch (const nl::Error& error) {
    throw Failed(error.what());
  }
}

std::vector<UplinkOwner> uplink_owners(const UplinkView& view) {
  std::vector<UplinkOwner> owners;
  const int index = index_of(view.uplink);
  const std::string nm = text_of(fmt::format("/run/NetworkManager/devices/{}", index));
  if (value_in(nm, "managed") == "true")
    owners.push_back({NetworkService::network_manager, "NetworkManager manages it"});
  const std::string state =
      value_in(text_of(fmt::format("/run/systemd/netif/links/{}", index)), "ADMIN_STATE");
  if (!state.empty() && state != "unmanaged")
    owners.push_back({NetworkService::networkd, "systemd-networkd manages it"});
  if (const std::string file = ifupdown_file(view.uplink); !file.empty())
    owners.push_back({NetworkService::ifupdown, fmt::format("ifupdown manages it ({})", file)});
  if (const std::string client = dhcp_client(view.uplink); !client.empty()) {
    owners.push_back({std::nullopt, client + " renews its address"});
    return owners;
  }
  for (const LinkAddress& address : view.addresses)
    if (owners.empty() && address.link == view.uplink && !address.is_v6() &&
        address.valid != forever)
      owners.push_back({std::nullopt, fmt::format("its address {} has a lifetime, so a DHCP client "
                                                  "renews it",
                                                  address.ip)});
  return owners;
}

std::optional<NetworkService> service_in_charge(const std::vector<UplinkOwner>& owners) {
  for (const UplinkOwner& owner : owners)
    if (owner.service) return owner.service;
  if (file_exists("/run/systemd/netif/state")) return NetworkService::networkd;
  if (file_exists(interfaces) && find_program("ifup")) return NetworkService::ifupdown;
  if (file_exists("/run/NetworkManager")) return NetworkService::network_manager;
  return std::nullopt;
}

}  // namespace nutshell::host
