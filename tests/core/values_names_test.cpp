// Names: each wrong one gets its own words, and none of its bytes reaches a terminal raw.
#include <doctest/doctest.h>

#include "core/problems.hpp"
#include "nutshell/values.hpp"

using namespace nutshell;

namespace {
std::string refused(const std::string& text) {
  return refusal([&] { parse_name(text); });
}
}  // namespace

TEST_CASE("names that work") {
  for (const std::string name : {"a", "0", "ciab", "a-b", "web-01", "a--b"})
    CHECK_MESSAGE(is_name(name), name);
  CHECK(is_name(std::string(32, 'a')));
  CHECK(parse_name("ciab").cloud.empty());
  CHECK(parse_name("lab/ciab").cloud == "lab");
  CHECK(parse_name("lab/ciab").name == "ciab");
  CHECK(to_string(MachineName{"default", "ciab"}) == "ciab");
  CHECK(to_string(MachineName{"lab", "ciab"}) == "lab/ciab");
}

TEST_CASE("each fault in its words") {
  CHECK(contains(name_fault(""), "empty"));
  CHECK(contains(name_fault("a/b"), "'/'"));
  CHECK(contains(name_fault(".."), "'..'"));
  CHECK(contains(name_fault("a..b"), "'..'"));
  CHECK(contains(name_fault("Web"), "capital"));
  CHECK(contains(name_fault("a b"), "spaces"));
  CHECK(contains(name_fault("a,b"), "commas"));
  CHECK(contains(name_fault("a\n"), "newlines"));
  CHECK(contains(name_fault("\x1b[2J"), "escape sequences"));
  CHECK(contains(name_fault("a\tb"), "control characters"));
  CHECK(contains(name_fault(std::string("a\0b", 3)), "NUL"));
  CHECK(contains(name_fault("caf\xc3\xa9"), "ASCII"));
  CHECK(contains(name_fault("\x9b"), "ASCII"));
  CHECK(contains(name_fault("a_b"), "'_'"));
  CHECK(contains(name_fault("."), "'.'"));
  CHECK(contains(name_fault("$(id)"), "'$'"));
  CHECK(contains(name_fault("-a"), "begin with '-'"));
  CHECK(contains(name_fault("a-"), "end with '-'"));
  CHECK(contains(name_fault("-"), "begin with '-'"));
  CHECK(contains(name_fault(std::string(33, 'a')), "33"));
  CHECK(contains(name_fault(std::string(200, 'a')), "200 characters"));
  CHECK(name_fault("ciab").empty());
}

TEST_CASE("a typed name is refused in one sentence, printable and short") {
  for (const std::string& name :
       {std::string(), std::string("/"), std::string("a/"), std::string("/a"), std::string("a/b/c"),
        std::string("../a"), std::string("A"), std::string("a/B"), std::string("A/b"),
        std::string("\x1b]0;x\x07"), std::string("\xff\xfe"), std::string("a\0", 2),
        std::string(200, 'a'), std::string(100000, '/'), std::string("--help"),
        std::string("\n")}) {
    const std::string said = refused(name);
    CHECK_FALSE(said.empty());
    CHECK(said == printable(said));
    CHECK(said.size() < 400);
    CHECK(contains(said, "a-z, 0-9"));
  }
  CHECK(contains(refused("/a"), "before '/' is empty"));
  CHECK(contains(refused("a/"), "after '/' is empty"));
  CHECK(contains(refused("a/b/c"), "only once"));
  CHECK(contains(refused("a/Bc"), "after '/': capital"));
}

TEST_CASE("interface names are what the kernel takes") {
  for (const std::string name : {"br0", "em1.100", "nt-0f1e2d3c-0", "a", "...", "em1@x"})
    CHECK_MESSAGE(is_interface_name(name), name);
  CHECK(is_interface_name(std::string(15, 'x')));
  CHECK_FALSE(is_interface_name(std::string(16, 'x')));
  for (const std::string name :
       {"", ".", "..", "a b", "a/b", "a:b", "a\tb", "a\n", "tap%d", "a\xa0"})
    CHECK_FALSE_MESSAGE(is_interface_name(name), name);
  CHECK_FALSE(is_interface_name(std::string("a\0b", 3)));
}
