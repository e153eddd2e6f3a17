// The host as a value, in a network namespace made for the test, with real bridges, taps, sockets
// and forwarding tables.
#include "host/observe.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "host/process.hpp"
#include "host/scratch.hpp"
#include "netns/namespace.hpp"
#include "nl/address.hpp"
#include "nl/bridge.hpp"
#include "nl/fdb.hpp"
#include "nl/neighbour.hpp"
#include "nl/route.hpp"
#include "nl/tap.hpp"

using namespace nutshell;
using namespace nutshell::host;

namespace {
Facts look(unsigned parts, std::vector<std::string> our_uuids = {}) {
  return observe({.parts = parts,
                  .cache = {},
                  .notes = Notes::nothing,
                  .qemu = {},
                  .our_uuids = std::move(our_uuids),
                  .port_low = 5900,
                  .port_high = 5999});
}
std::map<std::string, std::string> by_mac(const Facts& facts) {
  std::map<std::string, std::string> found;
  for (const MacFact& each : facts.macs) found[to_string(each.mac)] = each.holder;
  return found;
}
std::map<std::string, std::string> by_ip(const Facts& facts) {
  std::map<std::string, std::string> found;
  for (const IpFact& each : facts.ips) found[to_string(each.ip)] = each.holder;
  return found;
}
nl::Mac mac(const char* text) { return *nl::parse_mac(text); }
/// A tap that is a port of the bridge, as the launcher makes them.
nl::Tap tap(nl::Socket& socket, const std::string& name, const char* bridge,
            const std::string& alias) {
  nl::Tap made = nl::open_tap(name);
  nl::change_link(socket, name, {.up = true, .master = nl::LinkRef(bridge), .alias = alias});
  return made;
}
}  // namespace

TEST_CASE("who we are, without being asked; nothing else that was not asked for") {
  const Facts facts = look(0);
  CHECK(facts.boot_id.size() == 36);
  CHECK(facts.cpus >= 1);
  CHECK(facts.uid == ::geteuid());
  CHECK_FALSE(facts.hostname.empty());
  CHECK(facts.links.empty());
  CHECK(facts.memory_total == 0);
  CHECK_FALSE(facts.qemu);
}

TEST_CASE("memory, firmware, dnsmasq, devices") {
  const Facts facts = look(part::memory | part::firmware | part::dnsmasq | part::kvm);
  CHECK(facts.memory_total > 64 * mebi);
  CHECK(facts.memory_available <= facts.memory_total);
  CHECK(facts.ovmf_code == "/usr/share/OVMF/OVMF_CODE_4M.fd");
  CHECK(facts.ovmf_vars == "/usr/share/OVMF/OVMF_VARS_4M.fd");
  CHECK(facts.dnsmasq);
  struct stat node {};
  const bool group_may = ::stat("/dev/kvm", &node) == 0 && node.st_gid != 0;
  CHECK(facts.kvm_gid == (group_may ? std::optional<unsigned>(node.st_gid) : std::nullopt));
}

TEST_CASE("links, addresses and routes of every table") {
  netns::in_new_netns([] {
    nl::Socket socket;
    nl::make_bridge(socket, "br0", {.mac = mac("02:00:00:00:00:01"), .alias = "mine", .up = true});
    nl::add_address(socket, "br0", {.ip = *nl::Ip::parse("10.1.0.1"), .prefix = 24});
    nl::Route route;
    route.destination = *nl::Prefix::parse("10.9.0.0/16");
    route.table = 100;
    route.hops = {{.gateway = *nl::Ip::parse("10.1.0.9")}};
    nl::add_route(socket, route);
    const Facts facts = look(part::links | part::addresses | part::routes);
    const LinkFact* bridge = facts.link("br0");
    REQUIRE(bridge);
    CHECK(bridge->kind == "bridge");
    CHECK(bridge->alias == "mine");
    CHECK(to_string(bridge->mac) == "02:00:00:00:00:01");
    CHECK(bridge->up);
    CHECK(std::any_of(facts.addresses.begin(), facts.addresses.end(), [&](const AddressFact& each) {
      return each.link == bridge->index && to_string(each.net) == "10.1.0.1/24";
    }));
    CHECK(std::any_of(facts.routes.begin(), facts.routes.end(), [&](const RouteFact& each) {
      return each.table == 100 && to_string(each.destination) == "10.9.0.0/16";
    }));
    CHECK(facts.macs.empty());

    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 100; ++i) (void)look(part::links);
    MESSAGE("links alone: " << scratch::seconds_since(start) / 100 * 1e6 << " us");
    CHECK(scratch::seconds_since(start) / 100 < 0.01);
  });
}

TEST_CASE("a MAC or an address is foreign unless our mark is on the link that has it") {
  netns::in_new_netns([] {
    nl::Socket socket;
    nl::make_bridge(socket, "br0", {.mac = mac("02:00:00:00:00:01"), .up = true});
    nl::make_bridge(
        socket, "nutshell0",
        {.mac = mac("02:00:00:00:00:02"), .alias = "nutshell:network:nutshell0", .up = true});
    nl::add_address(socket, "br0", {.ip = *nl::Ip::parse("10.1.0.1"), .prefix = 24});
    nl::add_address(socket, "nutshell0", {.ip = *nl::Ip::parse("10.2.0.1"), .prefix = 24});
    const nl::Tap ours = tap(socket, "ours", "br0", "nutshell:default/web1:0");
    const nl::Tap theirs = tap(socket, "theirs", "br0", "nutshell:lookalike");
    nl::add_fdb(socket, "ours", mac("52:54:00:00:00:01"));
    nl::add_fdb(socket, "theirs", mac("52:54:00:00:00:02"));
    const auto neighbour = [&](const char* link, const char* ip, const char* address,
                               std::uint16_t state) {
      nl::Neighbour each;
      each.ip = *nl::Ip::parse(ip);
      each.mac = mac(address);
      each.state = state;
      nl::add_neighbour(socket, link, each);
    };
    neighbour("br0", "10.1.0.7", "52:54:00:00:00:03", nl::neighbour_state::stale);
    neighbour("br0", "10.1.0.8", "52:54:00:00:00:04", nl::neighbour_state::failed);
    neighbour("nutshell0", "10.2.0.7", "52:54:00:00:00:05", nl::neighbour_state::reachable);

    const Facts facts = look(part::macs | part::ips);
    const auto macs = by_mac(facts), ips = by_ip(facts);
    CHECK_FALSE(macs.contains("52:54:00:00:00:01"));
    CHECK(macs.at("52:54:00:00:00:02") == "port theirs of br0");
    CHECK(macs.at("52:54:00:00:00:03") == "neighbour 10.1.0.7 on br0");
    CHECK_FALSE(macs.contains("52:54:00:00:00:04"));
    CHECK_FALSE(macs.contains("52:54:00:00:00:05"));
    CHECK(macs.at("02:00:00:00:00:01") == "link br0");
    CHECK_FALSE(macs.contains("02:00:00:00:00:02"));
    CHECK(ips.at("10.1.0.1") == "this host, on br0");
    CHECK(ips.at("10.1.0.7") == "52:54:00:00:00:03 on br0");
    CHECK_FALSE(ips.contains("10.1.0.8"));
    CHECK_FALSE(ips.contains("10.2.0.1"));
    CHECK_FALSE(ips.contains("10.2.0.7"));
    CHECK(facts.has_foreign_port(*facts.link("br0")));
    CHECK_FALSE(facts.has_foreign_port(*facts.link("nutshell0")));
  });
}

TEST_CASE("the MACs of other QEMUs count, those of our machines do not") {
  const std::string uuid = [] {
    std::string text = scratch::get("/proc/sys/kernel/random/uuid");
    text.pop_back();
    return text;
  }();
  const std::string address = "52:54:" + uuid.substr(0, 2) + ":" + uuid.substr(2, 2) + ":" +
                              uuid.substr(4, 2) + ":" + uuid.substr(6, 2);
  process::Child qemu(std::vector<std::string>{
      "qemu-system-x86_64", "-S", "-nodefaults", "-display", "none", "-accel", "tcg", "-uuid", uuid,
      "-netdev", "user,id=n", "-device", "e1000,netdev=n,mac=" + address});
  REQUIRE(scratch::soon([&] { return by_mac(look(part::macs)).contains(address); }));
  CHECK(by_mac(look(part::macs)).at(address) == "qemu (pid " + std::to_string(qemu.pid()) + ")");
  CHECK_FALSE(by_mac(look(part::macs, {uuid})).contains(address));
}

namespace {
/// Binds 127.0.0.1 or ::1, and tells when it has.
void hold_port(int family, int port, bool listening, bool reuse, const std::string& ready) {
  const int fd = ::socket(family, SOCK_STREAM, 0), on = 1;
  if (reuse) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  int rc = -1;
  if (family == AF_INET) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    rc = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  } else {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(static_cast<std::uint16_t>(port));
    address.sin6_addr = in6addr_loopback;
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    rc = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  if (rc != 0 || (listening && ::listen(fd, 1) != 0)) ::_exit(1);
  scratch::put(ready, "");
  ::pause();
}
}  // namespace

TEST_CASE("a port is held by whoever has bound it: listening or not, by either family") {
  netns::in_new_netns([] {
    const scratch::Folder folder;
    process::Child v4([&] { hold_port(AF_INET, 5901, true, false, folder / "1"); });
    process::Child bound([&] { hold_port(AF_INET, 5902, false, false, folder / "2"); });
    process::Child v6([&] { hold_port(AF_INET6, 5903, true, false, folder / "3"); });
    process::Child shared([&] { hold_port(AF_INET, 5904, true, true, folder / "4"); });
    process::Child above([&] { hold_port(AF_INET, 6000, true, false, folder / "5"); });
    for (const char* each : {"1", "2", "3", "4", "5"})
      REQUIRE(scratch::soon([&] { return ::access((folder / each).c_str(), F_OK) == 0; }));
    std::map<unsigned, std::string> ports;
    for (const PortFact& each : look(part::ports).ports) ports[each.port] = each.holder;
    const auto holder = [](const process::Child& child) {
      return "host_observe_te (pid " + std::to_string(child.pid()) + ")";
    };
    CHECK(ports.size() == 4);
    CHECK(ports[5901] == holder(v4));
    CHECK(ports[5902] == holder(bound));
    CHECK(ports[5903] == holder(v6));
    CHECK(ports[5904] == holder(shared));
    v4.kill();
    CHECK(look(part::ports).ports.size() == 3);
  });
}

TEST_CASE("the bridge helper's ACL, as the helper reads it") {
  const scratch::Folder folder;
  const std::string acl = folder / "bridge.conf";
  const auto allowed = [&](const std::string& text) {
    scratch::put(acl, text);
    return allowed_bridges(acl, {"br0", "br1"});
  };
  using Names = std::vector<std::string>;
  CHECK(allowed_bridges(folder / "none", {"br0"}) == Names{});
  CHECK(allowed("") == Names{});
  CHECK(allowed("# allow br0\n\n  allow   virbr0  \n") == Names{"virbr0"});
  CHECK(allowed("allow all\n") == Names{"all", "br0", "br1"});
  CHECK(allowed("allow all\ndeny br1\n") == Names{"br0"});
  CHECK(allowed("deny br0\nallow br0\nallow br1") == Names{"br1"});
  CHECK(allowed("allow br0\ndeny all\n") == Names{});
  scratch::put(folder / "more", "allow br1\ninclude " + acl + "\n");
  CHECK(allowed("allow br0\ninclude " + (folder / "more") + "\ninclude /none\n") ==
        Names{"br0", "br1"});
}
