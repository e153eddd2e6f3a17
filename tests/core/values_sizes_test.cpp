// Sizes: what is accepted, and the own sentence of each way to get one wrong.
#include <doctest/doctest.h>

#include "core/problems.hpp"
#include "nutshell/values.hpp"

using namespace nutshell;

namespace {
std::string refused(const std::string& text) {
  return refusal([&] { parse_size(text, "--disk"); });
}
}  // namespace

TEST_CASE("sizes are whole numbers with a binary suffix in either case") {
  CHECK(parse_size("1", "") == 1);
  CHECK(parse_size("512", "") == 512);
  CHECK(parse_size("4K", "") == 4 * kibi);
  CHECK(parse_size("1536M", "") == 1536 * mebi);
  CHECK(parse_size("2g", "") == 2 * gibi);
  CHECK(parse_size("8388607T", "") == 8388607 * tebi);
  CHECK(parse_size("9223372036854775807", "") == 9223372036854775807u);
}

TEST_CASE("each wrong size says what is wrong and what works") {
  CHECK(contains(refused(""), "--disk: the size is missing"));
  CHECK(contains(refused("0"), "a size of 0"));
  CHECK(contains(refused("00G"), "a size of 0"));
  CHECK(contains(refused("-1"), "negative"));
  CHECK(contains(refused("-5G"), "negative"));
  CHECK(contains(refused("1.5G"), "write 1536M"));
  CHECK(contains(refused("0.25T"), "write 256G"));
  CHECK(contains(refused("1.5K"), "write 1536"));
  CHECK(contains(refused("1.3G"), "whole number"));
  CHECK(contains(refused("1.5"), "whole number"));
  CHECK(contains(refused("."), "whole number"));
  CHECK(contains(refused("2GB"), "alone: 2G"));
  CHECK(contains(refused("2GiB"), "alone: 2G"));
  CHECK(contains(refused("2gib"), "alone: 2G"));
  CHECK(contains(refused("9223372036854775808"), "too large"));
  CHECK(contains(refused("8388608T"), "too large"));
  CHECK(contains(refused("99999999999999999999999G"), "too large"));
  for (const char* text : {"G", "abc", "1 G", " 1G", "1G ", "+1G", "0x10", "1e9", "1GG", "1P", "B"})
    CHECK_MESSAGE(contains(refused(text), "is no size"), text);
  CHECK(contains(refused("\x1b[2J"), "\\x1b"));
  CHECK(refused(std::string(100000, 'x')).size() < 200);
}

TEST_CASE("sizes are written in the shortest exact form") {
  CHECK(format_size(2 * gibi) == "2G");
  CHECK(format_size(1536 * mebi) == "1536M");
  CHECK(format_size(513) == "513");
  CHECK(format_size(0) == "0");
  CHECK(format_size(1024 * tebi) == "1024T");
  for (const Bytes size : {Bytes{1}, Bytes{1023}, kibi, 3 * mebi, 100 * gibi, 8388607 * tebi})
    CHECK(parse_size(format_size(size), "") == size);
}

TEST_CASE("for people a size has one decimal at most") {
  CHECK(format_size_roughly(0) == "0");
  CHECK(format_size_roughly(1023) == "1023");
  CHECK(format_size_roughly(kibi) == "1K");
  CHECK(format_size_roughly(1536 * mebi) == "1.5G");
  CHECK(format_size_roughly(gibi - 1) == "1G");
  CHECK(format_size_roughly(10 * gibi + 50 * mebi) == "10G");
  CHECK(format_size_roughly(~Bytes{0}) == "16777216T");
}
