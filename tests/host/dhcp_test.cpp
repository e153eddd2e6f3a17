// The real dnsmasq, asked by the real udhcpc of busybox across veths, each client in a network
// namespace of its own. Every folder lies below one that only root may enter.
#include "host/dhcp.hpp"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <algorithm>
#include <filesystem>

#include "host/network.hpp"
#include "host/process.hpp"
#include "host/scratch.hpp"
#include "host/tool.hpp"
#include "netns/namespace.hpp"
#include "nl/link.hpp"
#include "nutshell/error.hpp"

namespace fs = std::filesystem;
using namespace nutshell;
using namespace nutshell::host;

namespace {

const std::string first = "52:54:00:00:00:01", second = "52:54:00:00:00:02";

DhcpHost guest(const std::string& mac, const char* ip) {
  return {*parse_mac(mac), *parse_ipv4(ip)};
}

/// A managed network in the calling thread's namespace, taken down at the end.
class Network {
 public:
  Network() {
    ensure_bridge(wish_);
    network_.folder = scratch_ / "closed/run/net-nutshell0";
  }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  ~Network() {
    try {
      stop_dhcp(network_.folder);
    } catch (const std::exception& error) {
      FAIL_CHECK(error.what());
    }
  }
  [[nodiscard]] const std::string& folder() const { return network_.folder; }
  [[nodiscard]] const scratch::Folder& outside() const { return scratch_; }
  [[nodiscard]] const DhcpNetwork& network() const { return network_; }
  void serve(const std::vector<DhcpHost>& hosts) const { start_dhcp(network_, hosts); }
  [[nodiscard]] int pid() const {
    const auto found = find_dhcp(network_.folder);
    return found ? found->pid : 0;
  }

 private:
  scratch::Folder scratch_;
  BridgeWish wish_{"nutshell0", *parse_ipv4_net("10.75.0.1/24"), *parse_mac("52:54:00:11:22:33"),
                   "nutshell:network:nutshell0"};
  DhcpNetwork network_{{}, "nutshell0", wish_.address};
};

/// A guest: the far end of a veth, in a namespace of its own.
class Client {
 public:
  Client(const std::string& name, const std::string& mac) : name_(name), there_(netns::make()) {
    nl::Socket socket;
    nl::make_veth(socket, {.name = name, .peer = "eth0", .peer_netns_fd = there_.fd()});
    nl::change_link(socket, name, {.up = true, .master = nl::LinkRef("nutshell0")});
    netns::in_netns(there_, [&] {
      nl::Socket inside;
      nl::set_mac(inside, "eth0", *nl::parse_mac(mac));
      nl::set_up(inside, "eth0");
    });
  }
  /// "10.75.0.2/24 via 10.75.0.1", or "" when nobody answers.
  [[nodiscard]] std::string ask(const std::vector<std::string>& more = {}) const {
    const scratch::Folder folder;
    scratch::script(folder / "s", "[ \"$1\" = bound ] && echo \"$ip/$mask via $router\" > " +
                                      (folder / "got") + "; exit 0\n");
    std::vector<std::string> argv{"busybox", "udhcpc", "-i", "eth0", "-f", "-q", "-n",        "-t",
                                  "4",       "-T",     "1",  "-A",   "1",  "-s", folder / "s"};
    argv.insert(argv.end(), more.begin(), more.end());
    netns::in_netns(there_, [&] { (void)run({.argv = argv, .input = {}, .environment = {}}); });
    std::string got = scratch::get(folder / "got");
    if (!got.empty()) got.pop_back();
    return got;
  }

 private:
  std::string name_;
  netns::Handle there_;
};

bool says(const std::string& sentence, const std::string& words) {
  CAPTURE(sentence);
  return sentence.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("each MAC gets the address that is its own; a stranger gets none") {
  netns::in_new_netns([] {
    const Network network;
    const auto start = std::chrono::steady_clock::now();
    network.serve({guest(first, "10.75.0.2")});
    MESSAGE("dnsmasq answers after " << scratch::seconds_since(start) * 1e3 << " ms");
    const int pid = network.pid();
    REQUIRE(pid > 0);
    const Client one("v1", first), two("v2", second);
    CHECK(one.ask() == "10.75.0.2/24 via 10.75.0.1");
    CHECK(two.ask({"-t", "2"}) == "");
    // Told while it runs: the same process, which reads the file again as an ordinary user.
    const auto reload = std::chrono::steady_clock::now();
    network.serve({guest(first, "10.75.0.2"), guest(second, "10.75.0.3")});
    MESSAGE("told after " << scratch::seconds_since(reload) * 1e3 << " ms");
    CHECK(two.ask() == "10.75.0.3/24 via 10.75.0.1");
    CHECK(network.pid() == pid);
    // A client identifier of its own (a clone has its original's) makes no difference.
    CHECK(two.ask({"-x", "0x3d:01525400000001"}) == "10.75.0.3/24 via 10.75.0.1");
    CHECK(one.ask() == "10.75.0.2/24 via 10.75.0.1");
  });
}

TEST_CASE("an address that passes to another MAC is given to it at once") {
  netns::in_new_netns([] {
    const Network network;
    network.serve({guest(first, "10.75.0.2")});
    const Client one("v1", first), two("v2", second);
    REQUIRE(one.ask() == "10.75.0.2/24 via 10.75.0.1");
    REQUIRE(scratch::soon([&] {
      return scratch::get(network.folder() + "/leases").find("10.75.0.2") != std::string::npos;
    }));
    network.serve({});  // its machine is gone; the lease lives on
    network.serve({guest(second, "10.75.0.2")});
    CHECK(two.ask() == "10.75.0.2/24 via 10.75.0.1");
    CHECK(one.ask({"-t", "2"}) == "");
    // And one MAC that moves to another address.
    network.serve({guest(second, "10.75.0.9")});
    CHECK(two.ask() == "10.75.0.9/24 via 10.75.0.1");
  });
}

TEST_CASE("it is unprivileged, detached, and holds nothing of ours") {
  netns::in_new_netns([] {
    const Network network;
    const int leak = ::open("/dev/zero", O_RDONLY);  // without O_CLOEXEC
    network.serve({guest(first, "10.75.0.2")});
    ::close(leak);
    const std::string proc = "/proc/" + std::to_string(network.pid());
    const std::string status = scratch::get(proc + "/status");
    CHECK(says(status, "NoNewPrivs:\t1"));
    CHECK(says(status, "CapEff:\t0000000000003400"));
    CHECK(says(status, "CapInh:\t0000000000003400"));
    CHECK(says(status, "Groups:\t \n"));
    CHECK(status.find("Uid:\t0\t") == std::string::npos);
    CHECK(says(status, "PPid:\t"));
    CHECK(status.find("PPid:\t" + std::to_string(::getpid()) + "\n") == std::string::npos);
    for (const auto& entry : fs::directory_iterator(proc + "/fd")) {
      const std::string target = fs::read_symlink(entry.path());
      CAPTURE(target);
      CHECK((target == "/dev/null" || target.starts_with(network.folder()) ||
             target.starts_with("socket:") || target.starts_with("pipe:")));
    }
    // The folder above is closed to everybody else.
    struct stat above {};
    REQUIRE(::stat((network.outside() / "closed").c_str(), &above) == 0);
    CHECK((above.st_mode & 077) == 0);
    struct stat leases {};
    REQUIRE(::stat((network.folder() + "/leases").c_str(), &leases) == 0);
    CHECK((leases.st_mode & 077) == 0);
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  });
}

TEST_CASE("it is found when its launcher was killed before noting it, and restarted when it was") {
  netns::in_new_netns([] {
    const Network network;
    CHECK_FALSE(find_dhcp(network.folder()));
    network.serve({guest(first, "10.75.0.2")});
    const int pid = network.pid();
    scratch::put(network.folder() + "/dnsmasq.pid", "1 1\n");
    CHECK(network.pid() == pid);
    fs::remove(network.folder() + "/dnsmasq.pid");
    CHECK(network.pid() == pid);
    network.serve({guest(first, "10.75.0.2")});
    CHECK(network.pid() == pid);
    REQUIRE(::kill(pid, SIGKILL) == 0);
    CHECK(scratch::soon([&] { return network.pid() == 0; }));
    network.serve({guest(first, "10.75.0.2")});
    CHECK(network.pid() > 0);
    CHECK(network.pid() != pid);
    stop_dhcp(network.folder());
    CHECK(network.pid() == 0);
    CHECK_FALSE(fs::exists(network.folder()));
    CHECK_NOTHROW(stop_dhcp(network.folder()));
  });
}

TEST_CASE("the lease file of a dead one is taken over, without addresses that have moved") {
  netns::in_new_netns([] {
    const Network network;
    network.serve({guest(first, "10.75.0.2")});
    const Client one("v1", first), two("v2", second);
    REQUIRE(one.ask() == "10.75.0.2/24 via 10.75.0.1");
    REQUIRE(::kill(network.pid(), SIGKILL) == 0);
    REQUIRE(scratch::soon([&] { return network.pid() == 0; }));
    network.serve({guest(second, "10.75.0.2")});
    CHECK(two.ask() == "10.75.0.2/24 via 10.75.0.1");
  });
}

TEST_CASE("names, back and forth, and what is not ours to tell") {
  netns::in_new_netns([] {
    const Network network;
    DhcpNetwork named = network.network();
    named.dns = true;
    named.upstream = false;
    named.mtu = 1400;
    const auto ask = [](const std::string& what) {
      return run({.argv = {"busybox", "nslookup", what, "10.75.0.1"},
                  .input = {},
                  .environment = {}})
          .output;
    };
    start_dhcp(named, {{*parse_mac(first), *parse_ipv4("10.75.0.2"), "web", "shop"}});
    CHECK(says(ask("web.shop.nutshell"), "Address: 10.75.0.2"));
    CHECK(says(ask("10.75.0.2"), "name = web.shop.nutshell"));
    CHECK(says(ask("db.shop.nutshell"), "NXDOMAIN"));
    CHECK(says(ask("debian.org"), "REFUSED"));
    const int pid = network.pid();
    start_dhcp(named, {{*parse_mac(second), *parse_ipv4("10.75.0.2"), "db", "shop"}});
    CHECK(network.pid() == pid);
    CHECK(says(ask("10.75.0.2"), "name = db.shop.nutshell"));
    CHECK(says(ask("web.shop.nutshell"), "NXDOMAIN"));
  });
}

TEST_CASE("what is told to all, and to some") {
  const DhcpHost narrow{*parse_mac(first), *parse_ipv4("10.75.0.9"), "web", "shop", 1300};
  const DhcpHost usual{*parse_mac(second), *parse_ipv4("10.75.0.2"), "db", "default"};
  DhcpNetwork network{"/f", "br", *parse_ipv4_net("10.75.0.1/24")};
  CHECK(render_dhcp_hosts(network, {narrow, usual}) ==
        second + ",set:cloud-default,10.75.0.2\n" + first +
            ",set:cloud-shop,set:mtu-1300,10.75.0.9\n");
  CHECK(render_dhcp_names({narrow, usual}) ==
        "10.75.0.2 db.default.nutshell\n10.75.0.9 web.shop.nutshell\n");
  CHECK(render_dhcp_options({narrow, usual}) ==
        "tag:cloud-default,option:domain-name,default.nutshell\n"
        "tag:cloud-default,option:domain-search,default.nutshell\n"
        "tag:cloud-shop,option:domain-name,shop.nutshell\n"
        "tag:cloud-shop,option:domain-search,shop.nutshell\n"
        "tag:mtu-1300,option:mtu,1300\n");
  CHECK(render_dhcp_options({}) == "");
  CHECK(says(render_dhcp_config(network, {}), "\nport=0\n"));
  network.dns = true;
  CHECK_FALSE(says(render_dhcp_config(network, {}), "no-resolv"));
  CHECK(render_dhcp_config(network, {narrow, usual}) == render_dhcp_config(network, {}));
  network.upstream = network.gateway = false;
  network.ipv6 = "fd00:75::/64";
  CHECK(says(render_dhcp_config(network, {}), "\nno-resolv\n"));
  CHECK(says(render_dhcp_config(network, {}), "\ndhcp-option=option:router\n"));
  // With IPv6 and DNS, names come from leases, each with a domain of its own.
  CHECK(says(render_dhcp_config(network, {narrow, usual}),
             "\ndhcp-range=fd00:75::,ra-names,64,1h\nra-param=br,0,0\ndhcp-fqdn\n"
             "domain=nutshell\ndomain=default.nutshell,10.75.0.2\n"
             "domain=shop.nutshell,10.75.0.9\n"));
  CHECK(render_dhcp_hosts(network, {narrow}) ==
        first + ",set:cloud-shop,set:mtu-1300,10.75.0.9,web\n");
  network.dns = false;
  CHECK(says(render_dhcp_config(network, {narrow}),
             "\ndhcp-range=fd00:75::,ra-only,64,1h\nra-param=br,0,0\n"));
  CHECK(render_dhcp_hosts(network, {narrow}) == first + ",set:cloud-shop,set:mtu-1300,10.75.0.9\n");
}

TEST_CASE("a host has the name that we gave it, and no other by its own word") {
  netns::in_new_netns([] {
    const Network network;
    DhcpNetwork named = network.network();
    named.dns = true;
    named.upstream = false;
    const auto ask = [](const std::string& what) {
      return run({.argv = {"busybox", "nslookup", what, "10.75.0.1"},
                  .input = {},
                  .environment = {}})
          .output;
    };
    start_dhcp(named, {{*parse_mac(first), *parse_ipv4("10.75.0.2"), "web", "shop"}});
    const Client one("v1", first);
    REQUIRE(one.ask({"-x", "hostname:wpad"}) == "10.75.0.2/24 via 10.75.0.1");
    CHECK(says(ask("wpad"), "NXDOMAIN"));
    CHECK(says(ask("web.shop.nutshell"), "Address: 10.75.0.2"));
  });
}

TEST_CASE("another configuration restarts it, the same one does not") {
  netns::in_new_netns([] {
    const Network network;
    network.serve({guest(first, "10.75.0.2")});
    const int pid = network.pid();
    network.serve({guest(first, "10.75.0.2"), guest(second, "10.75.0.3")});
    CHECK(network.pid() == pid);
    DhcpNetwork wider = network.network();
    wider.mtu = 1400;
    start_dhcp(wider, {guest(first, "10.75.0.2")});
    CHECK(network.pid() != pid);
    CHECK(network.pid() > 0);
  });
}

TEST_CASE("one whose folder was removed by hand is found, ended and replaced") {
  netns::in_new_netns([] {
    const Network network;
    const std::string run = network.folder().substr(0, network.folder().rfind('/'));
    network.serve({guest(first, "10.75.0.2")});
    const int pid = network.pid();
    CHECK(served_folders(run) == std::vector<std::string>{network.folder()});
    CHECK(served_folders(run + "x").empty());
    fs::remove_all(network.folder());
    CHECK(served_folders(run) == std::vector<std::string>{network.folder()});
    network.serve({guest(first, "10.75.0.2")});
    CHECK(network.pid() != pid);
    CHECK(network.pid() > 0);
    fs::remove_all(network.folder());
    stop_dhcp(network.folder());
    CHECK(served_folders(run).empty());
  });
}

TEST_CASE("dying at its start, it is quoted") {
  netns::in_new_netns([] {
    const Network network;
    DhcpNetwork strange = network.network();
    strange.bridge = "nutshell0\nno-such-word";
    const std::string sentence = scratch::sentence_of([&] { start_dhcp(strange, {}); });
    CHECK(says(sentence, "died at its start"));
    CHECK(says(sentence, "bad option at line 3"));
    CHECK_FALSE(find_dhcp(network.folder()));
    // Somebody else has the port.
    process::Child other([&] {
      const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(67);
      if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) ::_exit(1);
      scratch::put(network.outside() / "bound", "");
      ::pause();
    });
    REQUIRE(scratch::soon([&] { return fs::exists(network.outside() / "bound"); }));
    CHECK(says(scratch::sentence_of([&] { network.serve({}); }),
               "port 67 is held by host_dhcp_test (pid "));
    other.kill();
    CHECK_NOTHROW(network.serve({}));
  });
}

TEST_CASE("without dnsmasq the package is named") {
  netns::in_new_netns([] {
    const Network network;
    process::Child bare([&] {
      if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", "", MS_REC | MS_PRIVATE, "") != 0 ||
          ::mount("/dev/null", find_program("dnsmasq")->c_str(), "", MS_BIND, nullptr) != 0)
        ::_exit(1);
      const std::string sentence = scratch::sentence_of([&] { network.serve({}); });
      ::_exit(sentence.find("apt install dnsmasq-base") != std::string::npos ? 42 : 2);
    });
    CHECK(bare.wait() == 42);
  });
}

TEST_CASE("leases that name another MAC are seen, and none is taken over but of who is there") {
  const std::string text =
      "1700000000 52:54:00:00:00:01 10.75.0.2 web1 01:52:54:00:00:00:01\n"
      "1700000000 52:54:00:00:00:02 10.75.0.3 * *\n"
      "duid 00:01\n";
  CHECK_FALSE(has_stale_lease(text, {guest(first, "10.75.0.2")}));
  CHECK_FALSE(has_stale_lease(text, {}));
  CHECK_FALSE(has_stale_lease("", {guest(first, "10.75.0.2")}));
  CHECK(has_stale_lease(text, {guest(second, "10.75.0.2")}));
  const auto named = [](const std::string& mac, const char* ip) {
    DhcpHost host = guest(mac, ip);
    host.name = "web";
    return host;
  };
  CHECK(leases_of_hosts(text, {named(second, "10.75.0.2")}) == "duid 00:01\n");
  CHECK(leases_of_hosts(text, {named(second, "10.75.0.3")}) ==
        "1700000000 52:54:00:00:00:02 10.75.0.3 * *\nduid 00:01\n");
  CHECK(leases_of_hosts(text, {named(first, "10.75.0.2"), named(second, "10.75.0.3")}) == text);
  // Who does not run has his address still, and a lease of his would bring his name back.
  CHECK(leases_of_hosts(text, {guest(first, "10.75.0.2"), guest(second, "10.75.0.3")}) ==
        "duid 00:01\n");
}
