// What a box tells the machines on it of the world outside: the line and back, lines that nobody
// sane wrote, and the firmware's tables around it.
#include "nutshell/outer.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace nutshell;

namespace {

AddressRange range(const char* first, const char* last) {
  return {*parse_ipv4(first), *parse_ipv4(last)};
}

/// A structure of SMBIOS: type, formatted part, strings.
std::string structure(char type, const std::vector<std::string>& strings) {
  std::string text{type, 5, 0, 1, static_cast<char>(strings.size())};
  for (const std::string& each : strings) text += each + '\0';
  return text + (strings.empty() ? std::string(2, '\0') : std::string(1, '\0'));
}

bool covers(const std::vector<AddressRange>& all, const AddressRange& one) {
  for (const AddressRange& each : all)
    if (each.first <= one.first && one.last <= each.last) return true;
  return false;
}

}  // namespace

TEST_CASE("a line says the depth and the ranges, joined and as short as they go") {
  const Outer outer{2,
                    {range("10.75.0.0", "10.75.0.255"), range("192.0.2.10", "192.0.2.19"),
                     range("10.75.1.0", "10.75.1.255"), range("198.51.100.7", "198.51.100.7")}};
  CHECK(encode_outer(outer) == "nutshell.outer:2:10.75.0.0/23+192.0.2.10-192.0.2.19+198.51.100.7");
  const auto read = decode_outer(encode_outer(outer));
  REQUIRE(read);
  CHECK(read->depth == 2);
  CHECK(read->ranges == std::vector{range("10.75.0.0", "10.75.1.255"),
                                    range("192.0.2.10", "192.0.2.19"),
                                    range("198.51.100.7", "198.51.100.7")});
  CHECK(encode_outer({1, {}}) == "nutshell.outer:1:");
  CHECK(decode_outer("nutshell.outer:1:") == Outer{1, {}});
  CHECK(decode_outer("nutshell.outer:1") == Outer{1, {}});
}

TEST_CASE("many ranges fit the line, and none of them is lost") {
  Outer outer{1, {}};
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const std::uint32_t at = 0x0a000000 + i * 4099 % 0x00ffff00;
    outer.ranges.push_back({{at}, {at + i % 7}});
  }
  outer.ranges.push_back(range("192.0.2.1", "192.0.2.1"));
  const std::string line = encode_outer(outer);
  CHECK(line.size() <= longest_outer);
  CHECK(line.find_first_of(", \n\"'") == std::string::npos);
  const auto read = decode_outer(line);
  REQUIRE(read);
  bool all = true;
  for (const AddressRange& each : outer.ranges) all = all && covers(read->ranges, each);
  CHECK(all);
}

TEST_CASE("however little room there is, the line stays in it") {
  const Outer outer{3, {range("1.2.3.4", "1.2.3.4"), range("200.1.2.3", "200.1.2.9")}};
  CHECK(encode_outer(outer, 40) == "nutshell.outer:3:200.1.2.3-200.1.2.9");
  CHECK(encode_outer(outer, 20) == "nutshell.outer:3:");
}

TEST_CASE("what is no such line is none, and of a damaged one the rest is read") {
  for (const char* text :
       {"", "nutshell", "nutshell.outer", "nutshell.outer:", "nutshell.outer:0:",
        "nutshell.outer:-1:", "nutshell.outer:100:", "nutshell.outer:x", "nutshell.outer:1x",
        "Nutshell.outer:1:", "nutshell.outer:99999999999999999999:"}) {
    CAPTURE(text);
    CHECK_FALSE(decode_outer(text));
  }
  CHECK(decode_outer("nutshell.outer:1:10.0.0.0/33++x+10.0.0.9-10.0.0.1+192.0.2.0/24") ==
        Outer{1, {range("192.0.2.0", "192.0.2.255")}});
  // Nobody takes the whole world away.
  CHECK(decode_outer("nutshell.outer:1:0.0.0.0/0+0.0.0.0-255.255.255.255") == Outer{1, {}});
  CHECK_FALSE(decode_outer("nutshell.outer:1:" + std::string(100'000, '+')));
}

TEST_CASE("the line is found among the firmware's tables") {
  const std::string line = "nutshell.outer:1:10.75.0.0/24";
  const Outer outer{1, {range("10.75.0.0", "10.75.0.255")}};
  const std::string bios = structure(0, {"SeaBIOS", "1.16"}), end = structure(127, {});
  CHECK(outer_in_dmi(bios + structure(11, {line}) + end) == outer);
  CHECK(outer_in_dmi(structure(11, {}) + structure(11, {"other", line, "more"}) + end) == outer);
  CHECK_FALSE(outer_in_dmi(bios + structure(1, {line}) + end));  // of another kind
  CHECK_FALSE(outer_in_dmi(bios + end + structure(11, {line})));
  CHECK_FALSE(outer_in_dmi(""));
}

TEST_CASE("tables of any content end") {
  const std::string good = structure(0, {"SeaBIOS"}) +
                           structure(11, {"nutshell.outer:1:10.75.0.0/24"}) + structure(127, {});
  for (std::size_t size = 0; size < good.size(); ++size) (void)outer_in_dmi(good.substr(0, size));
  std::mt19937 random(11);
  for (int round = 0; round < 20'000; ++round) {
    std::string table = good;
    for (int i = 0; i < 3; ++i) table[random() % table.size()] = static_cast<char>(random());
    if (const auto outer = outer_in_dmi(table)) CHECK(outer->depth <= 99);
  }
}
