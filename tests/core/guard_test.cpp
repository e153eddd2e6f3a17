// What nft is given for machines: golden texts for putting in, taking out, a group and the table of
// the bridges; what the registry keeps of it; and the words of --nic and --publish behind it.
#include "nutshell/guard.hpp"

#include <doctest/doctest.h>

#include "core/problems.hpp"
#include "golden/golden.hpp"
#include "nutshell/firewall.hpp"

using namespace nutshell;

namespace {

GuestNic guest(unsigned number, const std::string& cloud) {
  GuestNic nic;
  nic.tap = "ntab12-" + std::to_string(number);
  nic.mark = tap_mark({cloud, "m" + std::to_string(number)}, 0);
  nic.cloud = cloud;
  nic.mac.value = 0x525400000000 + number;
  nic.guarded = nic.isolated = nic.routed = true;
  nic.ip = Ipv4{0x0a4b000a + number};
  return nic;
}

/// One of each: groups, ports and a public address; a rate and IPv6; a bridge with further
/// addresses.
std::vector<GuestNic> guests() {
  GuestNic web = guest(1, "shop"), db = guest(2, "shop"), front = guest(3, "lab");
  web.groups = {"web"};
  web.publish = {{std::nullopt, 8443, 443, false}, {parse_ipv4("192.0.2.1"), 53, 53, true}};
  web.publics = {*parse_ipv4("203.0.113.5")};
  db.groups = {"db", "web"};
  db.rate = 100'000'000;
  db.ipv6 = "fd00:75::/64";
  front.routed = false;
  front.also = *parse_ranges("198.51.100.16/28+192.0.2.9");
  return {web, db, front};
}

Groups groups() {
  return groups_of(
      {{"shop",
        "web",
        "",
        {{"icmp", 0, 0, "192.0.2.0/24", ""}, {"tcp", 80, 443, "", ""}, {"udp", 0, 0, "", "db"}}},
       {"shop", "db", "", {{"all", 0, 0, "", "web"}, {"tcp", 22, 22, "", ""}}}});
}

const GuardTables tables{"nutshell", "nutshell", BridgeTracking::yes};

void compare(const std::string& name, const std::string& now) {
  const auto path = golden::folder() / (name + ".nft");
  if (std::getenv("NUTSHELL_ACCEPT")) std::ofstream(path) << now;
  INFO("file: ", name, ".nft (NUTSHELL_ACCEPT=1 writes it anew)");
  CHECK(golden::read(path) == now);
}

}  // namespace

TEST_CASE("golden rules of machines") {
  const auto all = guests();
  compare("guard_put", render_guests(tables, all, groups()));
  compare("guard_drop", render_guests_removal(tables, {all[0]}, {all[1], all[2]}, groups()));
  compare("guard_group", render_group(tables, groups().at({"shop", "web"}), all));
  Firewall firewall;
  firewall.mark = firewall_mark("ab12");
  firewall.guests = {all[2]};
  compare("guard_bridge", render_bridge_firewall(firewall, BridgeTracking::yes, 7));
}

TEST_CASE("what only one family has is in that family alone") {
  GuestNic bridged = guest(1, "shop");
  bridged.routed = false;
  CHECK(render_guests({"", "nutshell", BridgeTracking::yes}, {bridged}, {}).empty());
  const std::string text = render_guests({"nutshell", "", BridgeTracking::yes}, guests(), groups());
  CHECK(text.find(" inet ") == std::string::npos);
  CHECK(text.find("private") == std::string::npos);
}

TEST_CASE("without connection tracking on bridges TCP is told by its flags") {
  const std::string text = render_guests({"nutshell", "", BridgeTracking::no}, guests(), groups());
  CHECK(text.find(" ct ") == std::string::npos);
  CHECK(text.find("tcp flags & (syn | ack) != syn accept") != std::string::npos);
}

TEST_CASE("what a machine shares goes with the last that needs it") {
  const auto all = guests();
  const std::string with_rest = render_guests_removal(tables, {all[0]}, {all[1]}, groups());
  CHECK(with_rest.find("delete chain bridge nutshell group_shop_web\n") == std::string::npos);
  CHECK(with_rest.find("delete chain bridge nutshell cloud_shop\n") == std::string::npos);
  const std::string last = render_guests_removal(tables, {all[0]}, {}, groups());
  CHECK(last.find("delete chain bridge nutshell group_shop_web\n") != std::string::npos);
  CHECK(last.find("delete set inet nutshell group_shop_db\n") != std::string::npos);
}

TEST_CASE("what is shared can be kept, and the tap's own goes nevertheless") {
  const auto all = guests();
  const std::string text =
      render_guests_removal(tables, {all[1], all[2]}, {}, groups(), Shared::keep);
  for (const char* kept : {"delete chain bridge nutshell group_", "delete set",
                           "delete chain bridge nutshell cloud_", "delete chain inet"})
    CHECK(text.find(kept) == std::string::npos);
  for (const char* own : {"delete chain bridge nutshell from-ntab12-2\n",
                          "delete chain bridge nutshell also-ntab12-3\n"})
    CHECK(text.find(own) != std::string::npos);
}

TEST_CASE("a group that nobody runs in has no rules") {
  CHECK(render_group(tables, {"lab", "web", "", {}}, guests()).empty());
}

TEST_CASE("a machine's text does not depend on how many there are") {
  const auto one = render_guests(tables, {guests()[0]}, groups());
  CHECK(render_guests(tables, guests(), groups()).find(one.substr(0, one.find("inet"))) == 0);
}

TEST_CASE("IPv6 addresses that are made of a MAC") {
  CHECK(eui64(*parse_mac("52:54:00:12:34:60")) == "5054:ff:fe12:3460");
  CHECK(eui64(*parse_mac("00:00:00:00:00:01")) == "200:ff:fe00:1");
  GuestNic nic = guest(1, "shop");
  nic.ipv6 = "fd00:1:2:3::/64";  // no group is left for "::"
  CHECK(render_guests(tables, {nic}, {}).find(" fd00:1:2:3:5054:ff:fe00:1 ") != std::string::npos);
}

TEST_CASE("what the registry keeps of a run is read again") {
  CHECK(guests_from_json(guests_to_json(guests())) == guests());
  CHECK(guests_to_json({}).empty());
  CHECK(guests_from_json("").empty());
  for (const char* damaged : {"{", "{}", "[{}]", "[1]"})
    CHECK_THROWS_AS(guests_from_json(damaged), Failed);
}

TEST_CASE("--publish") {
  Problems problems;
  for (const char* text : {"8443:443", "192.0.2.1:5353:53/udp", "1:65535"})
    CHECK(to_string(parse_publish(text, "--publish", problems)) == text);
  CHECK(to_string(parse_publish("80:80/tcp", "--publish", problems)) == "80:80");
  CHECK(outside_of(parse_publish("8443:443", "--publish", problems)) == "8443/tcp");
  CHECK(outside_of(parse_publish("192.0.2.1:53:53/udp", "--publish", problems)) ==
        "192.0.2.1:53/udp");
  CHECK(problems.empty());
  for (const char* text :
       {"", "80", "0:80", "80:65536", "80:80/sctp", "80:80/", "1.2.3:80:80", "127.0.0.1:80:80",
        "::1:80:80", "a:b", "80:80:80", "80:-1", ":80:80", "80:80/udp/tcp", "0.0.0.0:80:80"}) {
    CAPTURE(text);
    problems.clear();
    parse_publish(text, "--publish", problems);
    CHECK(problems.size() == 1);
  }
}

TEST_CASE("also= and rate=") {
  CHECK(to_string(parse_ranges("192.0.2.1").value()) == "192.0.2.1");
  CHECK(to_string(parse_ranges("192.0.2.0/30+10.0.0.1-10.0.0.9").value()) ==
        "192.0.2.0-192.0.2.3+10.0.0.1-10.0.0.9");
  for (const char* text : {"", "+", "192.0.2.1+", "192.0.2.9-192.0.2.1", "192.0.2.1/24", "a-b",
                           "192.0.2.1-", "192.0.2.1-192.0.2.2-192.0.2.3"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_ranges(text));
  }
  CHECK(parse_rate("100M") == 100'000'000);
  CHECK(parse_rate("8000") == 8'000);
  CHECK(parse_rate("1000G") == 1'000'000'000'000);
  for (const char* text : {"", "M", "0", "7999", "7K", "1001G", "1T", "-1M", "1.5M", "100 M",
                           "99999999999999999999", "18446744073709551617M"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_rate(text));
  }
}

TEST_CASE("a NIC's keys, and who is guarded when nobody says so") {
  const auto nic = [](const char* text) {
    Problems problems;
    const NicSpec made = parse_nic(text, "--nic", problems);
    CHECK(problems.empty());
    return made;
  };
  CHECK_FALSE(nic("bridge=br0").is_guarded());
  CHECK(nic("bridge=br0,ip=10.0.0.7").is_guarded());
  CHECK(nic("bridge=br0,antispoof=on").is_guarded());
  CHECK_FALSE(nic("network=lab,ip=10.0.0.7,antispoof=off").is_guarded());
  CHECK_FALSE(nic("user").is_guarded());
  CHECK(nic("network=lab,rate=100M").rate == 100'000'000);
  CHECK(nic("network=lab,also=192.0.2.0/30").also.size() == 1);
  for (const char* text :
       {"user,rate=100M", "user,antispoof=on", "user,also=192.0.2.1", "network=lab,rate=fast",
        "network=lab,also=x", "network=lab,antispoof=perhaps",
        "network=lab,antispoof=off,also=10.0.0.1"}) {
    CAPTURE(text);
    Problems problems;
    parse_nic(text, "--nic", problems);
    CHECK(problems.size() == 1);
  }
}

TEST_CASE("sources of a rule") {
  const auto source = [](std::string_view text) {
    Problems problems;
    const std::string found = parse_source(text, "--from", problems);
    return problems.empty() ? found : "refused: " + problems.front().what;
  };
  CHECK(source("203.0.113.0/24") == "203.0.113.0/24");
  CHECK(source("203.0.113.7/32") == "203.0.113.7/32");
  CHECK(source("0.0.0.0/0") == "0.0.0.0/0");
  CHECK(source("2001:DB8:0:0::/32") == "2001:db8::/32");
  CHECK(source("2001:db8::7") == "2001:db8::7/128");
  CHECK(source("::/0") == "::/0");
  CHECK(source("10.0.0.1/24").find("the network is 10.0.0.0/24") != std::string::npos);
  CHECK(source("2001:db8::1/33").find("the network is 2001:db8::/33") != std::string::npos);
  for (const char* text : {"", "/", "here", "10.0.0.0/33", "2001:db8::/129", "2001:db8::/", "::/01",
                           "::/-1", "2001:db8::/1 2", "fe80::1%eth0", "[::1]", "1.2.3"}) {
    CAPTURE(text);
    CHECK(source(text).find("is no network") != std::string::npos);
  }
}

TEST_CASE("a spec with all of it survives the registry") {
  MachineSpec spec;
  spec.name = {"shop", "web"};
  Problems problems;
  spec.nics.push_back(
      parse_nic("network=lab,antispoof=on,also=192.0.2.1+10.0.0.0/30,rate=1G", "--nic", problems));
  spec.groups = {"web", "db"};
  spec.publish = {parse_publish("192.0.2.1:53:53/udp", "--publish", problems)};
  CHECK(problems.empty());
  CHECK(spec_from_json(to_json(spec)) == spec);
}
