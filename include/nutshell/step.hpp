// Every change we can make to a machine, as data: it can be printed, compared, journaled, and
// finished by another process. A new Step does not compile until inverse(), describe() and
// to_json() know it.
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "nutshell/json.hpp"
#include "nutshell/network.hpp"
#include "nutshell/spec.hpp"
#include "nutshell/values.hpp"

namespace nutshell {

// Leases and rows are committed with the plan, in one transaction; the Hold steps do nothing and
// carry the undo.
struct HoldMachine {
  Uuid uuid;
  std::string name;
  bool operator==(const HoldMachine&) const = default;
};  ///< row and leases until rm
struct ForgetMachine {
  Uuid uuid;
  std::string name;
  bool operator==(const ForgetMachine&) const = default;
};
struct HoldRun {
  Uuid uuid;
  bool operator==(const HoldRun&) const = default;
};  ///< leases of one run
struct FreeRun {
  Uuid uuid;
  std::string end;
  bool operator==(const FreeRun&) const = default;
};  ///< end: "stopped" or "crashed", and why; empty: it never ran
struct HoldSpec {
  Uuid uuid;
  std::string before;
  bool operator==(const HoldSpec&) const = default;
};  ///< a changed spec and its new leases, committed with the plan; `before` is the old one as JSON
struct RestoreSpec {
  Uuid uuid;
  std::string spec;
  bool operator==(const RestoreSpec&) const = default;
};  ///< puts a spec back, in the registry and beside the disks, and frees the leases that it lacks
struct Commit {
  Uuid uuid;
  bool operator==(const Commit&) const = default;
};  ///< from here a plan is finished, not undone: what follows gives old things back
struct TrimLeases {
  Uuid uuid;
  std::string before;
  bool operator==(const TrimLeases&) const = default;
};  ///< gives back what the spec `before` held and the present one does not
struct MakeDirectory {
  std::string path;
  bool operator==(const MakeDirectory&) const = default;
};  ///< mkdir, 0700, exclusive
struct DropDirectory {
  std::string path;
  bool operator==(const DropDirectory&) const = default;
};                   ///< with the plain files in it that are ours by place
struct MakeVolume {  ///< exclusive
  std::string path;
  Bytes size = 0;
  DiskFormat format = DiskFormat::raw;
  std::vector<BackingLayer> backing;
  bool operator==(const MakeVolume&) const = default;
};
struct DropVolume {
  std::string path;
  bool operator==(const DropVolume&) const = default;
};
struct MakeLogicalVolume {
  std::string vg, name;
  Bytes size = 0;
  std::string thin;  ///< its thin pool; empty: thick
  std::string tag;   ///< our mark
  bool operator==(const MakeLogicalVolume&) const = default;
};  ///< lvcreate, exclusive; inactive and skipping activation
struct DropLogicalVolume {
  std::string vg, name, tag;
  bool operator==(const DropLogicalVolume&) const = default;
};  ///< only with that mark
struct ActivateVolume {
  std::string vg, name;
  bool operator==(const ActivateVolume&) const = default;
};
struct DeactivateVolume {
  std::string vg, name;
  bool operator==(const DeactivateVolume&) const = default;
};
struct WipeVolume {
  std::string path;
  Bytes bytes = 0;  ///< from its beginning; 0: all of it
  bool operator==(const WipeVolume&) const = default;
};
struct SnapshotVolume {
  std::string vg, origin, name, tag;
  bool operator==(const SnapshotVolume&) const = default;
};  ///< exclusive
struct RestoreVolume {
  std::string vg, name, tag;
  bool operator==(const RestoreVolume&) const = default;
};  ///< the origin of the snapshot `name` gets its content; repeated after a kill, never undone
struct ResizeVolume {
  std::string path;
  std::string vg;   ///< empty: a file
  std::string tag;  ///< the mark that a logical volume must carry
  DiskFormat format = DiskFormat::raw;
  Bytes from = 0, to = 0;
  bool operator==(const ResizeVolume&) const = default;
};
struct TellGuest {
  Uuid uuid;
  unsigned disk = 0;
  Bytes size = 0;
  bool operator==(const TellGuest&) const = default;
};  ///< block_resize, if it runs
struct FillVolume {
  std::string image, image_format, path;
  DiskFormat format = DiskFormat::raw;
  bool operator==(const FillVolume&) const = default;
};  ///< an image's content into a volume that is there
struct HoldGuest {
  Uuid uuid;
  bool freeze = false;  ///< its agent is asked to freeze the file systems; else it is paused
  bool operator==(const HoldGuest&) const = default;
};
struct LetGuest {
  Uuid uuid;
  bool freeze = false;
  bool operator==(const LetGuest&) const = default;
};
struct CopyFile {
  std::string from, to;
  bool operator==(const CopyFile&) const = default;
};  ///< UEFI variables; exclusive
struct MakeSecret {
  std::string path, from;
  bool operator==(const MakeSecret&) const = default;
};  ///< the VNC password: copied from a file, or drawn when `from` is empty; never in a plan's
    ///< data. Exclusive, 0600
struct WriteFile {
  std::string path, text;
  bool operator==(const WriteFile&) const = default;
};  ///< spec.json: tmp + rename. Secrets never
struct DropFile {
  std::string path;
  bool operator==(const DropFile&) const = default;
};
struct EnsureNetwork {  ///< first makes, last removes, under the network's lock
  Uuid user;
  std::string network, bridge;
  Ipv4Net address;
  Mac bridge_mac;
  NetworkMode mode = NetworkMode::nat;
  bool operator==(const EnsureNetwork&) const = default;
};
struct LeaveNetwork {
  Uuid user;
  std::string network;
  bool operator==(const LeaveNetwork&) const = default;
};
struct GuardMachine {
  Uuid uuid;
  std::string guests;  ///< its NICs as the firewall sees them, as JSON
  bool operator==(const GuardMachine&) const = default;
};  ///< its firewall rules, in one transaction; those that are there already are made anew
struct UnguardMachine {
  Uuid uuid;
  std::string guests;
  bool operator==(const UnguardMachine&) const = default;
};  ///< takes them back; gone already is done
struct MakeMacvtap {
  std::string link, uplink;
  MacvtapMode mode = MacvtapMode::bridge;
  Mac mac;           ///< the guest's own: the uplink sorts by it
  std::string mark;  ///< set right after it is made; until then `mac` tells whose it is
  unsigned mtu = 0;  ///< 0: the uplink's
  bool operator==(const MakeMacvtap&) const = default;
};  ///< exclusive, and up
struct DropMacvtap {
  std::string link, mark;
  Mac mac;
  bool operator==(const DropMacvtap&) const = default;
};  ///< only with that mark, or without any and with that MAC; gone already is done
struct StartQemu {
  Uuid uuid;
  unsigned boot = 1;
  bool operator==(const StartQemu&) const = default;
};  ///< in prelaunch, verified, all descriptors handed over
struct StopQemu {
  Uuid uuid;
  bool operator==(const StopQemu&) const = default;
};  ///< SIGKILL through a checked pidfd; gone already is done
struct Continue {
  Uuid uuid;
  bool operator==(const Continue&) const = default;
};  ///< `cont`; its undo is StopQemu's

using Step = std::variant<HoldMachine, ForgetMachine, HoldRun, FreeRun, HoldSpec, RestoreSpec,
                          Commit, TrimLeases, MakeDirectory, DropDirectory, MakeVolume, DropVolume,
                          MakeLogicalVolume, DropLogicalVolume, ActivateVolume, DeactivateVolume,
                          WipeVolume, SnapshotVolume, RestoreVolume, ResizeVolume, TellGuest,
                          FillVolume, HoldGuest, LetGuest, CopyFile, MakeSecret, WriteFile,
                          DropFile, EnsureNetwork, LeaveNetwork, MakeMacvtap, DropMacvtap,
                          GuardMachine, UnguardMachine, StartQemu, StopQemu, Continue>;

/// What undoes a completed step; nullopt for teardown steps, which are finished and never undone.
std::optional<Step> inverse(const Step& step);
/// One line for a person: "make volume /var/...: 100G raw".
std::string describe(const Step& step);
/// The kind in snake_case: "make_volume".
std::string kind(const Step& step);
Json to_json(const Step& step);
/// Throws Failed for an unknown kind (a journal of a newer version).
Step step_from_json(const Json& json);

/// undo: a failure undoes what was completed, in reverse. keep_going: teardown; a failure is a
/// leftover, the rest goes on.
enum class OnFailure { undo, keep_going };

struct Plan {
  std::string verb;  ///< "launch", "start", "stop", "rm", "recover", ...
  Uuid machine;
  OnFailure on_failure = OnFailure::undo;
  std::vector<Step> steps;
  bool operator==(const Plan&) const = default;
};
Json to_json(const Plan& plan);
Plan plan_from_json(const Json& json);

}  // namespace nutshell
