// Steps and plans from the journal's JSON: whoever finds a plan that was cut short reads it here. A
// step that this version does not know is an error, never skipped, because the journal may be a
// newer version's.
#include <fmt/format.h>

#include <limits>

#include "nutshell/error.hpp"
#include "nutshell/step.hpp"

namespace nutshell {
namespace {

std::string text(const Json& json, std::string_view name) { return json.at(name).as_string(); }
std::string path(const Json& json) { return text(json, "path"); }

[[noreturn]] void damaged(const std::string& what) {
  throw Failed("the journal is damaged: " + what);
}

Uuid uuid(const Json& json, std::string_view name = "uuid") {
  const std::string written = text(json, name);
  if (written.empty()) return {};  // a plan about the host has no machine
  const auto value = parse_uuid(written);
  if (!value) damaged(fmt::format("{} \"{}\" is no UUID", name, printable(written)));
  return *value;
}

DiskFormat format(const Json& json) {
  DiskFormat value{};
  const std::string written = text(json, "format");
  if (!from_word(written, value)) damaged("\"" + printable(written) + "\" is no disk format");
  return value;
}

Bytes bytes(const Json& json, std::string_view name) {
  const std::int64_t size = json.at(name).as_integer();
  if (size < 0) damaged("a volume has a negative size");
  return static_cast<Bytes>(size);
}

MakeVolume make_volume(const Json& json) {
  MakeVolume step{path(json), bytes(json, "size"), format(json), {}};
  for (const Json& layer : json.at("backing").as_array())
    step.backing.push_back({path(layer), format(layer)});
  return step;
}

EnsureNetwork ensure_network(const Json& json) {
  const auto address = parse_ipv4_net(text(json, "address"));
  const auto mac = parse_mac(text(json, "bridge_mac"));
  if (!address || !mac) damaged("a network has a malformed address");
  NetworkMode mode = NetworkMode::nat;  // the only one there was before the journal named it
  if (const Json* word = json.find("mode"); word && !from_word(word->as_string(), mode))
    damaged("a network has an unknown mode");
  return {uuid(json, "user"), text(json, "network"), text(json, "bridge"), *address, *mac, mode};
}

Mac mac(const Json& json) {
  const auto value = parse_mac(text(json, "mac"));
  if (!value) damaged("a MAC is malformed");
  return *value;
}

MakeMacvtap make_macvtap(const Json& json) {
  MacvtapMode mode{};
  if (!from_word(text(json, "mode"), mode)) damaged("a macvtap link has an unknown mode");
  const std::int64_t mtu = json.at("mtu").as_integer();
  if (mtu < 0 || mtu > std::numeric_limits<std::uint16_t>::max()) damaged("an MTU is out of range");
  return {text(json, "link"), text(json, "uplink"), mode,
          mac(json),          text(json, "mark"),   static_cast<unsigned>(mtu)};
}

StartQemu start_qemu(const Json& json) {
  const std::int64_t boot = json.at("boot").as_integer();
  if (boot < 1 || boot > std::numeric_limits<unsigned>::max())
    damaged("a boot number is out of range");
  return {uuid(json), static_cast<unsigned>(boot)};
}

TellGuest tell_guest(const Json& json) {
  const std::int64_t disk = json.at("disk").as_integer();
  if (disk < 0 || disk > 1000) damaged("a disk's number is out of range");
  return {uuid(json), static_cast<unsigned>(disk), bytes(json, "size")};
}

/// The steps of logical volumes, and of what is in any volume.
std::optional<Step> volume_step(const std::string& kind, const Json& json) {
  const auto vg = [&] { return text(json, "vg"); };
  const auto name = [&] { return text(json, "name"); };
  const auto tag = [&] { return text(json, "tag"); };
  if (kind == "make_logical_volume")
    return MakeLogicalVolume{vg(), name(), bytes(json, "size"), text(json, "thin"), tag()};
  if (kind == "drop_logical_volume") return DropLogicalVolume{vg(), name(), tag()};
  if (kind == "activate_volume") return ActivateVolume{vg(), name()};
  if (kind == "deactivate_volume") return DeactivateVolume{vg(), name()};
  if (kind == "wipe_volume") return WipeVolume{path(json), bytes(json, "bytes")};
  if (kind == "snapshot_volume") return SnapshotVolume{vg(), text(json, "origin"), name(), tag()};
  if (kind == "restore_volume") return RestoreVolume{vg(), name(), tag()};
  if (kind == "resize_volume")
    return ResizeVolume{path(json),       vg(), tag(), format(json), bytes(json, "from"),
                        bytes(json, "to")};
  if (kind == "tell_guest") return tell_guest(json);
  if (kind == "fill_volume")
    return FillVolume{text(json, "image"), text(json, "image_format"), path(json), format(json)};
  if (kind == "hold_guest") return HoldGuest{uuid(json), json.at("freeze").as_bool()};
  if (kind == "let_guest") return LetGuest{uuid(json), json.at("freeze").as_bool()};
  return std::nullopt;
}

}  // namespace

Step step_from_json(const Json& json) {
  const std::string kind = text(json, "step");
  if (kind == "hold_machine") return HoldMachine{uuid(json), text(json, "name")};
  if (kind == "forget_machine") return ForgetMachine{uuid(json), text(json, "name")};
  if (kind == "hold_run") return HoldRun{uuid(json)};
  if (kind == "free_run") return FreeRun{uuid(json), text(json, "end")};
  if (kind == "hold_spec") return HoldSpec{uuid(json), text(json, "before")};
  if (kind == "restore_spec") return RestoreSpec{uuid(json), text(json, "spec")};
  if (kind == "commit") return Commit{uuid(json)};
  if (kind == "trim_leases") return TrimLeases{uuid(json), text(json, "before")};
  if (kind == "make_directory") return MakeDirectory{path(json)};
  if (kind == "drop_directory") return DropDirectory{path(json)};
  if (kind == "make_volume") return make_volume(json);
  if (kind == "drop_volume") return DropVolume{path(json)};
  if (kind == "copy_file") return CopyFile{text(json, "from"), text(json, "to")};
  if (kind == "make_secret") return MakeSecret{path(json), text(json, "from")};
  if (kind == "write_file") return WriteFile{path(json), text(json, "text")};
  if (kind == "drop_file") return DropFile{path(json)};
  if (kind == "ensure_network") return ensure_network(json);
  if (kind == "leave_network") return LeaveNetwork{uuid(json, "user"), text(json, "network")};
  if (kind == "make_macvtap") return make_macvtap(json);
  if (kind == "drop_macvtap") return DropMacvtap{text(json, "link"), text(json, "mark"), mac(json)};
  if (kind == "guard_machine") return GuardMachine{uuid(json), text(json, "guests")};
  if (kind == "unguard_machine") return UnguardMachine{uuid(json), text(json, "guests")};
  if (kind == "start_qemu") return start_qemu(json);
  if (kind == "stop_qemu") return StopQemu{uuid(json)};
  if (kind == "continue") return Continue{uuid(json)};
  if (auto step = volume_step(kind, json)) return *std::move(step);
  // As a registry of a newer version: nothing that could be mended by making it anew.
  throw Error(Exit::conflict, "the journal has a step \"" + printable(kind) +
                                  "\" that this version does not know; finish it with the version "
                                  "that wrote it");
}

Plan plan_from_json(const Json& json) {
  Plan plan{text(json, "verb"), uuid(json, "machine"), OnFailure::undo, {}};
  const std::string on_failure = text(json, "on_failure");
  if (on_failure == "keep_going")
    plan.on_failure = OnFailure::keep_going;
  else if (on_failure != "undo")
    damaged("on_failure \"" + printable(on_failure) + "\" is not known");
  for (const Json& step : json.at("steps").as_array()) plan.steps.push_back(step_from_json(step));
  return plan;
}

}  // namespace nutshell
