// What a cloud uses is counted from the registry each time: there is no counter that could be
// wrong.
#include "app/cloud_quota.hpp"

#include <fmt/format.h>

#include "app/cloud_file.hpp"
#include "app/cloud_ranges.hpp"

namespace nutshell {
Usage usage_of(House& house, const std::string& cloud, const Uuid& but) {
  Usage usage;
  for (const MachineRow& row : house.registry().machines())
    if (row.name.cloud == cloud && row.uuid != but) add_usage(usage, row.spec);
  usage.addresses = static_cast<unsigned>(ranges_of(house, cloud).addresses()) +
                    addresses_beside_range(house, cloud);
  return usage;
}

Quota limits_that_count(const Quota& quota, const Usage& wanted, const Usage& had) {
  Quota limits = quota;
  if (wanted.machines <= had.machines) limits.machines.reset();
  if (wanted.cpus <= had.cpus) limits.cpus.reset();
  if (wanted.addresses <= had.addresses) limits.addresses.reset();
  if (wanted.memory <= had.memory) limits.memory.reset();
  if (wanted.disk <= had.disk) limits.disk.reset();
  return limits;
}

std::optional<Quota> quota_of(House& house, const std::string& cloud) {
  if (cloud == "default") return std::nullopt;
  if (const auto row = house.registry().cloud(cloud))
    if (auto spec = spec_of(*row); spec.quota) return spec.quota;
  return house.config.quota;
}

unsigned addresses_beside_range(House& house, const std::string& cloud) {
  unsigned count = 0;
  for (const PublicAddress& one : house.registry().addresses())
    if (one.cloud == cloud && one.pool != "public:" + cloud) ++count;
  return count;
}

void refuse_over_quota(const std::string& cloud, const Usage& usage, const Quota& quota) {
  std::string text;
  for (const std::string& fault : quota_faults(usage, quota))
    text += fmt::format("{}the cloud {}: {}; raise it, or ask for less", text.empty() ? "" : "\n",
                        cloud, fault);
  if (!text.empty()) throw Conflict(text);
}

void check_quota_of_machine(House& house, const MachineSpec& spec) {
  const auto quota = quota_of(house, spec.name.cloud);
  if (!quota) return;
  Usage usage = usage_of(house, spec.name.cloud, spec.uuid);
  add_usage(usage, spec);
  Quota limits = *quota;
  limits.addresses.reset();  // it asks for none
  refuse_over_quota(spec.name.cloud, usage, limits);
}

void refuse_over_quota_of_change(House& house, const MachineSpec& before,
                                 const MachineSpec& after) {
  Usage had, has;
  add_usage(had, before);
  add_usage(has, after);
  if (has.cpus > had.cpus || has.memory > had.memory || has.disk > had.disk)
    check_quota_of_machine(house, after);
}

void check_quota_of_address(House& house, const std::string& cloud) {
  const auto quota = quota_of(house, cloud);
  if (!quota || !quota->addresses) return;
  Usage usage = usage_of(house, cloud, {});
  ++usage.addresses;
  Quota limits;
  limits.addresses = quota->addresses;
  limits.origins = quota->origins;
  refuse_over_quota(cloud, usage, limits);
}

}  // namespace nutshell
