// Forwarding in network namespaces of the test's own: turned on where it was off, and every link
// put back as it was.
#include "host/sysctl.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "netns/namespace.hpp"
#include "nl/link.hpp"
#include "nutshell/error.hpp"

using namespace nutshell;
using namespace nutshell::host;

namespace {

std::string get(const std::string& path) {
  std::ifstream file("/proc/sys/net/" + path);
  std::string line;
  std::getline(file, line);
  return line;
}
void put(const std::string& path, const std::string& value) {
  std::ofstream("/proc/sys/net/" + path) << value;
}
std::string state() {
  std::string all = get("ipv4/ip_forward") + get("ipv6/conf/all/forwarding");
  for (const char* link : {"one", "two", "lo"})
    for (const char* setting :
         {"ipv4/conf/{}/forwarding", "ipv6/conf/{}/forwarding", "ipv6/conf/{}/accept_ra"}) {
      std::string path = setting;
      path.replace(path.find("{}"), 2, link);
      all += " " + get(path);
    }
  return all;
}
void make_links() {
  nl::Socket socket;
  nl::make_veth(socket, {.name = "one", .peer = "two"});
}

}  // namespace

TEST_CASE("what was off is turned on, and put back as it was") {
  netns::in_new_netns([] {
    make_links();
    put("ipv4/conf/one/forwarding", "1");
    put("ipv6/conf/two/accept_ra", "0");
    const std::string before = state();
    const auto ipv4 = settings_to_forward_ipv4({}), ipv6 = settings_to_forward_ipv6({});
    CHECK(state() == before);
    apply_settings(ipv4);
    apply_settings(ipv6);
    CHECK(get("ipv4/ip_forward") == "1");
    CHECK(get("ipv4/conf/two/forwarding") == "1");
    CHECK(get("ipv6/conf/all/forwarding") == "1");
    // A link that learnt its routes from routers goes on doing so; one that did not, does not
    // begin.
    CHECK(get("ipv6/conf/one/accept_ra") == "2");
    CHECK(get("ipv6/conf/two/accept_ra") == "0");
    CHECK(settings_to_forward_ipv4({}).empty());
    CHECK(settings_to_forward_ipv6({}).empty());
    restore_settings(ipv6);
    restore_settings(ipv4);
    CHECK(state() == before);
  });
}

TEST_CASE("a link that never forwards does not begin") {
  netns::in_new_netns([] {
    make_links();
    const std::string before = state();
    const auto ipv4 = settings_to_forward_ipv4({"two", "gone"}),
               ipv6 = settings_to_forward_ipv6({"two", "gone"});
    apply_settings(ipv4);
    apply_settings(ipv6);
    for (const char* family : {"ipv4", "ipv6"}) {
      CHECK(get(std::string(family) + "/conf/one/forwarding") == "1");
      CHECK(get(std::string(family) + "/conf/two/forwarding") == "0");
    }
    restore_settings(ipv6);
    restore_settings(ipv4);
    CHECK(state() == before);
  });
}

TEST_CASE("a link that is gone does not keep the others from being put back") {
  netns::in_new_netns([] {
    make_links();
    put("ipv4/conf/one/forwarding", "1");
    const auto ipv4 = settings_to_forward_ipv4({}), ipv6 = settings_to_forward_ipv6({});
    apply_settings(ipv4);
    apply_settings(ipv6);
    nl::Socket socket;
    nl::remove_link(socket, "one");
    CHECK_NOTHROW(restore_settings(ipv6));
    CHECK_NOTHROW(restore_settings(ipv4));
    CHECK(get("ipv4/ip_forward") == "0");
    CHECK(get("ipv6/conf/all/forwarding") == "0");
  });
}

TEST_CASE("what somebody else has changed meanwhile is left as he wants it") {
  netns::in_new_netns([] {
    make_links();
    put("ipv4/conf/one/forwarding", "1");
    const auto ipv4 = settings_to_forward_ipv4({}), ipv6 = settings_to_forward_ipv6({});
    apply_settings(ipv4);
    apply_settings(ipv6);
    put("ipv6/conf/one/accept_ra", "0");
    put("ipv4/ip_forward", "0");
    put("ipv4/conf/two/forwarding", "1");  // after that, by hand
    const std::string links = get("ipv4/conf/one/forwarding") + get("ipv4/conf/two/forwarding");
    CHECK(links == "01");
    restore_settings(still_as_we_set(ipv6));
    restore_settings(still_as_we_set(ipv4));
    CHECK(get("ipv6/conf/one/accept_ra") == "0");
    CHECK(get("ipv6/conf/two/accept_ra") == "1");
    CHECK(get("ipv6/conf/all/forwarding") == "0");
    CHECK(get("ipv4/ip_forward") == "0");
    CHECK(get("ipv4/conf/one/forwarding") + get("ipv4/conf/two/forwarding") == links);
  });
}

TEST_CASE("putting back that was cut short after any step is done by the next") {
  netns::in_new_netns([] {
    make_links();
    put("ipv4/conf/one/forwarding", "1");
    const std::string before = state();
    const auto ipv4 = settings_to_forward_ipv4({});
    REQUIRE(ipv4.size() >= 2);
    for (std::size_t done = 0; done <= ipv4.size(); ++done) {
      apply_settings(ipv4);
      const auto noted = still_as_we_set(ipv4);
      CHECK(noted.size() == ipv4.size());
      restore_settings({noted.end() - static_cast<std::ptrdiff_t>(done), noted.end()});
      restore_settings(still_as_we_set(noted));
      CHECK(state() == before);
    }
  });
}

TEST_CASE("a setting that does not exist is an error that names it") {
  netns::in_new_netns([] {
    CHECK_THROWS_WITH_AS(
        apply_settings({{"net/ipv4/no_such", "0", "1"}}),
        "/proc/sys/net/ipv4/no_such: cannot be set to 1: No such file or directory", SystemError);
  });
}
