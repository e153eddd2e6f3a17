// Processes that are ours for the test, looked at as if they were strangers'.
#include "host/proc.hpp"

#include <doctest/doctest.h>
#include <sys/prctl.h>

#include <algorithm>
#include <filesystem>

#include "host/process.hpp"
#include "host/scratch.hpp"

using namespace nutshell::host;
using namespace std::chrono_literals;
using nutshell::Uuid;

namespace {
const Uuid uuid{"6ba7b810-9dad-41d1-80b4-00c04fd430c8"};
Uuid fresh_uuid() {
  std::string text = scratch::get("/proc/sys/kernel/random/uuid");
  text.pop_back();
  return {text};
}
/// A sleeping process whose argv[0] and arguments are as given.
process::Child pretend(const std::vector<std::string>& argv) {
  return process::Child([&] {
    std::vector<char*> words;
    for (const std::string& each : argv) words.push_back(const_cast<char*>(each.c_str()));
    words.push_back(nullptr);
    ::dup2(::open("/dev/null", O_WRONLY), 1);
    ::dup2(1, 2);
    ::execv("/usr/bin/tail", words.data());
  });
}
bool runs(int pid) { return !command_line(pid).empty() && process_name(pid) == "tail"; }
}  // namespace

TEST_CASE("start time and name survive a comm with spaces and parentheses") {
  process::Child child([] {
    ::prctl(PR_SET_NAME, ") R 1 (x y) 7");
    ::pause();
  });
  REQUIRE(scratch::soon([&] { return process_name(child.pid()) == ") R 1 (x y) 7"; }));
  const auto mine = start_time(::getpid()), its = start_time(child.pid());
  REQUIRE(mine);
  REQUIRE(its);
  CHECK(*its >= *mine);
  CHECK(*its < *mine + 100 * 3600);
  const int pid = child.pid();
  child.kill();
  CHECK_FALSE(start_time(pid));
  CHECK(command_line(pid).empty());
}

TEST_CASE("a process that has ended is none, though its parent has not asked for it") {
  process::Child child([] { ::pause(); });
  const int pid = child.pid();
  REQUIRE(start_time(pid));
  REQUIRE(::kill(pid, SIGKILL) == 0);
  siginfo_t ended{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT) == 0);
  CHECK_FALSE(process_name(pid).empty());  // /proc still has it
  CHECK_FALSE(start_time(pid));
}

TEST_CASE("a QEMU is found by its uuid, not by a text that contains it") {
  const Uuid id = fresh_uuid();
  process::Child grep = pretend(
      {"tail", "-f", "/dev/null", "--pid=" + std::to_string(::getpid()), "--", "/dev/null"});
  process::Child shell(
      [&] { ::execlp("sh", "sh", "-c", ("kill -STOP $$; : -uuid " + id.text).c_str(), nullptr); });
  REQUIRE(scratch::soon([&] { return runs(grep.pid()); }));
  CHECK_FALSE(find_qemu_by_uuid(id));
  // tail takes "-uuid" for options it does not know only when it parses them; after "--" it does
  // not.
  process::Child qemu =
      pretend({"/usr/bin/qemu-system-x86_64", "-f", "/dev/null", "--", "-uuid", id.text});
  CHECK(scratch::soon([&] { return find_qemu_by_uuid(id) == qemu.pid(); }));
}

TEST_CASE("a pidfd is given for the very process only") {
  process::Child child =
      pretend({"qemu-system-x86_64", "-f", "/dev/null", "--", "-uuid", uuid.text});
  REQUIRE(scratch::soon([&] { return runs(child.pid()); }));
  const Identity identity{child.pid(), *start_time(child.pid())};
  CHECK(open_checked_pidfd(identity, uuid));
  CHECK(open_checked_pidfd(identity, std::string("/dev/null")));
  CHECK_FALSE(open_checked_pidfd(identity, std::string("/dev")));
  CHECK_FALSE(open_checked_pidfd({identity.pid, identity.start_time + 1}, uuid));
  CHECK_FALSE(open_checked_pidfd(identity, Uuid{"6ba7b810-9dad-41d1-80b4-00c04fd430c9"}));
  CHECK_FALSE(open_checked_pidfd({0, identity.start_time}, uuid));

  const auto pidfd = open_checked_pidfd(identity, uuid);
  REQUIRE(pidfd);
  CHECK_FALSE(wait_until_gone(*pidfd, 20ms));
  CHECK(send_signal(*pidfd, SIGKILL));
  CHECK(wait_until_gone(*pidfd, 5s));
  // A zombie is gone, whatever its parent does.
  CHECK_FALSE(open_checked_pidfd(identity, uuid));
  child.wait();
  CHECK_FALSE(send_signal(*pidfd, SIGKILL));
  CHECK(wait_until_gone(*pidfd, 0ms));
}

TEST_CASE("what a QEMU uses is read off its argv, in every way people write it") {
  const QemuProcess blog = parse_qemu(
      {"qemu-system-x86_64", "-accel", "kvm", "-drive", "file=/dev/vg01/ci,,ab,if=virtio", "-net",
       "nic,model=virtio,macaddr=52:54:00:12:34:60", "-cdrom", "/iso/x.iso", "-vnc", ":1,to=9"});
  REQUIRE(blog.macs.size() == 1);
  CHECK(to_string(blog.macs[0]) == "52:54:00:12:34:60");
  CHECK(blog.displays == std::vector<unsigned>{1});
  CHECK(blog.disks == std::vector<std::string>{"/dev/vg01/ci,ab", "/iso/x.iso"});

  const QemuProcess json =
      parse_qemu({"kvm", "--uuid", "6BA7B810-9DAD-41D1-80B4-00C04FD430C8", "-device",
                  R"({"driver":"virtio-net-pci","mac" : "52:54:00:AA:bb:01","netdev":"n0"})",
                  "-device", "e1000,mac=52:54:00:aa:bb:02,netdev=n1", "-blockdev",
                  R"({"driver":"file","filename":"/a \"b\".img","node-name":"f0"})", "-blockdev",
                  "driver=raw,file.driver=file,file.filename=/c.img,node-name=x", "-display",
                  "vnc=[::1]:12", "-hda", "/d.img"});
  CHECK(json.uuid == uuid.text);
  REQUIRE(json.macs.size() == 2);
  CHECK(to_string(json.macs[0]) == "52:54:00:aa:bb:01");
  CHECK(json.displays == std::vector<unsigned>{12});
  CHECK(json.disks == std::vector<std::string>{"/a \"b\".img", "/c.img", "/d.img"});

  const QemuProcess none = parse_qemu({"qemu-system-x86_64", "-vnc", "unix:/run/x:5", "-append",
                                       "ip=1,mac=52:54:00:12:34:60", "-vnc", "none", "-display",
                                       "none", "-device", "x,notmac=52:54:00:12:34:61"});
  CHECK(none.macs.empty());
  CHECK(none.displays.empty());
  CHECK(none.disks.empty());
  CHECK(parse_qemu({}).macs.empty());
}
