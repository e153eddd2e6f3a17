// What is certain and what is a perhaps: a false alarm opens somebody's firewall for nothing.
#include <doctest/doctest.h>

#include <string>

#include "nutshell/ruleset.hpp"

using namespace nutshell;

namespace {

std::string nft(const std::string& items) {
  return R"({"nftables":[{"metainfo":{"version":"1.0.6"}},)" + items + "]}";
}

Crossing bridged() {
  Crossing crossing;
  crossing.family = "ip";
  crossing.hook = "forward";
  crossing.known = {{About::iif, "br0"},     {About::oif, "br0"},     {About::state, "new"},
                    {About::bridged, "yes"}, {About::family, "ipv4"}, {About::source, "10.0.0.5"}};
  return crossing;
}

Ruleset iptables_drop(const std::string& rules) {
  Ruleset ruleset;
  merge_iptables(ruleset, "*filter\n:FORWARD DROP [0:0]\n" + rules + "COMMIT\n", "ip", false);
  return ruleset;
}

/// "certain", "perhaps", or "" where nothing is dropped.
std::string verdict(const Ruleset& ruleset, const Crossing& crossing) {
  std::string words;
  for (const FilterHit& hit : find_drops(ruleset, crossing)) {
    if (hit.certain) return "certain";
    words = "perhaps";
  }
  return words;
}

std::string nft_verdict(const std::string& policy, const std::string& statements,
                        Crossing crossing = bridged()) {
  const std::string family = crossing.family == "bridge" ? "bridge" : "inet";
  return verdict(
      parse_nft_ruleset(nft(R"({"chain":{"family":")" + family +
                            R"(","table":"x","name":"f","hook":"forward","prio":5,"policy":")" +
                            policy + R"("}},{"rule":{"family":")" + family +
                            R"(","table":"x","chain":"f","expr":[)" + statements + "]}}")),
      crossing);
}

std::string match(const std::string& left, const std::string& right, const char* op = "==") {
  return R"({"match":{"op":")" + std::string(op) + R"(","left":)" + left + R"(,"right":)" + right +
         "}},";
}

const std::string protocol = R"({"meta":{"key":"l4proto"}})", mark = R"({"meta":{"key":"mark"}})",
                  ether = R"({"payload":{"protocol":"ether","field":"type"}})",
                  source = R"({"payload":{"protocol":"ip","field":"saddr"}})",
                  drop = R"({"drop":null})", accept = R"({"accept":null})";

}  // namespace

TEST_CASE("what may let a machine's packets through before a policy of drop makes it a perhaps") {
  CHECK(verdict(iptables_drop("-A FORWARD -s 172.16.0.0/12 -j ACCEPT\n"), bridged()) == "certain");
  CHECK(verdict(iptables_drop("-A FORWARD -d 10.75.0.0/24 -j ACCEPT\n"), bridged()) == "perhaps");
  CHECK(verdict(iptables_drop("-A FORWARD -m limit --limit 1000/sec -j ACCEPT\n"), bridged()) ==
        "perhaps");
  CHECK(verdict(iptables_drop("-A FORWARD -m mac --mac-source 02:00:00:00:00:AB -j ACCEPT\n"),
                bridged()) == "perhaps");
  CHECK(verdict(iptables_drop("-A FORWARD -p icmp -j ACCEPT\n"), bridged()) == "certain");
  CHECK(verdict(iptables_drop("-A FORWARD -p tcp -j ACCEPT\n"), bridged()) == "perhaps");
  CHECK(verdict(iptables_drop("-A FORWARD -p tcp -j ACCEPT\n-A FORWARD -p icmp -j ACCEPT\n"
                              "-A FORWARD -p udp -j ACCEPT\n"),
                bridged())
            .empty());
  CHECK(nft_verdict("drop", match(protocol, R"({"set":["tcp","udp","icmp"]})") + accept).empty());
  CHECK(nft_verdict("drop", match(source, R"("10.0.0.5")") + accept).empty());
  Crossing from_far = bridged();
  from_far.known.erase(About::source);
  CHECK(nft_verdict("drop", match(source, R"("10.0.0.5")") + accept, from_far) == "perhaps");
}

TEST_CASE("a net of which the machine is one is known as far as a rule speaks of all of it") {
  Crossing net = bridged();
  net.known[About::source] = "10.75.0.0/24";
  const auto accepting = [&](const char* from) {
    return verdict(iptables_drop(std::string("-A FORWARD -s ") + from + " -j ACCEPT\n"), net);
  };
  CHECK(accepting("10.75.0.0/16").empty());
  CHECK(accepting("10.75.0.7/32") == "perhaps");
  CHECK(accepting("10.76.0.0/24") == "certain");
  net.known[About::iif] = "nt12ab-*";
  CHECK(nft_verdict("drop", match(R"({"meta":{"key":"iifname"}})", R"("nt12ab-3")") + accept,
                    net) == "perhaps");
  CHECK(nft_verdict("drop", match(R"({"meta":{"key":"iifname"}})", R"("nt12*")") + accept, net)
            .empty());
  CHECK(nft_verdict("drop", match(R"({"meta":{"key":"iifname"}})", R"("em1")") + accept, net) ==
        "certain");
}

TEST_CASE("what drops every packet of a machine is certain, by whatever words") {
  CHECK(nft_verdict("accept", match(protocol, R"({"set":["tcp","udp","icmp"]})") + drop) ==
        "certain");
  CHECK(nft_verdict("accept", match(protocol, R"("icmp")") + drop) == "perhaps");
  CHECK(nft_verdict("accept", match(mark, "0") + drop) == "certain");
  CHECK(nft_verdict("accept", match(mark, "7") + drop) == "perhaps");
  CHECK(
      verdict(iptables_drop("-A FORWARD -m mark --mark 0x0/0xff -j ACCEPT\n"), bridged()).empty());
  CHECK(nft_verdict("accept", R"({"mangle":{"key":{"meta":{"key":"mark"}},"value":5}}]}},)"
                              R"({"rule":{"family":"inet","table":"x","chain":"f","expr":[)" +
                                  match(mark, "0") + drop) == "perhaps");
  CHECK(nft_verdict("accept", match(R"({"payload":{"protocol":"ip","field":"ttl"}})", "255", "<") +
                                  drop) == "perhaps");
  CHECK(nft_verdict(
            "accept",
            match(R"({"payload":{"protocol":"ip6","field":"saddr"}})", R"("2001:db8::1")") + drop)
            .empty());
}

TEST_CASE("frames are IPv4 and ARP, and without ARP nothing arrives") {
  const Crossing frame{"bridge", "forward", {{About::iif, "em1"}, {About::family, "ipv4"}}, ""};
  CHECK(nft_verdict("accept", match(ether, R"("ip")") + drop, frame) == "certain");
  CHECK(nft_verdict("accept", match(ether, R"("arp")") + drop, frame) == "certain");
  CHECK(nft_verdict("accept", match(ether, R"("ip6")") + drop, frame).empty());
  CHECK(nft_verdict("drop", match(ether, R"({"set":["arp","ip","ip6"]})") + accept, frame).empty());
  CHECK(nft_verdict("drop", match(ether, R"("ip")") + accept, frame) == "certain");
  CHECK(nft_verdict(
            "accept",
            match(R"({"payload":{"protocol":"arp","field":"operation"}})", R"("request")") + drop,
            frame) == "perhaps");
}

TEST_CASE("a table that is dormant filters nothing") {
  Ruleset ruleset = parse_nft_ruleset(nft(
      R"({"table":{"family":"inet","name":"x","flags":"udp"}},
{"chain":{"family":"inet","table":"x","name":"f","hook":"forward","prio":5,"policy":"drop"}},
{"chain":{"family":"inet","table":"y","name":"f","hook":"forward","prio":5,"policy":"drop"}})"));
  CHECK(ruleset.flagged);
  unhook_dormant(ruleset,
                 "table inet x {\n\tflags dormant\n\n\tchain f {\n\t}\n}\ntable inet y {\n\tset "
                 "s {\n\t\ttype ifname\n\t\tflags interval\n\t}\n}\n");
  const auto hits = find_drops(ruleset, bridged());
  REQUIRE(hits.size() == 1);
  CHECK(hits[0].base->table == "y");
}

TEST_CASE("a cure is written for the hook that it is put into, or there is none") {
  const auto cure_at = [](const char* hook, const char* chain, Passage passage,
                          const char* family = "ip") {
    Ruleset ruleset;
    FilterChain base;
    base.family = family;
    base.table = "mangle";
    base.name = chain;
    base.hook = hook;
    base.drops_by_policy = true;
    base.iptables = std::string(chain) == "PREROUTING" || std::string(chain) == "POSTROUTING";
    ruleset.chains = {base};
    const FilterHit hit{&ruleset.chains[0], &ruleset.chains[0], nullptr, true};
    return cure_for(ruleset, hit, passage, true);
  };
  using Kind = Passage::Kind;
  const Passage bridged{Kind::bridged, "br0", ""}, out{Kind::routed, "lab", ""},
      in{Kind::routed, "lab", "", true}, port_out{Kind::ports, "br0", "nt1-*"},
      port_in{Kind::ports, "br0", "nt1-*", true};
  CHECK(cure_at("prerouting", "PREROUTING", bridged) ==
        "iptables -t mangle -I PREROUTING -i br0 -j ACCEPT");
  CHECK(cure_at("postrouting", "POSTROUTING", bridged) ==
        "iptables -t mangle -I POSTROUTING -o br0 -j ACCEPT");
  CHECK(cure_at("prerouting", "p", bridged) == "nft insert rule ip mangle p iifname br0 accept");
  CHECK(cure_at("prerouting", "PREROUTING", out) ==
        "iptables -t mangle -I PREROUTING -i lab -j ACCEPT");
  CHECK(cure_at("prerouting", "PREROUTING", in).empty());
  CHECK(cure_at("postrouting", "POSTROUTING", in) ==
        "iptables -t mangle -I POSTROUTING -o lab -j ACCEPT");
  CHECK(cure_at("postrouting", "POSTROUTING", out).empty());
  CHECK(cure_at("postrouting", "p", out) == "nft insert rule ip mangle p iifname lab accept");
  CHECK(cure_at("prerouting", "p", port_in, "bridge").empty());
  CHECK(cure_at("prerouting", "p", port_out, "bridge") ==
        "nft insert rule bridge mangle p iifname '\"nt1-*\"' accept");
  CHECK(cure_at("forward", "f", {Kind::bridged, "e$(id)", ""}) ==
        "nft insert rule ip mangle f iifname '\"e$(id)\"' oifname '\"e$(id)\"' accept");
}

TEST_CASE("chains that jump a thousand million times end all the same, in a perhaps") {
  std::string lines = "*filter\n:FORWARD DROP [0:0]\n";
  for (int i = 0; i <= 12; ++i) lines += ":c" + std::to_string(i) + " - [0:0]\n";
  lines += "-A FORWARD -j c0\n";
  for (int i = 0; i < 12; ++i)
    for (int j = 0; j < 6; ++j)
      lines += "-A c" + std::to_string(i) + " -j c" + std::to_string(i + 1) + "\n";
  Ruleset ruleset;
  merge_iptables(ruleset, lines + "COMMIT\n", "ip", false);
  CHECK(verdict(ruleset, bridged()) == "perhaps");
}
