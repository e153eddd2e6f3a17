// Taps by descriptor: that they are exclusive, carry packets, and go with their last descriptor.
#include "nl/tap.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>
#include <string>

#include "netns/namespace.hpp"
#include "nl/bridge.hpp"
#include "nl/link.hpp"
#include "witness.hpp"

using netns::in_new_netns;
using witness::refusal;

TEST_CASE("a tap is there while its descriptor is open, and gone after") {
  in_new_netns([] {
    nl::Socket socket;
    {
      const nl::Tap tap = nl::open_tap("tap0");
      REQUIRE(tap.fds().size() == 1);
      CHECK((::fcntl(tap.fds()[0], F_GETFD) & FD_CLOEXEC) != 0);
      const auto other = witness::ip("-d link show tap0")[0];
      CHECK(other["linkinfo"]["info_kind"] == "tun");
      const auto data = other["linkinfo"]["info_data"];
      CHECK(data["type"] == "tap");
      CHECK(data["pi"] == false);
      CHECK(data["vnet_hdr"] == true);
      CHECK(data["multi_queue"] == false);
      CHECK(data["persist"] == false);
      CHECK(nl::find_link(socket, "tap0")->kind == "tun");
    }
    CHECK_FALSE(nl::find_link(socket, "tap0"));
  });
}

TEST_CASE("options of a tap") {
  in_new_netns([] {
    nl::Socket socket;
    const nl::Tap plain = nl::open_tap("plain", {.vnet_hdr = false});
    CHECK(witness::ip("-d link show plain")[0]["linkinfo"]["info_data"]["vnet_hdr"] == false);
    nl::Tap wide = nl::open_tap("wide", {.multi_queue = true, .queues = 4});
    CHECK(std::set<int>(wide.fds().begin(), wide.fds().end()).size() == 4);
    const auto data = witness::ip("-d link show wide")[0]["linkinfo"]["info_data"];
    CHECK(data["multi_queue"] == true);
    CHECK(data["numqueues"] == 4);
    const nl::Tap one = nl::open_tap("one", {.multi_queue = true});
    CHECK(witness::ip("-d link show one")[0]["linkinfo"]["info_data"]["multi_queue"] == true);
    const std::size_t links = nl::list_links(socket).size();
    for (const int queues : {0, -1, 257}) {
      CAPTURE(queues);
      CHECK(refusal([&] { nl::open_tap("bad", {.multi_queue = true, .queues = queues}); }).code ==
            EINVAL);
    }
    CHECK(refusal([&] { nl::open_tap("bad", {.multi_queue = false, .queues = 2}); }).code ==
          EINVAL);
    CHECK(nl::list_links(socket).size() == links);
  });
}

TEST_CASE("a released descriptor keeps the tap, here and in a child that was given it") {
  in_new_netns([] {
    nl::Socket socket;
    int fd = -1;
    {
      nl::Tap tap = nl::open_tap("tap0");
      nl::Tap moved = std::move(tap);
      CHECK(tap.fds().empty());
      fd = moved.release().at(0);
      CHECK(moved.fds().empty());
    }
    CHECK(nl::find_link(socket, "tap0"));
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      char byte;
      ::close(ends[1]);
      ::_exit(::read(ends[0], &byte, 1) <
              0);  // holds the descriptor until the parent closes its end
    }
    REQUIRE(child > 0);
    ::close(ends[0]);
    ::close(fd);
    CHECK(nl::find_link(socket, "tap0"));
    ::close(ends[1]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK_FALSE(nl::find_link(socket, "tap0"));
  });
}

TEST_CASE("a name that is taken by any link is refused") {
  in_new_netns([] {
    nl::Socket socket;
    const nl::Tap tap = nl::open_tap("tap0");
    const auto said = refusal([] { nl::open_tap("tap0"); });
    CHECK(said.code == EBUSY);
    CHECK(said.words.find("link tap0: cannot create tap: ") == 0);
    CHECK(said.words.find("exists already") != std::string::npos);
    witness::output_of("ip tuntap add mode tap name strange multi_queue");
    CHECK(refusal([] { nl::open_tap("strange"); }).code == EBUSY);
    CHECK(refusal([] { nl::open_tap("strange", {.multi_queue = true}); }).code == EBUSY);
    nl::make_bridge(socket, "br0");
    CHECK(refusal([] { nl::open_tap("br0"); }).code != 0);
    CHECK(refusal([] { nl::open_tap("lo"); }).code != 0);
    CHECK(nl::find_link(socket, "strange"));
  });
}

TEST_CASE("a name that no link can have is refused, not cut short") {
  in_new_netns([] {
    nl::Socket socket;
    const auto said = refusal([] { nl::open_tap("sixteen-bytes-xy"); });
    CHECK(said.code == ENAMETOOLONG);
    CHECK(said.words ==
          "link sixteen-bytes-xy: cannot create tap: the name is longer than 15 bytes");
    CHECK_FALSE(nl::find_link(socket, "sixteen-bytes-x"));
    for (const char* name : {"", "tap%d", "a/b", "..", "a b"}) {
      CAPTURE(name);
      CHECK(refusal([&] { nl::open_tap(name); }).code == EINVAL);
    }
    const nl::Tap longest = nl::open_tap("fifteen-bytes-x");
    CHECK(nl::find_link(socket, "fifteen-bytes-x"));
    CHECK(nl::list_links(socket).size() == 2);
  });
}

TEST_CASE("packets go from one tap over the bridge to another") {
  in_new_netns([] {
    nl::Socket socket;
    nl::make_bridge(socket, "br0", {.forward_delay = 0, .up = true});
    const nl::Tap one = nl::open_tap("tap0", {.vnet_hdr = false}),
                  two = nl::open_tap("tap1", {.vnet_hdr = false});
    for (const char* name : {"tap0", "tap1"})
      nl::change_link(socket, name, {.up = true, .master = "br0"});
    std::array<std::uint8_t, 60> frame{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52,
                                       0x54, 0,    0,    0,    1,    0x88, 0xb5};
    frame[59] = 42;
    REQUIRE(::write(one.fds()[0], frame.data(), frame.size()) ==
            static_cast<ssize_t>(frame.size()));
    bool arrived = false;
    for (int i = 0; i < 100 && !arrived; ++i) {
      pollfd readable{two.fds()[0], POLLIN, 0};
      if (::poll(&readable, 1, 100) <= 0) continue;
      std::array<std::uint8_t, 2048> got{};
      const ssize_t size = ::read(two.fds()[0], got.data(), got.size());
      arrived = size == static_cast<ssize_t>(frame.size()) &&
                std::equal(frame.begin(), frame.end(), got.begin());
    }
    CHECK(arrived);
    CHECK(nl::find_link(socket, "tap0")->received.packets == 1);
    CHECK(nl::find_link(socket, "tap0")->received.bytes == frame.size());
    CHECK(nl::find_link(socket, "tap1")->sent.packets >= 1);
  });
}

namespace {
/// Everybody may open /dev/net/tun where udev has made it; where it has not, in a mount namespace
/// of this process alone. False when that cannot be.
bool open_tun_to_all() {
  constexpr const char* device = "/dev/net/tun";
  struct stat status {};
  if (::stat(device, &status) != 0) return false;
  if ((status.st_mode & 0006) == 0006) return true;
  char folder[] = "/tmp/nutshell-tun.XXXXXX";
  if (!::mkdtemp(folder)) return false;
  const std::string node = std::string(folder) + "/tun";
  const bool made = ::unshare(CLONE_NEWNS) == 0 &&
                    ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                    ::mknod(node.c_str(), S_IFCHR | 0600, status.st_rdev) == 0 &&
                    ::chmod(node.c_str(), 0666) == 0 &&
                    ::mount(node.c_str(), device, nullptr, MS_BIND, nullptr) == 0;
  ::unlink(node.c_str());
  ::rmdir(folder);
  return made;
}
}  // namespace

TEST_CASE("without the right to make a tap the sentence says so") {
  in_new_netns([] {
    const pid_t child = ::fork();
    if (child == 0) {
      if (!open_tun_to_all()) ::_exit(2);
      if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(3);
      const auto said = refusal([] { nl::open_tap("tap0"); });
      const bool clear = said.words.find("link tap0: cannot create tap: not permitted") == 0;
      ::_exit(said.code == EPERM && clear ? 0 : 1);
    }
    REQUIRE(child > 0);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  });
}
