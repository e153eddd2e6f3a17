// Limits of clouds: of what a file asks for, and of what is made by hand in a cloud.
#pragma once
#include "app/house.hpp"
#include "nutshell/cloud.hpp"

namespace nutshell {

/// The quota of a cloud: its file's, else nutshell.toml's. The cloud `default`, where machines
/// without a cloud are, has none.
std::optional<Quota> quota_of(House& house, const std::string& cloud);
/// Public addresses that are allocated to a cloud outside of its own range.
unsigned addresses_beside_range(House& house, const std::string& cloud);
/// What a cloud has now; `but` does not count.
Usage usage_of(House& house, const std::string& cloud, const Uuid& but = {});
/// Without the limits of what does not grow: a quota that was lowered ends nothing.
Quota limits_that_count(const Quota& quota, const Usage& wanted, const Usage& had);
/// Throws Conflict with each limit that is passed.
void refuse_over_quota(const std::string& cloud, const Usage& usage, const Quota& quota);

/// Throws Conflict where that machine, new or changed, is more than its cloud may have. Inside the
/// transaction that adds it.
void check_quota_of_machine(House& house, const MachineSpec& spec);
/// The same for a change: what does not ask for more is always allowed.
void refuse_over_quota_of_change(House& house, const MachineSpec& before, const MachineSpec& after);
/// The same for one public address more.
void check_quota_of_address(House& house, const std::string& cloud);

}  // namespace nutshell
