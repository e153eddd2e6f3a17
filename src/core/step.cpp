// What each step is, in words, and what undoes it. One overload for each step and no default: a new
// step does not compile until someone has decided both.
#include "nutshell/step.hpp"

#include <fmt/format.h>

namespace nutshell {
namespace {

using Undo = std::optional<Step>;

struct InverseOf {
  Undo operator()(const HoldMachine& step) const { return ForgetMachine{step.uuid, step.name}; }
  Undo operator()(const HoldRun& step) const { return FreeRun{step.uuid, ""}; }
  Undo operator()(const HoldSpec& step) const { return RestoreSpec{step.uuid, step.before}; }
  Undo operator()(const MakeDirectory& step) const { return DropDirectory{step.path}; }
  Undo operator()(const MakeVolume& step) const { return DropVolume{step.path}; }
  Undo operator()(const MakeLogicalVolume& step) const {
    return DropLogicalVolume{step.vg, step.name, step.tag};
  }
  Undo operator()(const ActivateVolume& step) const { return DeactivateVolume{step.vg, step.name}; }
  Undo operator()(const SnapshotVolume& step) const {
    return DropLogicalVolume{step.vg, step.name, step.tag};
  }
  Undo operator()(const ResizeVolume& step) const {
    // An undo is not undone: growing is what a plan does, shrinking only what takes it back.
    if (step.to < step.from) return std::nullopt;
    ResizeVolume back = step;
    std::swap(back.from, back.to);
    return back;
  }
  Undo operator()(const HoldGuest& step) const { return LetGuest{step.uuid, step.freeze}; }
  Undo operator()(const CopyFile& step) const { return DropFile{step.to}; }
  Undo operator()(const MakeSecret& step) const { return DropFile{step.path}; }
  Undo operator()(const WriteFile& step) const { return DropFile{step.path}; }
  Undo operator()(const EnsureNetwork& step) const { return LeaveNetwork{step.user, step.network}; }
  Undo operator()(const MakeMacvtap& step) const {
    return DropMacvtap{step.link, step.mark, step.mac};
  }
  Undo operator()(const DropMacvtap&) const { return std::nullopt; }
  Undo operator()(const GuardMachine& step) const { return UnguardMachine{step.uuid, step.guests}; }
  Undo operator()(const StartQemu& step) const { return StopQemu{step.uuid}; }
  // A machine that runs is undone by the undo of its start, which comes right after in reverse.
  Undo operator()(const Continue&) const { return std::nullopt; }
  // What is written into a volume goes with the volume, or can be written again.
  Undo operator()(const WipeVolume&) const { return std::nullopt; }
  Undo operator()(const FillVolume&) const { return std::nullopt; }
  Undo operator()(const RestoreVolume&) const { return std::nullopt; }
  // The guest knows the new size, and it stands: the step comes after the commit.
  Undo operator()(const TellGuest&) const { return std::nullopt; }
  // Teardown is finished, never undone.
  Undo operator()(const DropLogicalVolume&) const { return std::nullopt; }
  Undo operator()(const DeactivateVolume&) const { return std::nullopt; }
  Undo operator()(const LetGuest&) const { return std::nullopt; }
  Undo operator()(const ForgetMachine&) const { return std::nullopt; }
  Undo operator()(const FreeRun&) const { return std::nullopt; }
  Undo operator()(const RestoreSpec&) const { return std::nullopt; }
  Undo operator()(const Commit&) const { return std::nullopt; }
  Undo operator()(const TrimLeases&) const { return std::nullopt; }
  Undo operator()(const DropDirectory&) const { return std::nullopt; }
  Undo operator()(const DropVolume&) const { return std::nullopt; }
  Undo operator()(const DropFile&) const { return std::nullopt; }
  Undo operator()(const LeaveNetwork&) const { return std::nullopt; }
  Undo operator()(const UnguardMachine&) const { return std::nullopt; }
  Undo operator()(const StopQemu&) const { return std::nullopt; }
};

struct Words {
  std::string operator()(const HoldMachine& step) const {
    return fmt::format("hold the name {} and its leases", printable(step.name));
  }
  std::string operator()(const ForgetMachine& step) const {
    return fmt::format("forget {} and give its leases back", printable(step.name));
  }
  std::string operator()(const HoldRun&) const { return "hold the leases of this run"; }
  std::string operator()(const FreeRun& step) const {
    return fmt::format("give the leases of the run back ({})",
                       step.end.empty() ? "it never ran" : printable(step.end));
  }
  std::string operator()(const HoldSpec&) const { return "hold the changed spec and its leases"; }
  std::string operator()(const RestoreSpec&) const { return "put the spec back as it was"; }
  std::string operator()(const Commit&) const { return "from here it stands"; }
  std::string operator()(const TrimLeases&) const {
    return "give back what the new spec no longer has";
  }
  std::string operator()(const MakeDirectory& step) const {
    return "make directory " + printable(step.path);
  }
  std::string operator()(const DropDirectory& step) const {
    return "remove directory " + printable(step.path);
  }
  std::string operator()(const MakeVolume& step) const {
    std::string line = fmt::format("make volume {}: {} {}", printable(step.path),
                                   format_size(step.size), to_string(step.format));
    if (!step.backing.empty()) line += " on " + printable(step.backing.front().path);
    return line;
  }
  std::string operator()(const DropVolume& step) const {
    return "remove volume " + printable(step.path);
  }
  static std::string lv(const std::string& vg, const std::string& name) {
    return printable(vg + "/" + name);
  }
  std::string operator()(const MakeLogicalVolume& step) const {
    return fmt::format("make logical volume {}: {}{}", lv(step.vg, step.name),
                       format_size(step.size),
                       step.thin.empty() ? "" : ", thin, in pool " + printable(step.thin));
  }
  std::string operator()(const DropLogicalVolume& step) const {
    return "remove logical volume " + lv(step.vg, step.name);
  }
  std::string operator()(const ActivateVolume& step) const {
    return "activate logical volume " + lv(step.vg, step.name);
  }
  std::string operator()(const DeactivateVolume& step) const {
    return "deactivate logical volume " + lv(step.vg, step.name);
  }
  std::string operator()(const WipeVolume& step) const {
    return fmt::format("zero {} {}",
                       step.bytes ? "the first " + format_size(step.bytes) + " of" : "all of",
                       printable(step.path));
  }
  std::string operator()(const SnapshotVolume& step) const {
    return fmt::format("make snapshot {} of {}", lv(step.vg, step.name), printable(step.origin));
  }
  std::string operator()(const RestoreVolume& step) const {
    return fmt::format("put the content of snapshot {} back into its origin",
                       lv(step.vg, step.name));
  }
  std::string operator()(const ResizeVolume& step) const {
    return fmt::format("resize {} from {} to {}", printable(step.path), format_size(step.from),
                       format_size(step.to));
  }
  std::string operator()(const TellGuest& step) const {
    return fmt::format("tell the guest that disk {} has {} now, if it runs", step.disk,
                       format_size(step.size));
  }
  std::string operator()(const FillVolume& step) const {
    return fmt::format("copy the {} image {} into {}", printable(step.image_format),
                       printable(step.image), printable(step.path));
  }
  std::string operator()(const HoldGuest& step) const {
    return step.freeze ? "let the guest agent freeze the guest's file systems"
                       : "let the guest stand still for a moment";
  }
  std::string operator()(const LetGuest& step) const {
    return step.freeze ? "thaw the guest's file systems" : "let the guest go on";
  }
  std::string operator()(const CopyFile& step) const {
    return fmt::format("copy {} to {}", printable(step.from), printable(step.to));
  }
  std::string operator()(const MakeSecret& step) const {
    return fmt::format("put a password into {}, {}", printable(step.path),
                       step.from.empty() ? "drawn at random" : "from " + printable(step.from));
  }
  std::string operator()(const WriteFile& step) const {
    return fmt::format("write {} ({} bytes)", printable(step.path), step.text.size());
  }
  std::string operator()(const DropFile& step) const {
    return "remove file " + printable(step.path);
  }
  std::string operator()(const EnsureNetwork& step) const {
    return fmt::format(
        "make network {} ({}) if it is not there: bridge {} with {}, its firewall rules and "
        "dnsmasq",
        printable(step.network), to_string(step.mode), printable(step.bridge),
        to_string(step.address));
  }
  std::string operator()(const LeaveNetwork& step) const {
    return fmt::format("leave network {}, and remove it if nobody else uses it",
                       printable(step.network));
  }
  std::string operator()(const MakeMacvtap& step) const {
    return fmt::format("make macvtap link {} on {} ({}), with the MAC {}", printable(step.link),
                       printable(step.uplink), to_string(step.mode), to_string(step.mac));
  }
  std::string operator()(const DropMacvtap& step) const {
    return "remove macvtap link " + printable(step.link);
  }
  std::string operator()(const GuardMachine&) const {
    return "put its firewall rules into nftables";
  }
  std::string operator()(const UnguardMachine&) const {
    return "take its firewall rules out of nftables";
  }
  std::string operator()(const StartQemu& step) const {
    return fmt::format("start QEMU, paused (boot {})", step.boot);
  }
  std::string operator()(const StopQemu&) const { return "stop QEMU at once"; }
  std::string operator()(const Continue&) const { return "verify QEMU, and let the machine run"; }
};

struct Kind {
  std::string operator()(const HoldMachine&) const { return "hold_machine"; }
  std::string operator()(const ForgetMachine&) const { return "forget_machine"; }
  std::string operator()(const HoldRun&) const { return "hold_run"; }
  std::string operator()(const FreeRun&) const { return "free_run"; }
  std::string operator()(const HoldSpec&) const { return "hold_spec"; }
  std::string operator()(const RestoreSpec&) const { return "restore_spec"; }
  std::string operator()(const Commit&) const { return "commit"; }
  std::string operator()(const TrimLeases&) const { return "trim_leases"; }
  std::string operator()(const MakeDirectory&) const { return "make_directory"; }
  std::string operator()(const DropDirectory&) const { return "drop_directory"; }
  std::string operator()(const MakeVolume&) const { return "make_volume"; }
  std::string operator()(const DropVolume&) const { return "drop_volume"; }
  std::string operator()(const MakeLogicalVolume&) const { return "make_logical_volume"; }
  std::string operator()(const DropLogicalVolume&) const { return "drop_logical_volume"; }
  std::string operator()(const ActivateVolume&) const { return "activate_volume"; }
  std::string operator()(const DeactivateVolume&) const { return "deactivate_volume"; }
  std::string operator()(const WipeVolume&) const { return "wipe_volume"; }
  std::string operator()(const SnapshotVolume&) const { return "snapshot_volume"; }
  std::string operator()(const RestoreVolume&) const { return "restore_volume"; }
  std::string operator()(const ResizeVolume&) const { return "resize_volume"; }
  std::string operator()(const TellGuest&) const { return "tell_guest"; }
  std::string operator()(const FillVolume&) const { return "fill_volume"; }
  std::string operator()(const HoldGuest&) const { return "hold_guest"; }
  std::string operator()(const LetGuest&) const { return "let_guest"; }
  std::string operator()(const CopyFile&) const { return "copy_file"; }
  std::string operator()(const MakeSecret&) const { return "make_secret"; }
  std::string operator()(const WriteFile&) const { return "write_file"; }
  std::string operator()(const DropFile&) const { return "drop_file"; }
  std::string operator()(const EnsureNetwork&) const { return "ensure_network"; }
  std::string operator()(const LeaveNetwork&) const { return "leave_network"; }
  std::string operator()(const MakeMacvtap&) const { return "make_macvtap"; }
  std::string operator()(const DropMacvtap&) const { return "drop_macvtap"; }
  std::string operator()(const GuardMachine&) const { return "guard_machine"; }
  std::string operator()(const UnguardMachine&) const { return "unguard_machine"; }
  std::string operator()(const StartQemu&) const { return "start_qemu"; }
  std::string operator()(const StopQemu&) const { return "stop_qemu"; }
  std::string operator()(const Continue&) const { return "continue"; }
};

}  // namespace

std::optional<Step> inverse(const Step& step) { return std::visit(InverseOf{}, step); }
std::string describe(const Step& step) { return std::visit(Words{}, step); }
std::string kind(const Step& step) { return std::visit(Kind{}, step); }

}  // namespace nutshell
