// The parts of a cloud's file, each read by a function of its own into one CloudSpec. Ranges come
// first, as machines name networks.
#pragma once
#include <string>
#include <vector>

#include "core/config_tree.hpp"
#include "nutshell/cloud.hpp"

namespace nutshell {

struct CloudReading {
  TableReader& top;
  const std::string& file;
  const std::string& folder;
  const std::vector<InstanceType>& types;
  CloudSpec& spec;
  Problems& problems;
};

/// [public] and [private].
void read_cloud_ranges(CloudReading& reading);
/// [[network]], after the ranges.
void read_cloud_networks(CloudReading& reading);
/// What in the file overlaps something else in it, after the networks.
void refuse_overlaps(CloudReading& reading);
/// [[group]].
void read_cloud_groups(CloudReading& reading);
/// [answers], after the ranges.
void read_cloud_answers(CloudReading& reading);
/// [[machine]], after the networks.
void read_cloud_machines(CloudReading& reading);

/// Why no machines can be in that subnet, in words; empty: they can.
std::string subnet_fault(const Ipv4Net& net);
/// A path of the file, seen from `folder`, absolute and without `.` and `..`.
std::string path_from(const std::string& folder, const std::string& path);

/// One [[machine]] as it stands there.
struct MachineEntry {
  const ConfigNode* table = nullptr;
  CloudMachine machine;  ///< its first one; `after` is filled in when all are known
  unsigned count = 1;
  bool counted = false;      ///< its machines have a number behind their name
  std::vector<After> after;  ///< names of entries or of machines
  std::vector<std::string> after_places;
  [[nodiscard]] std::string name_of(unsigned index) const;  ///< from 0
};

/// Everything in the table of one machine but who waits for it.
MachineEntry read_machine_entry(const ConfigNode& table, CloudReading& reading);
/// Gives the machines what their entries wait for; refuses strangers and cycles.
void read_order(const std::vector<MachineEntry>& entries, CloudReading& reading);

}  // namespace nutshell
