// Policy rules against the real kernel, with `ip -j rule` as the witness.
#include "nl/rule.hpp"

#include "netns/namespace.hpp"
#include "witness.hpp"

using netns::in_new_netns;
using witness::refusal;

TEST_CASE("a rule is added, listed and removed") {
  in_new_netns([] {
    nl::Socket socket;
    CHECK(nl::list_rules(socket, nl::Family::v4).size() == 3);
    nl::Rule rule;
    rule.priority = 100;
    rule.source = nl::Prefix::parse("10.0.0.0/8").value();
    rule.table = 4711;
    nl::add_rule(socket, rule);
    const auto other = witness::ip("rule show prio 100")[0];
    CHECK(other["src"] == "10.0.0.0");
    CHECK(other["srclen"] == 8);
    CHECK(other["table"] == "4711");
    const auto rules = nl::list_rules(socket, nl::Family::v4);
    REQUIRE(rules.size() == 4);
    CHECK(rules[1].priority == 100);
    CHECK(rules[1].table == 4711);
    CHECK_FALSE(rules[1].suppress_prefix_length);
    CHECK_FALSE(rules[1].source_ports);
    CHECK_FALSE(rules[1].uids);
    CHECK(rules[1].source.text() == "10.0.0.0/8");
    CHECK(rules[1].text() == "100 from 10.0.0.0/8 table 4711");
    const auto said = refusal([&] { nl::add_rule(socket, rule); });
    CHECK(said.code == EEXIST);
    CHECK(said.words == "rule 100 from 10.0.0.0/8 table 4711: cannot add: it exists already");
    nl::remove_rule(socket, rule);
    CHECK(nl::list_rules(socket, nl::Family::v4).size() == 3);
    CHECK(refusal([&] { nl::remove_rule(socket, rule); }).code == ENOENT);
  });
}

TEST_CASE("what was listed can be put back as it was") {
  in_new_netns([] {
    nl::Socket socket;
    for (const char* line :
         {"prio 10 from 10.0.0.0/8 to 192.0.2.0/24 lookup 100",
          "prio 11 fwmark 0x10/0xf0 lookup 200", "prio 12 iif lo lookup 300",
          "prio 13 oif lo lookup 300", "prio 14 not from 10.1.0.0/16 unreachable",
          "prio 15 ipproto tcp dport 80-90 lookup 100", "prio 16 ipproto udp sport 53 lookup 100",
          "prio 17 uidrange 1000-2000 lookup 100", "prio 18 lookup main suppress_prefixlength 0",
          "prio 19 goto 32766", "prio 20 blackhole", "prio 21 to 192.0.2.1 tos 0x10 prohibit",
          "prio 22 lookup main protocol static"}) {
      CAPTURE(line);
      witness::output_of(std::string("ip rule add ") + line);
    }
    witness::output_of("ip -6 rule add prio 10 from fd00::/8 lookup 100");
    const auto dump = [] { return witness::output_of("ip -d -4 rule; ip -d -6 rule"); };
    const std::string before = dump();
    std::vector<nl::Rule> ours;
    for (const auto& rule : nl::list_rules(socket)) {
      if (rule.priority > 0u && rule.priority < 100u) ours.push_back(rule);
    }
    CHECK(ours.size() == 14);
    for (const auto& rule : ours) nl::remove_rule(socket, rule);
    CHECK(nl::list_rules(socket).size() == 5);  // local, main, default; IPv6 has no default
    for (const auto& rule : ours) nl::add_rule(socket, rule);
    CHECK(dump() == before);
  });
}
