// Macvtap links: that they are as asked, that their descriptors are of this namespace's link and
// not of another's with the same index, and that they carry frames.
#include "nl/macvtap.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "netns/namespace.hpp"
#include "nl/bridge.hpp"
#include "nl/link.hpp"
#include "nl/vlan.hpp"
#include "witness.hpp"

using netns::in_new_netns;
using witness::refusal;

namespace {

const nl::Mac guest_mac{0x52, 0x54, 0, 0, 0, 7};

void make_uplink(nl::Socket& socket) {
  nl::make_veth(socket, {.name = "em1", .peer = "far"});
  nl::set_up(socket, "em1");
  nl::set_up(socket, "far");
}

std::string link_of(int fd) {
  ifreq request{};
  return ::ioctl(fd, TUNGETIFF, &request) == 0 ? request.ifr_name : "";
}

void close_all(const std::vector<int>& fds) {
  for (const int fd : fds) ::close(fd);
}

}  // namespace

TEST_CASE("a macvtap link has the MAC, the MTU and the mode that were asked for, and stays") {
  in_new_netns([] {
    nl::Socket socket;
    make_uplink(socket);
    nl::make_macvtap(
        socket, "mt0",
        {.lower = "em1", .mode = nl::MacvtapMode::vepa, .mac = guest_mac, .mtu = 1400});
    const auto link = witness::ip("-d link show mt0")[0];
    CHECK(link["linkinfo"]["info_kind"] == "macvtap");
    CHECK(link["linkinfo"]["info_data"]["mode"] == "vepa");
    CHECK(link["address"] == "52:54:00:00:00:07");
    CHECK(link["mtu"] == 1400);
    CHECK(link["link"] == "em1");
    close_all(nl::open_macvtap(socket, "mt0", 1));
    CHECK(nl::find_link(socket, "mt0"));
    CHECK(refusal([&] {
            nl::make_macvtap(socket, "mt0", {.lower = "em1", .mac = guest_mac});
          }).code == EEXIST);
    nl::remove_link(socket, "mt0");
    CHECK_FALSE(nl::find_link(socket, "mt0"));
  });
}

TEST_CASE("each queue is a descriptor of that link, closed on exec, with virtio-net headers") {
  in_new_netns([] {
    nl::Socket socket;
    make_uplink(socket);
    nl::make_macvtap(socket, "mt0", {.lower = "em1", .mac = guest_mac});
    const std::vector<int> fds = nl::open_macvtap(socket, "mt0", 3);
    REQUIRE(fds.size() == 3);
    for (const int fd : fds) {
      CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
      CHECK(link_of(fd) == "mt0");
      ifreq request{};
      CHECK(::ioctl(fd, TUNGETIFF, &request) == 0);
      CHECK((request.ifr_flags & IFF_VNET_HDR) != 0);
    }
    close_all(fds);
  });
}

TEST_CASE("two namespaces have a link of one index: each gets its own") {
  in_new_netns([] {
    nl::Socket socket;
    make_uplink(socket);
    const int index = nl::make_macvtap(socket, "outer", {.lower = "em1", .mac = guest_mac});
    in_new_netns([&] {
      nl::Socket inner;
      make_uplink(inner);
      REQUIRE(nl::make_macvtap(inner, "inner", {.lower = "em1", .mac = guest_mac}) == index);
      const std::vector<int> fds = nl::open_macvtap(inner, "inner", 1);
      CHECK(link_of(fds.at(0)) == "inner");
      close_all(fds);
    });
    const std::vector<int> fds = nl::open_macvtap(socket, "outer", 1);
    CHECK(link_of(fds.at(0)) == "outer");
    close_all(fds);
  });
}

TEST_CASE("what is written comes out at the other end of the uplink") {
  in_new_netns([] {
    nl::Socket socket;
    make_uplink(socket);
    nl::make_macvtap(socket, "mt0", {.lower = "em1", .mac = guest_mac});
    nl::set_up(socket, "mt0");
    const std::vector<int> fds = nl::open_macvtap(socket, "mt0", 1);
    const auto before = nl::find_link(socket, "far")->received.packets;
    std::array<std::uint8_t, 10 + 60> frame{};  // the header of virtio-net, then Ethernet
    std::memset(frame.data() + 10, 0xff, 6);
    std::memcpy(frame.data() + 16, guest_mac.data(), 6);
    frame[22] = 0x88, frame[23] = 0xb5;  // an EtherType for experiments
    CHECK(::write(fds.at(0), frame.data(), frame.size()) == static_cast<ssize_t>(frame.size()));
    CHECK(nl::find_link(socket, "far")->received.packets > before);
    close_all(fds);
  });
}

TEST_CASE("uplinks and links that cannot be") {
  in_new_netns([] {
    nl::Socket socket;
    make_uplink(socket);
    nl::make_bridge(socket, "br0");
    nl::set_master(socket, {"far", "br0"});
    const auto code = [&](const char* uplink, nl::MacvtapMode mode) {
      return refusal([&] {
               nl::make_macvtap(socket, "mt0", {.lower = uplink, .mode = mode, .mac = guest_mac});
             })
          .code;
    };
    CHECK(code("none", nl::MacvtapMode::bridge) == ENODEV);
    CHECK(code("far", nl::MacvtapMode::bridge) == EBUSY);
    nl::make_macvtap(socket, "alone",
                     {.lower = "em1", .mode = nl::MacvtapMode::passthru, .mac = guest_mac});
    CHECK(code("em1", nl::MacvtapMode::bridge) != 0);
    CHECK(refusal([&] { nl::open_macvtap(socket, "em1", 1); }).code == EINVAL);
    CHECK(refusal([&] { nl::open_macvtap(socket, "none", 1); }).code == ENODEV);
    CHECK(refusal([&] { nl::open_macvtap(socket, "alone", 0); }).code == EINVAL);
  });
}

TEST_CASE("a port has no VLANs where the kernel keeps none, and says so when it is to have some") {
  in_new_netns([] {
    nl::Socket socket;
    make_uplink(socket);
    nl::make_bridge(socket, "br0");
    nl::set_master(socket, {"far", "br0"});
    CHECK_FALSE(nl::find_link(socket, "br0")->vlan_filtering);
    bool filtering = true;
    try {
      nl::change_bridge(socket, "br0", {.vlan_filtering = true});
    } catch (const nl::Error&) {
      filtering = false;
    }
    if (!filtering) {
      CHECK(nl::list_vlans(socket, "far").empty());
      CHECK(refusal([&] {
              nl::add_vlans(socket, "far", {100, 100, true, true});
            }).code == EOPNOTSUPP);
      return;
    }
    CHECK(nl::find_link(socket, "br0")->vlan_filtering);
    const std::vector<nl::PortVlans> wanted{{10, 12, false, false}, {100, 100, true, true}};
    nl::set_vlans(socket, "far", wanted);
    CHECK(nl::list_vlans(socket, "far") == wanted);
  });
}
