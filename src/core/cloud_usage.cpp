// What a cloud has, counted, and the limits that it may have passed.
#include <fmt/format.h>

#include "nutshell/cloud.hpp"

namespace nutshell {
namespace {

std::string place(const Quota& quota, const char* key) {
  const auto origin = quota.origins.find(key);
  return origin == quota.origins.end() ? "" : " (" + origin->second + ")";
}

}  // namespace

void add_usage(Usage& usage, const MachineSpec& spec) {
  ++usage.machines;
  usage.cpus += spec.cpus;
  usage.memory += spec.memory;
  for (const DiskSpec& disk : spec.disks) usage.disk += disk.size.value_or(0);
}

std::vector<std::string> quota_faults(const Usage& usage, const Quota& quota) {
  std::vector<std::string> faults;
  const auto count = [&](const char* key, unsigned used, const std::optional<unsigned>& limit,
                         const char* one, const char* many) {
    if (limit && used > *limit)
      faults.push_back(fmt::format("{} {} more than its quota of {}{}", used,
                                   used == 1 ? one : many, *limit, place(quota, key)));
  };
  const auto size = [&](const char* key, Bytes used, const std::optional<Bytes>& limit,
                        const char* what) {
    if (limit && used > *limit)
      faults.push_back(fmt::format("{} of {} is more than its quota of {}{}", format_size(used),
                                   what, format_size(*limit), place(quota, key)));
  };
  count("machines", usage.machines, quota.machines, "machine is", "machines are");
  count("cpus", usage.cpus, quota.cpus, "virtual CPU is", "virtual CPUs are");
  size("memory", usage.memory, quota.memory, "memory");
  size("disk", usage.disk, quota.disk, "disk");
  count("addresses", usage.addresses, quota.addresses, "public address is", "public addresses are");
  return faults;
}

}  // namespace nutshell
