// One function for each step: the only place where plans meet the host and the registry.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "app/house.hpp"
#include "host/lvm.hpp"
#include "host/qemu_start.hpp"
#include "nutshell/step.hpp"

namespace nutshell {

/// What StartQemu and Continue need beyond their data: descriptors and secrets, which are in no
/// journal.
struct LiveStart {
  host::QemuStart start;
  host::Fd vnc_socket;                   ///< kept open until it is handed over
  std::optional<host::NewQemu> spawned;  ///< between StartQemu and Continue
  bool consumes_boot_once = false;
  std::vector<std::string> unmeasured;  ///< "VG/LV" whose thin pool shows how full it is only once
                                        ///< they are active
};

class Performer {
 public:
  explicit Performer(House& house, LiveStart* live = nullptr) : house_(house), live_(live) {}
  void operator()(const Step& step);

 private:
  void perform(const HoldMachine& step);
  void perform(const ForgetMachine& step);
  void perform(const HoldRun&) {}
  void perform(const FreeRun& step);
  void perform(const HoldSpec& step);
  void perform(const RestoreSpec& step);
  void perform(const Commit&) {}
  void perform(const TrimLeases& step);
  void perform(const MakeDirectory& step);
  void perform(const DropDirectory& step);
  void perform(const MakeVolume& step);
  void perform(const DropVolume& step);
  void perform(const MakeLogicalVolume& step);
  void perform(const DropLogicalVolume& step);
  void perform(const ActivateVolume& step);
  void perform(const DeactivateVolume& step);
  void perform(const WipeVolume& step);
  void perform(const SnapshotVolume& step);
  void perform(const RestoreVolume& step);
  void perform(const ResizeVolume& step);
  void perform(const TellGuest& step);
  void perform(const FillVolume& step);
  void perform(const HoldGuest& step);
  void perform(const LetGuest& step);
  void perform(const CopyFile& step);
  void perform(const MakeSecret& step);
  void perform(const WriteFile& step);
  void perform(const DropFile& step);
  void perform(const EnsureNetwork& step);
  void perform(const LeaveNetwork& step);
  void perform(const MakeMacvtap& step);
  void perform(const DropMacvtap& step);
  void perform(const GuardMachine& step);
  void perform(const UnguardMachine& step);
  void perform(const StartQemu& step);
  void perform(const StopQemu& step);
  void perform(const Continue& step);

  const host::LvmPlace& lvm();

  House& house_;
  LiveStart* live_;
  /// Throws when the pool of a thin volume, active now, is past its limit.
  void measure(const VolumeName& name);

  std::optional<host::LvmPlace> lvm_;   ///< made when first asked for
  std::vector<std::string> made_thin_;  ///< "VG/LV" that this plan has made in a thin pool
  std::vector<std::string> activated_;  ///< "VG/LV" that this plan has activated
};

/// Kills the QEMU of a machine, wherever it is in its life, and waits until its lock is free; gone
/// already is done.
void stop_qemu(House& house, const Uuid& uuid);

}  // namespace nutshell
