// Fills a registry that has one machine, made by `nutshell create` on a bridge with an address,
// with copies of it, each with leases of its own, until there are COUNT. A thousand creates by the
// command take minutes, most of them syncing disks.
//
// usage: bench_fill REGISTRY COUNT
#include <cstdio>
#include <cstdlib>

#include "nutshell/config.hpp"
#include "nutshell/registry.hpp"

using namespace nutshell;

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_fill REGISTRY COUNT\n");
    return 2;
  }
  Registry::Options options;
  options.path = argv[1];
  options.pools = effective_pools({});
  Registry registry = Registry::open(options);
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
