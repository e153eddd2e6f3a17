// Address probes over a real wire: a veth between two namespaces, the other kernel's ARP answering.
#include "nl/arp.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "netns/namespace.hpp"
#include "nl/bridge.hpp"
#include "witness.hpp"

using netns::in_new_netns;
using witness::refusal;
using namespace std::chrono_literals;

namespace {

const nl::Mac far_mac{0x52, 0x54, 0x00, 0x00, 0x00, 0x42};

/// A veth `near` here, `far` in the namespace `there`, both up, `far` with 192.0.2.1 to
/// 192.0.2.`last`.
void join(nl::Socket& socket, const netns::Handle& there, int last) {
  nl::make_veth(socket, {.name = "near", .peer = "far", .peer_netns_fd = there.fd()});
  netns::in_netns(there, [&] {
    nl::Socket far;
    nl::change_link(far, "far", {.up = true, .mac = far_mac});
    for (int i = 1; i <= last; ++i)
      witness::output_of("ip addr add 192.0.2." + std::to_string(i) + "/24 dev far");
  });
  nl::set_up(socket, "near");
  witness::wait_running(socket, "near");
  netns::in_netns(there, [&] {
    nl::Socket far;
    witness::wait_running(far, "far");
  });
}

}  // namespace

TEST_CASE("an address that somebody has is answered with their MAC, a free one is not") {
  in_new_netns([] {
    nl::Socket socket;
    const netns::Handle there = netns::make();
    join(socket, there, 2);
    const auto answers = nl::probe_addresses(socket, "near", {0xc0000201, 0xc0000202, 0xc0000203});
    REQUIRE(answers.size() == 2);
    for (const auto& answer : answers) {
      CHECK((answer.ip == 0xc0000201 || answer.ip == 0xc0000202));
      CHECK(answer.mac == far_mac);
      CHECK_FALSE(answer.probing);
    }
    CHECK(answers[0].ip != answers[1].ip);
    netns::in_netns(there, [] {  // sender 0: nobody over there learnt anything from the question
      CHECK(witness::ip("neigh").empty());
    });
  });
}

TEST_CASE("a probe through a bridge") {
  in_new_netns([] {
    nl::Socket socket;
    const netns::Handle there = netns::make();
    join(socket, there, 1);
    nl::make_bridge(socket, "br0", {.forward_delay = 0, .up = true});
    nl::set_master(socket, {.port = "near", .master = "br0"});
    witness::wait_running(socket, "br0");
    const auto answers = nl::probe_addresses(socket, "br0", {0xc0000201});
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].mac == far_mac);
  });
}

TEST_CASE("one wait for all, and none once all have answered") {
  in_new_netns([] {
    nl::Socket socket;
    const netns::Handle there = netns::make();
    join(socket, there, 1);
    auto start = std::chrono::steady_clock::now();
    CHECK(nl::probe_addresses(socket, "near", {0xc0000201}, 5000ms).size() == 1);
    CHECK(std::chrono::steady_clock::now() - start < 2500ms);
    std::vector<std::uint32_t> free;
    for (std::uint32_t i = 0; i < 1000; ++i) free.push_back(0xc0000a00 + i);
    free.push_back(0xc0000201);
    start = std::chrono::steady_clock::now();
    CHECK(nl::probe_addresses(socket, "near", free, 200ms).size() == 1);
    const auto took = std::chrono::steady_clock::now() - start;
    CHECK(took >= 190ms);
    CHECK(took < 2000ms);
    CHECK(nl::probe_addresses(socket, "near", {}, 5000ms).empty());
    CHECK(nl::probe_addresses(socket, "near", {0}, 5000ms).empty());
  });
}

TEST_CASE("the host does not answer for itself") {
  in_new_netns([] {
    nl::Socket socket;
    const netns::Handle there = netns::make();
    join(socket, there, 0);
    witness::output_of("ip addr add 192.0.2.77/24 dev near");
    CHECK(nl::probe_addresses(socket, "near", {0xc000024d}, 100ms).empty());
  });
}

TEST_CASE("somebody who probes for the same address at the same time is told of") {
  in_new_netns([] {
    nl::Socket socket;
    const netns::Handle there = netns::make();
    join(socket, there, 0);
    std::vector<nl::ArpAnswer> near;
    std::atomic<bool> seen = false;
    std::jthread other([&] {
      netns::in_netns(there, [&] {
        nl::Socket far;
        for (int i = 0; i < 200 && !seen; ++i) nl::probe_addresses(far, "far", {0xc0000263}, 50ms);
      });
    });
    for (int i = 0; i < 100 && near.empty(); ++i)
      near = nl::probe_addresses(socket, "near", {0xc0000263}, 70ms);
    seen = true;
    REQUIRE(near.size() == 1);
    CHECK(near[0].probing);
    CHECK(near[0].mac == far_mac);
  });
}

TEST_CASE("on a link without carrier nobody is found, within the time") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_bridge(socket, "br0", {.up = true});
    const auto start = std::chrono::steady_clock::now();
    CHECK(nl::probe_addresses(socket, "br0", {0xc0000201}, 100ms).empty());
    CHECK(std::chrono::steady_clock::now() - start < 1000ms);
  });
}

TEST_CASE("a link that cannot be probed on is named") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_bridge(socket, "br0");
    auto said = refusal([&] { nl::probe_addresses(socket, "br0", {0xc0000201}); });
    CHECK(said.code == ENETDOWN);
    CHECK(said.words == "link br0: cannot send ARP probes: network is down");
    CHECK(refusal([&] { nl::probe_addresses(socket, "nosuch", {0xc0000201}); }).code == ENODEV);
  });
}
