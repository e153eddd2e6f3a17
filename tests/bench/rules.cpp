// What one more machine costs nft when 10 and when 1,000 machines have their rules already, and
// when its group has 10 rules and 1,000: a network namespace for each, turn and turn about, so that
// whatever else the host does meets all alike.
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

/// A network namespace in which machines have their rules.
struct World {
  int place = -1;
  Groups groups;
};

World make_world(unsigned machines, unsigned rules) {
  GroupRow group{"shop", "web", "", {}};
  for (unsigned i = 0; i < rules; ++i) group.rules.push_back({"tcp", 1000 + i, 1000 + i, "", ""});
  const Groups groups = groups_of({group});
  if (::unshare(CLONE_NEWNET) != 0) throw std::runtime_error("unshare: this needs root");
  Firewall firewall;
  firewall.mark = firewall_mark("ab12");
  firewall.networks = {
      {"nutshell0", "nutshell0", NetworkMode::nat, *parse_ipv4_net("10.75.0.1/16"), ""}};
  firewall.groups = groups;
  for (unsigned i = 0; i < machines; ++i) firewall.guests.push_back(guest(16 + i));
  host::apply_rules(render_firewall(firewall, {}));
  host::apply_rules(render_bridge_firewall(firewall, tables.tracking, {}));
  return {::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), groups};
}

double once(const World& world) {
  if (::setns(world.place, CLONE_NEWNET) != 0) throw std::runtime_error("setns");
  const GuestNic one = guest(8);
  const auto start = std::chrono::steady_clock::now();
  host::apply_rules(render_guests(tables, {one}, world.groups, {guest(16)}));
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
  host::apply_rules(render_guests_removal(tables, {one}, {guest(16)}, world.groups));
  return time.count();
}

double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = std::max(argc > 1 ? std::atoi(argv[1]) : 41, 3);
  const World few = make_world(10, 10), machines = make_world(1000, 10),
              rules = make_world(10, 1000);
  std::vector<double> with_few, with_machines, with_rules;
  for (int i = 0; i < rounds; ++i) {
    with_few.push_back(once(few));
    with_machines.push_back(once(machines));
    with_rules.push_back(once(rules));
  }
  const double base = median(with_few);
  bool good = true;
  const auto report = [&](const char* what, const std::vector<double>& times) {
    const double ratio = median(times) / base;
    good = good && ratio <= most;
    fmt::print("{}: {:.1f} ms with 1000, {:.2f} times of {:.1f} ms with 10 (limit {})\n", what,
               median(times), ratio, base, most);
  };
  report("one more machine, others in place", with_machines);
  report("one more machine, rules of its group", with_rules);
  return good ? 0 : 1;
}
