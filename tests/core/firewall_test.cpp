// The table for each kind of network and for all of them together, as it is given to nft; what
// tells one content from another; and the words and prefixes of networks.
#include "nutshell/firewall.hpp"

#include <doctest/doctest.h>

#include "golden/golden.hpp"

using namespace nutshell;

namespace {

FirewallNetwork network(const char* name, NetworkMode mode, const char* subnet,
                        const char* ipv6 = "") {
  return {name, name, mode, *parse_ipv4_net(subnet), ipv6};
}

const FirewallNetwork nat = network("nutshell0", NetworkMode::nat, "10.75.0.1/24");
const FirewallNetwork second = network("lab", NetworkMode::nat, "10.75.1.1/24", "fd00:75:1::/64");
const FirewallNetwork routed = network("dmz", NetworkMode::routed, "203.0.113.1/28");
const FirewallNetwork isolated =
    network("quiet", NetworkMode::isolated, "10.75.2.1/24", "fd00:75:2::/64");

Firewall of(std::vector<FirewallNetwork> networks) {
  Firewall made;
  made.mark = firewall_mark("ab12");
  made.networks = std::move(networks);
  return made;
}

void compare(const std::string& name, const Firewall& firewall,
             std::optional<std::uint64_t> instead_of = {}) {
  const std::string now = render_firewall(firewall, instead_of);
  const auto path = golden::folder() / (name + ".nft");
  if (std::getenv("NUTSHELL_ACCEPT")) std::ofstream(path) << now;
  INFO("file: ", name, ".nft (NUTSHELL_ACCEPT=1 writes it anew)");
  CHECK(golden::read(path) == now);
}

}  // namespace

TEST_CASE("golden tables") {
  compare("firewall_nat", of({nat}));
  compare("firewall_routed", of({routed}));
  compare("firewall_isolated", of({isolated}));
  compare("firewall_all", of({nat, second, routed, isolated}), 7);
}

TEST_CASE("isolated bridges of the host are closed, in any order") {
  Firewall firewall = of({second});
  const std::string open = firewall_comment(firewall);
  firewall.closed = {"shut", "quiet"};
  compare("firewall_closed", firewall);
  CHECK(firewall_comment(firewall) != open);
  const std::string comment = firewall_comment(firewall);
  firewall.closed = {"quiet", "shut"};
  CHECK(firewall_comment(firewall) == comment);
}

TEST_CASE("the order of the networks does not matter, their content does") {
  CHECK(render_firewall(of({nat, second}), {}) == render_firewall(of({second, nat}), {}));
  CHECK(firewall_comment(of({nat})) != firewall_comment(of({second})));
  FirewallNetwork moved = nat;
  moved.bridge = "nutshell1";
  CHECK(firewall_comment(of({nat})) != firewall_comment(of({moved})));
}

TEST_CASE("a mark is this registry's and no other's") {
  CHECK(firewall_mark("ab12") == "nutshell:ab12");
  CHECK(has_mark(firewall_comment(of({nat})), "nutshell:ab12"));
  CHECK(has_mark("nutshell:ab12", "nutshell:ab12"));
  CHECK_FALSE(has_mark("nutshell:ab123", "nutshell:ab12"));
  CHECK_FALSE(has_mark("", "nutshell:ab12"));
  CHECK_FALSE(has_mark("nutshell:ab1", "nutshell:ab12"));
  CHECK_FALSE(has_mark("my nutshell:ab12", "nutshell:ab12"));
}

TEST_CASE("what a table forwards is told to other registries") {
  Firewall firewall = of({nat});
  CHECK_FALSE(has_word(firewall_comment(firewall), "ipv4"));
  firewall.forwards_ipv4 = true;
  CHECK(has_word(firewall_comment(firewall), "ipv4"));
  CHECK_FALSE(has_word(firewall_comment(firewall), "ipv6"));
  firewall.forwards_ipv6 = true;
  CHECK(has_word(firewall_comment(firewall), "ipv6"));
  CHECK_FALSE(has_word("ipv4", "ipv4"));
}

TEST_CASE("removal goes by the handle, which nobody else gets") {
  CHECK(render_removal(12) == "delete table inet handle 12\n");
}

TEST_CASE("modes and their words") {
  for (const NetworkMode mode : {NetworkMode::nat, NetworkMode::routed, NetworkMode::isolated}) {
    NetworkMode read{};
    CHECK(from_word(to_string(mode), read));
    CHECK(read == mode);
  }
  NetworkMode unchanged = NetworkMode::routed;
  CHECK_FALSE(from_word("NAT", unchanged));
  CHECK_FALSE(from_word("", unchanged));
  CHECK(unchanged == NetworkMode::routed);
}

TEST_CASE("IPv6 prefixes that machines can have") {
  CHECK(parse_ipv6_prefix("fd00:75::/64") == "fd00:75::/64");
  CHECK(parse_ipv6_prefix("FD00:0075:0:0:0:0:0:0/64") == "fd00:75::/64");
  CHECK(parse_ipv6_prefix("2001:db8:1:2::/64") == "2001:db8:1:2::/64");
  CHECK(first_ipv6_address("fd00:75::/64") == "fd00:75::1");
  for (const char* wrong :
       {"", "/64", "fd00::", "fd00::/48", "fd00::1/64", "::/64", "fe80::/64", "febf:1::/64",
        "ff02::/64", "10.0.0.0/64", "fd00::/64 ", "fd00::g/64"}) {
    INFO("prefix: ", wrong);
    CHECK_FALSE(parse_ipv6_prefix(wrong));
  }
}

TEST_CASE("names in DNS") {
  CHECK(dns_name("web", "shop") == "web.shop.nutshell");
  CHECK(dns_domain("default") == "default.nutshell");
}
