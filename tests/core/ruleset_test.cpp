// Who drops a packet, told from listings as nft and iptables print them.
#include "nutshell/ruleset.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <string>

using namespace nutshell;

namespace {

std::string nft(const std::string& items) {
  return R"({"nftables":[{"metainfo":{"version":"1.0.6"}},)" + items + "]}";
}

/// Hits point into the ruleset, so it has to live on.
const Ruleset& kept(const std::string& items) {
  static std::deque<Ruleset> all;
  return all.emplace_back(parse_nft_ruleset(nft(items)));
}

const std::string docker =
    R"({"chain":{"family":"ip","table":"filter","name":"FORWARD","handle":1,"type":"filter","hook":"forward","prio":0,"policy":"drop"}},
{"chain":{"family":"ip","table":"filter","name":"DOCKER-USER","handle":2}},
{"chain":{"family":"ip","table":"filter","name":"DOCKER-FORWARD","handle":3}},
{"rule":{"family":"ip","table":"filter","chain":"FORWARD","handle":4,"expr":[{"counter":{"packets":0,"bytes":0}},{"jump":{"target":"DOCKER-USER"}}]}},
{"rule":{"family":"ip","table":"filter","chain":"FORWARD","handle":5,"expr":[{"jump":{"target":"DOCKER-FORWARD"}}]}},
{"rule":{"family":"ip","table":"filter","chain":"DOCKER-FORWARD","handle":7,"expr":[{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"docker0"}},{"accept":null}]}})";

Crossing bridged() {
  Crossing crossing;
  crossing.family = "ip";
  crossing.hook = "forward";
  crossing.known = {{About::iif, "br0"},     {About::oif, "br0"},     {About::state, "new"},
                    {About::bridged, "yes"}, {About::family, "ipv4"}, {About::source, "10.0.0.5"}};
  return crossing;
}

std::string cure(const Ruleset& ruleset, Passage passage, bool iptables = true) {
  const auto hits = find_drops(ruleset, bridged());
  return hits.empty() ? "" : cure_for(ruleset, hits.back(), passage, iptables);
}

std::string rule(const std::string& chain, const std::string& statements) {
  return R"(,{"rule":{"family":"ip","table":"filter","chain":")" + chain + R"(","expr":[)" +
         statements + "]}}";
}

const std::string iif = R"({"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"br0"}},)";

TEST_CASE("Rules about a link that is a port of a bridge now are stale") {
  Ruleset ruleset;
  merge_iptables(ruleset,
                 "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n"
                 "-A INPUT -i em1 -p icmp -j ACCEPT\n"
                 "-A INPUT -i em1 -p tcp -m tcp --dport 22 -j ACCEPT\n"
                 "-A INPUT -i br0 -p tcp -m tcp --dport 22 -j ACCEPT\n"
                 "-A FORWARD -m physdev --physdev-in em1 -j DROP\n"
                 "-A FORWARD ! -o em1 -j DROP\nCOMMIT\n",
                 "ip", false);
  const auto stale = find_stale(ruleset, "em1", "br0");
  REQUIRE(stale.size() == 1);
  CHECK(stale[0].count == 2);  // ICMP, and what goes out elsewhere
  CHECK(stale[0].chain->name == "INPUT");
  CHECK(cure_for_stale(ruleset, stale[0], "em1", "br0", true) ==
        "iptables-save -t filter | sed 's/ \\(-[io]\\) em1 / \\1 br0 /g' | iptables-restore -T "
        "filter");
  CHECK(find_stale(ruleset, "em2", "br0").empty());
}

}  // namespace

TEST_CASE("a policy of drop is found, and whose it is") {
  const Ruleset ruleset = parse_nft_ruleset(nft(docker));
  const auto hits = find_drops(ruleset, bridged());
  REQUIRE(hits.size() == 1);
  CHECK(hits[0].certain);
  CHECK(describe(hits[0]) == "ip filter FORWARD, whose policy is drop");
  CHECK(owner_of(ruleset, *hits[0].base) == FilterOwner::docker);
  CHECK(cure(ruleset, {Passage::Kind::bridged, "br0", ""}) ==
        "iptables -I DOCKER-USER -i br0 -o br0 -j ACCEPT");
  CHECK(cure(ruleset, {Passage::Kind::bridged, "br0", ""}, false) ==
        "nft insert rule ip filter DOCKER-USER iifname br0 oifname br0 accept");
  CHECK(cure(ruleset, {Passage::Kind::routed, "nat0", ""}) ==
        "iptables -I DOCKER-USER -i nat0 -j ACCEPT && iptables -I DOCKER-USER -o nat0 -j ACCEPT");
}

TEST_CASE("what lets it through before ends the chain") {
  CHECK(find_drops(kept((docker + rule("DOCKER-USER", iif + R"({"accept":null})"))), bridged())
            .empty());
}

TEST_CASE("what lets through some packets alone does not") {
  const auto hits = find_drops(
      kept((
          docker +
          rule(
              "DOCKER-USER",
              R"({"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":22}},{"accept":null})") +
          rule(
              "DOCKER-USER",
              R"({"match":{"op":"in","left":{"ct":{"key":"state"}},"right":["established","related"]}},{"accept":null})"))),
      bridged());
  REQUIRE(hits.size() == 1);
  CHECK(hits[0].certain);
}

TEST_CASE("what cannot be read makes it a perhaps") {
  const auto hits = find_drops(
      kept((docker +
            rule("DOCKER-USER", R"({"xt":{"type":"match","name":"physdev"}},{"accept":null})"))),
      bridged());
  REQUIRE(hits.size() == 1);
  CHECK_FALSE(hits[0].certain);
}

TEST_CASE("a rule about other packets drops none of ours, one about some of them perhaps") {
  const std::string chain =
      R"({"chain":{"family":"ip","table":"filter","name":"fwd","hook":"forward","prio":5,"policy":"accept"}})";
  const auto drop_from = [&](const std::string& net) {
    return find_drops(
        kept((
            chain +
            rule(
                "fwd",
                R"({"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":)" +
                    net + R"(}},{"counter":{"packets":7,"bytes":9}},{"drop":null})"))),
        bridged());
  };
  CHECK(drop_from("\"10.0.0.6\"").empty());
  CHECK(drop_from(R"({"prefix":{"addr":"10.1.0.0","len":16}})").empty());
  const auto hits = drop_from(R"({"set":["10.7.0.1",{"prefix":{"addr":"10.0.0.0","len":24}}]})");
  REQUIRE(hits.size() == 1);
  CHECK(hits[0].certain);
  CHECK(count_of(hits[0]) == 7);
  CHECK(describe(hits[0]) == "ip filter fwd, by a rule that drops");
  const auto some = find_drops(
      kept((
          chain +
          rule(
              "fwd",
              R"({"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},"right":53}},{"drop":null})"))),
      bridged());
  REQUIRE(some.size() == 1);
  CHECK_FALSE(some[0].certain);
}

TEST_CASE("verdict maps and named sets are followed") {
  const std::string chain =
      R"({"map":{"family":"ip","table":"filter","name":"ways","type":"ifname","map":"verdict","elem":[["eth0",{"accept":null}],["br0",{"goto":{"target":"mine"}}]]}},
{"chain":{"family":"ip","table":"filter","name":"mine"}},
{"chain":{"family":"ip","table":"filter","name":"fwd","hook":"forward","prio":5,"policy":"accept"}})";
  const auto hits = find_drops(
      kept((chain + rule("fwd", R"({"vmap":{"key":{"meta":{"key":"iifname"}},"data":"@ways"}})") +
            rule("mine", R"({"reject":null})"))),
      bridged());
  REQUIRE(hits.size() == 1);
  CHECK(hits[0].certain);
  CHECK(describe(hits[0]) == "ip filter mine, by a rule that rejects");
}

TEST_CASE("iptables-save shows what nft's JSON leaves out") {
  Ruleset ruleset = parse_nft_ruleset(nft(
      docker + rule("DOCKER-USER", R"({"xt":{"type":"match","name":"physdev"}},{"accept":null})")));
  CHECK(ruleset.has_iptables("ip"));
  merge_iptables(ruleset,
                 "*filter\n:FORWARD DROP [3:1]\n:DOCKER-USER - [0:0]\n"
                 "[5:50] -A FORWARD -j DOCKER-USER\n"
                 "[0:0] -A DOCKER-USER -i docker+ -m comment --comment \"not -j DROP\" -j DROP\n"
                 "[0:0] -A DOCKER-USER -m physdev --physdev-is-bridged -m conntrack --ctstate "
                 "RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n",
                 "ip", false);
  auto hits = find_drops(ruleset, bridged());
  REQUIRE(hits.size() == 1);
  CHECK(hits[0].certain);
  CHECK(count_of(hits[0]) == 3);
  merge_iptables(ruleset,
                 "*filter\n:FORWARD DROP [3:1]\n-A FORWARD -m physdev --physdev-is-bridged -j "
                 "ACCEPT\nCOMMIT\n",
                 "ip", false);
  CHECK(find_drops(ruleset, bridged()).empty());
}

TEST_CASE("iptables-legacy is a filter of its own beside nft's") {
  Ruleset ruleset;
  merge_iptables(ruleset, "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\nCOMMIT\n", "ip",
                 true);
  CHECK(cure(ruleset, {Passage::Kind::bridged, "br0", ""}) ==
        "iptables-legacy -I FORWARD -i br0 -o br0 -j ACCEPT");
}

TEST_CASE("what a machine asks of the host is looked at by protocol and port") {
  Crossing dhcp{"ip",
                "input",
                {{About::iif, "nat0"},
                 {About::protocol, "udp"},
                 {About::port, "67"},
                 {About::destination_type, "broadcast"},
                 {About::state, "new"}},
                ""};
  const auto dropped = [&](const std::string& rules) {
    Ruleset ruleset;
    merge_iptables(ruleset,
                   "*filter\n:INPUT DROP [0:0]\n:ufw-before-input - [0:0]\n:ufw-not-local - "
                   "[0:0]\n-A INPUT -j ufw-before-input\n" +
                       rules + "COMMIT\n",
                   "ip", false);
    const auto hits = find_drops(ruleset, dhcp);
    return hits.empty() ? std::string()
                        : cure_for(ruleset, hits.back(), {Passage::Kind::host, "nat0", ""}, true);
  };
  CHECK(dropped("") == "ufw allow in on nat0");
  CHECK(dropped("-A ufw-before-input -p tcp --dport 67 -j ACCEPT\n") == "ufw allow in on nat0");
  CHECK(dropped("-A ufw-before-input -p udp -m multiport --dports 53,67:68 -j ACCEPT\n").empty());
  CHECK(dropped("-A ufw-before-input -j ufw-not-local\n"
                "-A ufw-not-local -m addrtype --dst-type BROADCAST -j RETURN\n"
                "-A ufw-not-local -j DROP\n"
                "-A ufw-before-input -i nat0 -j ACCEPT\n")
            .empty());
}

TEST_CASE("ports of nft: alone, in ranges, in sets") {
  const auto hits = [](const std::string& port) {
    const Ruleset ruleset = parse_nft_ruleset(nft(
        R"({"chain":{"family":"ip","table":"filter","name":"in","hook":"input","prio":5,"policy":"drop"}})" +
        rule(
            "in",
            R"({"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},"right":)" +
                port + R"(}},{"accept":null})")));
    return find_drops(ruleset, {"ip", "input", {{About::protocol, "udp"}, {About::port, "67"}}, ""})
        .size();
  };
  CHECK(hits("67") == 0);
  CHECK(hits("68") == 1);
  CHECK(hits(R"({"range":[60,70]})") == 0);
  CHECK(hits(R"({"set":[53,{"range":[67,68]}]})") == 0);
}

TEST_CASE("ufw and firewalld are told by their chains") {
  Ruleset ruleset;
  merge_iptables(ruleset,
                 "*filter\n:FORWARD DROP [0:0]\n:ufw-before-forward - [0:0]\n-A FORWARD -j "
                 "ufw-before-forward\nCOMMIT\n",
                 "ip", false);
  CHECK(cure(ruleset, {Passage::Kind::bridged, "br0", ""}) ==
        "ufw route allow in on br0 out on br0");
  const Ruleset firewalld = parse_nft_ruleset(nft(
      R"({"chain":{"family":"inet","table":"firewalld","name":"filter_FORWARD","hook":"forward","prio":10,"policy":"accept"}},
{"rule":{"family":"inet","table":"firewalld","chain":"filter_FORWARD","expr":[{"reject":{"type":"icmpx","expr":"admin-prohibited"}}]}})"));
  CHECK(cure(firewalld, {Passage::Kind::bridged, "br0", ""}) ==
        "firewall-cmd --permanent --zone=trusted --add-interface=br0 && firewall-cmd --reload");
}

TEST_CASE("the bridge family sees ports") {
  const Ruleset ruleset = parse_nft_ruleset(nft(
      R"({"chain":{"family":"bridge","table":"lan","name":"fwd","hook":"forward","prio":0,"policy":"drop"}})"));
  const auto hits = find_drops(ruleset, {"bridge", "forward", {{About::iif, "em1"}}, ""});
  REQUIRE(hits.size() == 1);
  CHECK(cure_for(ruleset, hits[0], {Passage::Kind::ports, "br0", "nt12ab-*"}, true) ==
        "nft insert rule bridge lan fwd iifname '\"nt12ab-*\"' accept && nft insert rule bridge "
        "lan fwd oifname '\"nt12ab-*\"' accept");
  CHECK(find_drops(ruleset, bridged()).empty());
}

TEST_CASE("devices of netdev chains come from the text") {
  Ruleset ruleset = parse_nft_ruleset(nft(
      R"({"chain":{"family":"netdev","table":"lab","name":"in","hook":"ingress","prio":0,"policy":"drop"}},
{"chain":{"family":"netdev","table":"lab","name":"two","hook":"ingress","prio":5,"policy":"drop"}})"));
  add_devices(ruleset,
              "table netdev lab {\n\tchain in {\n\t\ttype filter hook ingress device \"em1\" "
              "priority filter; policy drop;\n\t}\n\tchain two {\n\t\ttype filter hook ingress "
              "devices = { em2, em3 } priority filter + 5; policy drop;\n\t}\n}\n");
  CHECK(ruleset.chains[0].devices == std::vector<std::string>{"em1"});
  CHECK(ruleset.chains[1].devices == std::vector<std::string>{"em2", "em3"});
  CHECK(find_drops(ruleset, {"netdev", "ingress", {}, "em1"}).size() == 1);
}

TEST_CASE("what is no listing is refused") {
  CHECK_THROWS(parse_nft_ruleset("{}"));
  CHECK_THROWS(parse_nft_ruleset(""));
}
