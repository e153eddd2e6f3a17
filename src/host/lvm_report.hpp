// What lvm reports, as values. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "nutshell/volumes.hpp"

namespace nutshell::host {

/// The arguments of `lvm` for a report that parse_lvm_report reads; a group's name may follow.
std::vector<std::string> full_report();
/// Groups and volumes of that report, ordered by name. Parts of volumes (a pool's data, a mirror's
/// images) are left out. Throws Failed when it is no such report.
LvmFacts parse_lvm_report(std::string_view json);

/// One line of `pvs`: a device, and the group that it belongs to.
struct PvRow {
  std::string device, vg, vg_uuid;
  bool duplicate = false;  ///< another device has the same physical volume: one is a copy
};
/// The arguments for it: all devices, copies too.
std::vector<std::string> pv_report();
std::vector<PvRow> parse_pv_report(std::string_view json);

}  // namespace nutshell::host
