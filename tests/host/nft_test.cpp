// The real nft in namespaces of the test's own: each golden table is taken, found again by its mark
// and handle, replaced and removed, and what strangers have is the same before and after.
#include "host/nft.hpp"

#include <doctest/doctest.h>

#include "golden/golden.hpp"
#include "host/tool.hpp"
#include "netns/namespace.hpp"
#include "nutshell/error.hpp"
#include "nutshell/firewall.hpp"
#include "nutshell/guard.hpp"

using namespace nutshell;
using namespace nutshell::host;

namespace {

std::string ruleset() {
  return output_of({.argv = {"nft", "-j", "list", "ruleset"}, .input = {}, .environment = {}});
}

Firewall one_network() {
  Firewall made;
  made.mark = firewall_mark("ab12");
  made.networks = {
      {"nutshell0", "nutshell0", NetworkMode::nat, *parse_ipv4_net("10.75.0.1/24"), ""}};
  return made;
}

constexpr const char* stranger =
    "table inet nutshell-like { comment \"nutshell:ab12\"; chain forward { type filter hook "
    "forward "
    "priority 0; policy drop; }; }\ntable ip nutshell { chain c { counter; }; }\n";

}  // namespace

TEST_CASE("each golden table is taken by nft") {
  for (const char* name : {"firewall_nat", "firewall_routed", "firewall_isolated"}) {
    CAPTURE(name);
    netns::in_new_netns([&] {
      CHECK_FALSE(find_table("nutshell"));
      apply_rules(golden::read(golden::folder() / (std::string(name) + ".nft")));
      const auto table = find_table("nutshell");
      REQUIRE(table);
      CHECK(has_mark(table->comment, "nutshell:ab12"));
      apply_rules(render_removal(table->handle));
      CHECK_FALSE(find_table("nutshell"));
    });
  }
}

TEST_CASE("a table is replaced as a whole, and strangers' stay as they are") {
  netns::in_new_netns([] {
    apply_rules(stranger);
    const std::string before = ruleset();
    CHECK(list_tables() == std::vector<std::string>{"nutshell-like"});
    Firewall firewall = one_network();
    apply_rules(render_firewall(firewall, {}));
    const auto first = find_table("nutshell");
    REQUIRE(first);
    CHECK(first->comment == firewall_comment(firewall));
    firewall.networks.front().mode = NetworkMode::isolated;
    apply_rules(render_firewall(firewall, first->handle));
    const auto second = find_table("nutshell");
    REQUIRE(second);
    CHECK(second->comment == firewall_comment(firewall));
    CHECK(second->handle != first->handle);

    // What was seen is no longer there: nothing happens.
    const std::string then = ruleset();
    CHECK_THROWS_AS(apply_rules(render_firewall(one_network(), first->handle)), CommandFailed);
    CHECK_THROWS_AS(apply_rules(render_firewall(one_network(), {})), CommandFailed);
    CHECK_THROWS_AS(apply_rules(render_removal(first->handle)), CommandFailed);
    CHECK(ruleset() == then);

    apply_rules(render_removal(second->handle));
    CHECK(ruleset() == before);
  });
}

TEST_CASE("a stranger's table of our name is not replaced") {
  netns::in_new_netns([] {
    apply_rules("table inet nutshell { chain theirs { }; }\n");
    const auto theirs = find_table("nutshell");
    REQUIRE(theirs);
    CHECK(theirs->comment.empty());
    CHECK_FALSE(has_mark(theirs->comment, "nutshell:ab12"));
    const std::string before = ruleset();
    CHECK_THROWS_AS(apply_rules(render_firewall(one_network(), {})), CommandFailed);
    CHECK(ruleset() == before);
  });
}

TEST_CASE("what nft prints of a table") {
  CHECK(parse_table("table inet nutshell { # handle 41\n\tcomment \"nutshell:ab12 00\"\n}\n")
            .handle == 41);
  CHECK(parse_table("table inet x { # handle 3\n\tcomment \"a b\"\n}\n").comment == "a b");
  CHECK(parse_table("table inet x { # handle 3\n\tchain c {\n\t\tcomment \"no\"\n}\n").comment ==
        "");
  CHECK_THROWS_AS(parse_table("table inet x {\n}\n"), Failed);
  CHECK_THROWS_AS(parse_table(""), Failed);
}

TEST_CASE("the digest tells a table that somebody has changed, which the comment does not") {
  netns::in_new_netns([] {
    apply_rules(render_firewall(one_network(), {}));
    const auto made = find_table("nutshell");
    REQUIRE(made);
    CHECK(find_table("nutshell")->digest == made->digest);
    // Machines and groups come and go, wherever nft shows what is theirs.
    GuestNic nic;
    nic.tap = "ntab12-1";
    nic.mark = "nutshell:shop/web:0";
    nic.cloud = "shop";
    nic.mac = *parse_mac("52:54:00:00:00:01");
    nic.ip = *parse_ipv4("10.75.0.2");
    nic.guarded = nic.routed = nic.isolated = true;
    nic.groups = {"web"};
    apply_rules(render_guests({"", "nutshell"}, {nic}, {}));
    CHECK(find_table("nutshell")->digest == made->digest);
    apply_rules(render_guests_removal({"", "nutshell"}, {nic}, {}, {}));
    CHECK(find_table("nutshell")->digest == made->digest);
    apply_rules("flush chain inet nutshell forward\n");
    const auto flushed = find_table("nutshell");
    REQUIRE(flushed);
    CHECK(flushed->comment == made->comment);
    CHECK(flushed->digest != made->digest);
  });
}
