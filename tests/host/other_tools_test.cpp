// What libvirt, Docker and the resolver keep in their files, and what is left when such a file is
// damaged.
#include "host/other_tools.hpp"

#include <doctest/doctest.h>

#include "host/name_servers.hpp"

using namespace nutshell;
using namespace nutshell::host;

namespace {

std::vector<std::string> words(const std::vector<RangeFact>& ranges) {
  std::vector<std::string> all;
  for (const RangeFact& each : ranges)
    all.push_back(to_string(each.first) + "-" + to_string(each.last) + " " + each.holder);
  return all;
}
using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("a network of libvirt's has addresses, and routes to more") {
  const char* xml = R"(<!--
WARNING: <ip address='10.0.0.1' netmask='255.0.0.0'/> is no network
-->
<network>
  <name>lab</name>
  <bridge name='virbr7' stp='on' delay='0'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>
  </ip>
  <ip family="ipv6" address="fd00::1" prefix="64"/>
  <ip address="172.30.4.1" prefix="22" />
  <route family='ipv4' address='10.64.0.0' prefix='12' gateway='192.168.122.2'/>
</network>)";
  CHECK(words(libvirt_ranges(xml, "file")) ==
        Words{"192.168.122.0-192.168.122.255 libvirt's network lab",
              "172.30.4.0-172.30.7.255 libvirt's network lab",
              "10.64.0.0-10.79.255.255 libvirt's network lab"});
  CHECK_FALSE(libvirt_ranges(xml, "file").front().subnets_only);
}

TEST_CASE("an address of libvirt's without a size has that of its class") {
  CHECK(words(libvirt_ranges("<network><ip\n address='10.1.2.3'/></network>", "old")) ==
        Words{"10.0.0.0-10.255.255.255 libvirt's network old"});
  CHECK(words(libvirt_ranges("<ip address='192.168.9.1'></ip>", "old")) ==
        Words{"192.168.9.0-192.168.9.255 libvirt's network old"});
}

TEST_CASE("what is no address of libvirt's is passed over") {
  for (const char* xml :
       {"", "<", "<ip", "<ip>", "<ip/>", "<ip address=>", "<ip address='", "<ip address='x'/>",
        "<ip address='10.0.0.1' prefix='33'/>", "<ip address='10.0.0.1' prefix='0'/>",
        "<ip address='10.0.0.1' netmask='255.0.255.0'/>", "<ipx address='10.0.0.1'/>",
        "<ip my-address='10.0.0.1'/>", "<!-- <ip address='10.0.0.1'/>", "<host ip='10.0.0.1'/>"}) {
    CAPTURE(xml);
    CHECK(libvirt_ranges(xml, "n").empty());
  }
}

TEST_CASE("Docker's pools and its own network") {
  CHECK(words(docker_ranges(R"({"bip": "172.26.0.1/16", "default-address-pools":
      [{"base": "172.30.0.0/16", "size": 24}, {"base": "fd00::/48"}, 7], "debug": true})")) ==
        Words{"172.26.0.0-172.26.255.255 Docker's network docker0",
              "172.30.0.0-172.30.255.255 Docker's pool of networks"});
  for (const char* json : {"", "{", "[]", "7", R"({"default-address-pools": 7, "bip": []})"}) {
    CAPTURE(json);
    CHECK(docker_ranges(json).empty());
  }
}

TEST_CASE("bridges of other tools are known by their names, and they must be bridges") {
  Facts facts;
  const auto add = [&](const char* name, const char* kind) {
    LinkFact link;
    link.index = static_cast<int>(facts.links.size()) + 1;
    link.name = name;
    link.kind = kind;
    facts.links.push_back(link);
    const auto index = static_cast<std::uint32_t>(link.index);
    facts.addresses.push_back({link.index, {{0xac100001U + (index << 16)}, 16}});
  };
  add("docker0", "bridge");
  add("br-0123456789ab", "bridge");
  add("virbr12", "bridge");
  add("br-0123456789xy", "bridge");
  add("virbr0", "dummy");
  add("br0", "bridge");
  CHECK(words(tool_bridges(facts)) ==
        Words{"172.17.0.0-172.17.255.255 Docker's network (docker0)",
              "172.18.0.0-172.18.255.255 Docker's network (br-0123456789ab)",
              "172.19.0.0-172.19.255.255 libvirt's network (virbr12)"});
}

TEST_CASE("name servers that somebody else can ask, once each") {
  const auto text = [](std::string_view conf) {
    std::string all;
    for (const Ipv4 each : name_servers_in(conf)) all += to_string(each) + " ";
    return all;
  };
  CHECK(text("# nameserver 192.0.2.9\nnameserver 192.0.2.1\n nameserver\t192.0.2.2 # x\n"
             "nameserver 127.0.0.53\nnameserver fd00::1\nnameserver 192.0.2.1\nsearch lab\n"
             "nameserver192.0.2.7\nnameserver\nnameserver 0.0.0.0\nnameserver 192.0.2.3") ==
        "192.0.2.1 192.0.2.2 192.0.2.3 ");
  CHECK(text("") == "");
}
