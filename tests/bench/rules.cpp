// What one more machine costs nft when 10 and when 1,000 machines have their rules already: two
// network namespaces, turn and turn about, so that whatever else the host does meets both alike.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "host/nft.hpp"
#include "nutshell/firewall.hpp"
#include "nutshell/guard.hpp"

using namespace nutshell;

namespace {

constexpr double most = 1.5;
const GuardTables tables{"nutshell", "nutshell", BridgeTracking::no};

GuestNic guest(unsigned number) {
  GuestNic nic;
  nic.tap = fmt::format("ntab12-{:x}", number);
  nic.mark = tap_mark({"shop", fmt::format("m{}", number)}, 0);
  nic.cloud = "shop";
  nic.mac.value = 0x525400000000 + number;
  nic.guarded = nic.isolated = nic.routed = true;
  nic.ip = Ipv4{0x0a4b0000 + number};
  nic.groups = {"web"};
  return nic;
}

Groups groups() { return groups_of({{"shop", "web", "", {{"tcp", 80, 80, "", ""}}}}); }

/// A network namespace in which so many machines have their rules.
int make_world(unsigned machines) {
  if (::unshare(CLONE_NEWNET) != 0) throw std::runtime_error("unshare: this needs root");
  Firewall firewall;
  firewall.mark = firewall_mark("ab12");
  firewall.networks = {
      {"nutshell0", "nutshell0", NetworkMode::nat, *parse_ipv4_net("10.75.0.1/16"), ""}};
  firewall.groups = groups();
  for (unsigned i = 0; i < machines; ++i) firewall.guests.push_back(guest(16 + i));
  host::apply_rules(render_firewall(firewall, {}));
  host::apply_rules(render_bridge_firewall(firewall, tables.tracking, {}));
  return ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

double once(int world) {
  if (::setns(world, CLONE_NEWNET) != 0) throw std::runtime_error("setns");
  const GuestNic one = guest(8);
  const auto start = std::chrono::steady_clock::now();
  host::apply_rules(render_guests(tables, {one}, groups()));
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
  host::apply_rules(render_guests_removal(tables, {one}, {guest(16)}, groups()));
  return time.count();
}

double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 41;
  const int few = make_world(10), many = make_world(1000);
  std::vector<double> with_few, with_many;
  for (int i = 0; i < std::max(rounds, 3); ++i) {
    with_few.push_back(once(few));
    with_many.push_back(once(many));
  }
  const double ratio = median(with_many) / median(with_few);
  fmt::print(
      "one machine's rules: {:.1f} ms with 10 in place, {:.1f} ms with 1000: {:.2f} times "
      "(limit {})\n",
      median(with_few), median(with_many), ratio, most);
  return ratio <= most ? 0 : 1;
}
