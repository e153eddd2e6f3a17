// MACs, IPv4 addresses and networks, UUIDs: one spelling out, nothing guessed in.
#include <doctest/doctest.h>

#include "nutshell/values.hpp"

using namespace nutshell;

TEST_CASE("MACs") {
  REQUIRE(parse_mac("52:54:00:12:34:60"));
  CHECK(parse_mac("52:54:00:12:34:60")->value == 0x525400123460);
  CHECK(to_string(*parse_mac("AA:bb:CC:dd:EE:ff")) == "aa:bb:cc:dd:ee:ff");
  CHECK(parse_mac("01:00:5e:00:00:01")->is_multicast());
  CHECK(parse_mac("ff:ff:ff:ff:ff:ff")->is_multicast());
  CHECK_FALSE(parse_mac("52:54:00:12:34:60")->is_multicast());
  for (const char* text :
       {"", "52:54:00:12:34", "52:54:00:12:34:6", "52-54-00-12-34-60", "525400123460",
        "52:54:00:12:34:6g", "52:54:00:12:34:600", " 2:54:00:12:34:60", "52:54:00:12:34:60\n"})
    CHECK_FALSE_MESSAGE(parse_mac(text), text);
}

TEST_CASE("IPv4 addresses") {
  CHECK(parse_ipv4("10.0.0.7")->value == 0x0a000007);
  CHECK(parse_ipv4("255.255.255.255")->value == 0xffffffff);
  CHECK(to_string(Ipv4{0x0a4b0001}) == "10.75.0.1");
  for (const char* text :
       {"", "10", "10.0.0", "10.0.0.0.0", "256.0.0.1", "010.0.0.1", "10.0.0.-1", "10..0.1",
        "10.0.0.1 ", "1.2.3.4/5", "a.b.c.d", "0x0a.0.0.1", "1.2.3.", "1.2.3.9999"})
    CHECK_FALSE_MESSAGE(parse_ipv4(text), text);
}

TEST_CASE("IPv4 networks") {
  const auto net = parse_ipv4_net("10.0.0.9/24");
  REQUIRE(net);
  CHECK(to_string(*net) == "10.0.0.9/24");
  CHECK(to_string(net->first()) == "10.0.0.0");
  CHECK(to_string(net->last()) == "10.0.0.255");
  CHECK(to_string(net->netmask()) == "255.255.255.0");
  CHECK(net->contains(*parse_ipv4("10.0.0.255")));
  CHECK_FALSE(net->contains(*parse_ipv4("10.0.1.0")));
  CHECK(net->overlaps(*parse_ipv4_net("10.0.0.0/8")));
  CHECK(parse_ipv4_net("10.0.0.0/8")->overlaps(*net));
  CHECK_FALSE(net->overlaps(*parse_ipv4_net("10.0.1.0/24")));
  const auto everything = parse_ipv4_net("0.0.0.0/0"), single = parse_ipv4_net("10.0.0.1/32");
  REQUIRE(everything);
  REQUIRE(single);
  CHECK(everything->last().value == 0xffffffff);
  CHECK(everything->netmask().value == 0);
  CHECK(single->first() == single->last());
  for (const char* text : {"", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08",
                           "/24", "10.0.0/24", "10.0.0.0/24/24"})
    CHECK_FALSE_MESSAGE(parse_ipv4_net(text), text);
}

TEST_CASE("UUIDs") {
  const std::string text = "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0";
  CHECK(parse_uuid(text)->text == text);
  CHECK(parse_uuid("0F1E2D3C-4B5A-4978-8796-A5B4C3D2E1F0")->text == text);
  CHECK(parse_uuid(text)->short_id() == "0f1e2d3c");
  for (const char* wrong :
       {"", "0f1e2d3c", "0f1e2d3c4b5a49788796a5b4c3d2e1f0", "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1fg",
        "{0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0}", "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0 "})
    CHECK_FALSE_MESSAGE(parse_uuid(wrong), wrong);
  std::uint8_t zeros[16] = {}, ones[16];
  for (auto& byte : ones) byte = 0xff;
  CHECK(make_uuid(zeros).text == "00000000-0000-4000-8000-000000000000");
  CHECK(make_uuid(ones).text == "ffffffff-ffff-4fff-bfff-ffffffffffff");
  CHECK(parse_uuid(make_uuid(ones).text) == make_uuid(ones));
}
