// Links by name, foreign ports, and marks: what merely looks like ours is a stranger's.
#include "nutshell/facts.hpp"

#include <doctest/doctest.h>

using namespace nutshell;

namespace {
LinkFact link(int index, const std::string& name, int master = 0, const std::string& alias = "") {
  LinkFact link;
  link.index = index;
  link.name = name;
  link.master = master;
  link.alias = alias;
  return link;
}
}  // namespace

TEST_CASE("a link is found by its whole name") {
  Facts facts;
  facts.links = {link(1, "lo"), link(2, "br0")};
  REQUIRE(facts.link("br0"));
  CHECK(facts.link("br0")->index == 2);
  CHECK(facts.link("br") == nullptr);
  CHECK(facts.link("") == nullptr);
}

TEST_CASE("a port without our mark is foreign") {
  Facts facts;
  facts.links = {link(1, "br0"), link(2, "br1"), link(3, "nt-0", 1, "nutshell:default/ciab:0")};
  CHECK_FALSE(facts.has_foreign_port(facts.links[0]));
  CHECK_FALSE(facts.has_foreign_port(facts.links[1]));
  facts.links.push_back(link(4, "em1", 1));
  CHECK(facts.has_foreign_port(facts.links[0]));
  CHECK_FALSE(facts.has_foreign_port(facts.links[1]));
  facts.links.back() = link(4, "nt-1", 1, "nutshell:");
  CHECK(facts.has_foreign_port(facts.links[0]));
}

TEST_CASE("our marks are marks") {
  CHECK(tap_mark({"default", "ciab"}, 0) == "nutshell:default/ciab:0");
  CHECK(network_mark("nutshell0") == "nutshell:network:nutshell0");
  CHECK(is_mark(tap_mark({"lab", "web-01"}, 27)));
  CHECK(is_mark(network_mark("nutshell0")));
  CHECK(is_mark(network_mark("nutshell0") + ":2c59"));
  CHECK_FALSE(is_mark(network_mark("nutshell0") + ":"));
  CHECK(bridge_mark("br0") == "nutshell:bridge:br0");
  CHECK_FALSE(is_mark(bridge_mark("br0") + ":2c59"));  // what is on it is the host's
  CHECK(tap_mark({std::string(32, 'c'), std::string(32, 'n')}, 9999).size() <
        256);  // the kernel's IFALIASZ
}

TEST_CASE("what looks like a mark is none") {
  for (const char* alias : {"",
                            "nutshell",
                            "nutshell:",
                            "nutshell:ciab",
                            "nutshell:ciab:0",
                            "nutshell:a/b",
                            "nutshell:a/b:",
                            "nutshell:a/b:x",
                            "nutshell:a/b:00",
                            "nutshell:a/b:99999",
                            "nutshell:A/b:0",
                            "nutshell:a/b/c:0",
                            "nutshell:/b:0",
                            "nutshell:a/:0",
                            "nutshell:a/b:0 ",
                            "xnutshell:a/b:0",
                            "Nutshell:a/b:0",
                            "nutshell:network:",
                            "nutshell:network:A",
                            "nutshell:network:a/b",
                            "nutshell:a:0/b"})
    CHECK_FALSE_MESSAGE(is_mark(alias), alias);
}
