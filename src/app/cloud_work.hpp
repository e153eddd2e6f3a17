// What lies between a cloud as its file wants it and as it is: decided before anything is changed,
// from the file, the registry, and what runs.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/cloud_file.hpp"
#include "app/cloud_ranges.hpp"
#include "app/house.hpp"

namespace nutshell {

struct UpOptions {
  bool start = true;       ///< machines that do not run are started
  bool restart = false;    ///< what needs a restart is done, with one
  unsigned patience = 60;  ///< seconds that a machine may take to power off
  bool autostart = false;  ///< those that come up at boot, alone
  bool rename = false;     ///< the cloud's file has another place now
};

/// What becomes of one machine.
struct MachineWork {
  enum class Action { nothing, create, change, remove } action = Action::nothing;
  std::string name;                      ///< bare
  const CloudMachine* wanted = nullptr;  ///< nullptr: it goes
  const CloudMachine* before = nullptr;  ///< as last applied; nullptr: new
  std::optional<MachineRow> row;         ///< as it is now
  bool alive = false;
  bool paused = false;
  std::vector<FieldChange> changes;
  std::optional<CloudMachine> meanwhile;  ///< of one that waits: what is applied of it at once
  bool waits = false;                     ///< its changes need a restart, which nobody asked for
  bool restarts = false;                  ///< it is stopped, changed, and started again
  bool starts = false;
  bool failed = false;   ///< it could not be made or changed, and is as it was
  bool is_down = false;  ///< it was to be started, and did not come up
  bool seed_comes = false, seed_goes = false;
  bool seed_lacks = false;  ///< it has one, and the file of it is not there
  /// It was made once, and is made again.
  [[nodiscard]] bool is_missing() const { return action == Action::create && before; }
  /// Its spec changes in this `up`.
  [[nodiscard]] bool is_changed() const {
    return action == Action::change && (!waits || meanwhile);
  }
  /// The words that are so once it is changed.
  [[nodiscard]] const CloudMachine& comes_true() const {
    return waits && meanwhile ? *meanwhile : *wanted;
  }
  MachineSpec spec;  ///< create, change: as it is to be; complete but for leases
};

struct NetworkWork {
  enum class Action { add, change, remove, waits } action = Action::add;
  std::string name;  ///< on the host
  const CloudNetwork* wanted = nullptr;
  std::string change;  ///< in words
  std::string reason;  ///< waits: for what, and what to do
};

struct GroupWork {
  enum class Action { put, remove } action = Action::put;
  std::string name;
  const CloudGroup* wanted = nullptr;
  std::optional<GroupRow> had;  ///< as it was; nullopt: new
};

/// The whole; its pointers are into `before` and the file's spec.
struct CloudWork {
  std::string cloud;
  std::optional<CloudRow> row;
  CloudSpec before;  ///< as last applied; of a new cloud empty
  CloudRanges held;
  std::vector<MachineWork> machines;  ///< those that go first, then in the file's order
  std::vector<NetworkWork> networks;
  std::vector<GroupWork> groups;
  std::set<std::string> repairs;  ///< bridges that running machines are cut off from
  bool ranges_change = false, ranges_wait = false;
  bool quota_change = false;
  bool answers_change = false, autostart_change = false, file_moves = false;
  Facts facts;
  std::vector<std::string> warnings;

  [[nodiscard]] bool is_new() const { return !row; }
  /// True when something waits for --restart.
  [[nodiscard]] bool waits() const;
  /// True when the registry is to change, or a machine to start.
  [[nodiscard]] bool has_work() const;
  /// True when that machine is to be touched in any way.
  [[nodiscard]] static bool is_touched(const MachineWork& machine);
};

/// Compares. Throws ConfigError with every mistake at its line, Conflict where the cloud is another
/// file's, a machine was made by hand, or something cannot be changed in place.
CloudWork plan_work(House& house, const CloudFile& file, const UpOptions& options);
/// The parts of it: networks, which may make machines restart, and groups.
void plan_networks(House& house, CloudWork& work, const CloudSpec& wanted,
                   const UpOptions& options);
void plan_groups(House& house, CloudWork& work, const CloudSpec& wanted);
/// The network of that name in a file; nullptr: it has none.
const CloudNetwork* network_in(const CloudSpec& spec, const std::string& name);
/// The applied description once the work is done: the file's, with the old word on what waits.
CloudSpec applied_after(const CloudWork& work, const CloudSpec& wanted);

/// The specs of the machines that are created or changed, with the host's facts; `work.facts` is
/// what was seen. Throws ConfigError with every mistake of every machine at its line.
void complete_work(House& house, CloudWork& work);
/// Throws Conflict where the file wants more than the cloud's quota.
void check_quota_of_work(House& house, const CloudWork& work, const CloudSpec& wanted);

}  // namespace nutshell
