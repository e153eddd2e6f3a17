// Fills a registry that has one machine, made by `nutshell create` on a bridge with an address,
// with copies of it, each with leases of its own, until there are COUNT. A thousand creates by the
// command take minutes, most of them syncing disks.
// With a config file it makes no machines, but COUNT leases: half of them MACs, a quarter ranges of
// the pool "public", a quarter subnets, of several sizes, and then gives a fifth of them back.
//
// usage: bench_fill REGISTRY COUNT [CONFIG]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>

#include "nutshell/config.hpp"
#include "nutshell/registry.hpp"

using namespace nutshell;

namespace {
void fill_with_leases(Registry& registry, int count) {
  constexpr int most_at_once = 50'000;
  std::mt19937 random(7);
  for (int done = 0; done < count;) {
    const int batch = std::min(count - done, most_at_once);
    Transaction transaction = registry.begin();
    std::vector<Want> wants;
    for (int i = 0; i < batch; ++i) {
      Want want{"mac", i, Lifetime::machine, {}};
      if (i % 4 == 1) {
        want = {"public", i, Lifetime::cloud, {}};
        want.count = 1 + random() % 24;
      } else if (i % 4 == 3) {
        want = {"subnet", i, Lifetime::cloud, {}};
        want.prefix = static_cast<unsigned>(26 + random() % 5);
      }
      wants.push_back(want);
    }
    char holder[40];
    std::snprintf(holder, sizeof holder, "%08x-1111-4111-8111-111111111111", done + 1);
    Taken taken = transaction.allocator().take(Uuid{holder}, wants, {});
    std::shuffle(taken.leases.begin(), taken.leases.end(), random);
    taken.leases.resize(taken.leases.size() / 5);
    for (const Lease& lease : taken.leases)
      transaction.allocator().release_value(lease.pool, lease.value);
    transaction.commit();
    done += batch;
  }
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fprintf(stderr, "usage: bench_fill REGISTRY COUNT [CONFIG]\n");
    return 2;
  }
  Registry::Options options;
  options.path = argv[1];
  Config config;
  if (argc == 4) {
    std::ifstream file(argv[3]);
    config = parse_config(std::string(std::istreambuf_iterator<char>(file), {}), argv[3]);
  }
  options.pools = effective_pools(config);
  Registry registry = Registry::open(options);
  if (argc == 4) {
    fill_with_leases(registry, std::atoi(argv[2]));
    return 0;
  }
  const std::vector<MachineRow> first = registry.machines();
  if (first.size() != 1 || first[0].spec.nics.size() != 1 || !first[0].spec.nics[0].ip ||
      first[0].spec.disks.size() != 1) {
    std::fprintf(stderr, "bench_fill: one machine with one disk and one address is expected\n");
    return 1;
  }
  Transaction transaction = registry.begin();
  for (unsigned n = 1; n < static_cast<unsigned>(std::atoi(argv[2])); ++n) {
    char text[64];
    std::snprintf(text, sizeof text, "%08x-1111-4111-8111-111111111111", n);
    MachineRow row = first[0];
    row.uuid = row.spec.uuid = Uuid{text};
    std::snprintf(text, sizeof text, "machine-%04u", n);
    row.name.name = row.spec.name.name = text;
    NicSpec& nic = row.spec.nics[0];
    nic.ip = Ipv4{first[0].spec.nics[0].ip->value + n};
    row.spec.disks[0].path = "/nowhere/" + row.uuid.text + "/disk0.img";
    transaction.add_machine(row);
    const Lifetime life = Lifetime::machine;
    const Taken taken = transaction.allocator().take(row.uuid,
                                                     {{"mac", 0, life, {}},
                                                      {"cid", 0, life, {}},
                                                      {"uid", 0, life, {}},
                                                      {"ipv4:bridge", 0, life, to_string(*nic.ip)},
                                                      {"volume", 0, life, row.spec.disks[0].path}},
                                                     {});
    nic.mac = parse_mac(taken.leases.at(0).value);
    row.spec.vsock_cid = static_cast<unsigned>(std::stoul(taken.leases.at(1).value));
    row.spec.run_as_uid = static_cast<unsigned>(std::stoul(taken.leases.at(2).value));
    transaction.change_spec(row.uuid, row.spec);
  }
  transaction.commit();
}
