// MACs, addresses, prefixes and link names as text: what is taken, and all that is not.
#include <doctest/doctest.h>

#include <cerrno>

#include "nl/error.hpp"
#include "nl/ip.hpp"
#include "nl/link.hpp"

TEST_CASE("a MAC goes to text and back, and nothing else is taken for one") {
  const auto mac = nl::parse_mac("52:54:00:aB:0c:ff");
  REQUIRE(mac);
  CHECK(nl::to_text(*mac) == "52:54:00:ab:0c:ff");
  for (const char* wrong : {"", "52:54:00:ab:0c", "52:54:00:ab:0c:fg", "52-54-00-ab-0c-ff",
                            "52:54:00:ab:0c:ff:", " 2:54:00:ab:0c:ff", "52:54:00:ab:0c:f",
                            "525400ab0cff", "52:54:00:ab:0c:ff0"}) {
    CAPTURE(wrong);
    CHECK_FALSE(nl::parse_mac(wrong));
  }
}

TEST_CASE("addresses go to text and back") {
  CHECK(nl::Ip::v4(0x0a000001).text() == "10.0.0.1");
  CHECK(nl::Ip::parse("10.0.0.1") == nl::Ip::v4(0x0a000001));
  CHECK(nl::Ip::parse("10.0.0.1")->as_v4() == 0x0a000001);
  CHECK(nl::Ip::parse("fe80::1")->text() == "fe80::1");
  CHECK(nl::Ip::parse("fe80::1")->size() == 16);
  CHECK(nl::Ip{}.text() == "");
  for (const char* wrong :
       {"", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.1 ", "fe80::1%eth0", "::g", "localhost"}) {
    CAPTURE(wrong);
    CHECK_FALSE(nl::Ip::parse(wrong));
  }
  CHECK_FALSE(nl::Ip::parse(std::string_view("10.0.0.1\0", 9)));
}

TEST_CASE("prefixes go to text and back") {
  CHECK(nl::Prefix::parse("10.0.0.0/8")->text() == "10.0.0.0/8");
  CHECK(nl::Prefix::parse("10.0.0.1")->text() == "10.0.0.1/32");
  CHECK(nl::Prefix::parse("fd00::/64")->length == 64);
  CHECK(nl::Prefix::parse("0.0.0.0/0")->text() == "default");
  for (const char* wrong : {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8 ", "fd00::/129",
                            "/8", "10.0.0.0/0008"}) {
    CAPTURE(wrong);
    CHECK_FALSE(nl::Prefix::parse(wrong));
  }
}

TEST_CASE("a link's name is what the kernel takes, no more") {
  for (const char* right : {"a", "br0", "nt-0a1b-web1-0", "fifteen-bytes-x"})
    CHECK_FALSE(nl::name_problem(right));
  for (const char* wrong :
       {"", ".", "..", "a/b", "a b", "a\tb", "a:b", "tap%d", "sixteen-bytes-xy"}) {
    CAPTURE(wrong);
    CHECK(nl::name_problem(wrong));
  }
}

TEST_CASE("an error names the thing, what was being done, and the reason in plain words") {
  const nl::Error missing("link br0", "set master", ENODEV);
  CHECK(std::string(missing.what()) == "link br0: cannot set master: no such device");
  CHECK(missing.code() == ENODEV);
  CHECK(missing.subject() == "link br0");
  CHECK(missing.operation() == "set master");
  CHECK(std::string(nl::Error("link br0", "create bridge", EEXIST).what()) ==
        "link br0: cannot create bridge: it exists already");
  CHECK(
      std::string(nl::Error("link d0", "create dummy", EOPNOTSUPP, "Unknown device type").what()) ==
      "link d0: cannot create dummy: this kernel does not support it (kernel: Unknown device "
      "type)");
}
