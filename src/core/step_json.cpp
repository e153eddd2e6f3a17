// Steps and plans as JSON, which is how the journal keeps them; step_read.cpp reads them back.
#include "nutshell/step.hpp"

namespace nutshell {
namespace {

struct Members {
  Json& json;

  void put_uuid(const Uuid& uuid) const { json.append("uuid", uuid.text); }
  void put_path(const std::string& path) const { json.append("path", path); }

  void operator()(const HoldMachine& step) const {
    put_uuid(step.uuid);
    json.append("name", step.name);
  }
  void operator()(const ForgetMachine& step) const {
    put_uuid(step.uuid);
    json.append("name", step.name);
  }
  void operator()(const HoldRun& step) const { put_uuid(step.uuid); }
  void operator()(const HoldSpec& step) const {
    put_uuid(step.uuid);
    json.append("before", step.before);
  }
  void operator()(const Commit& step) const { put_uuid(step.uuid); }
  void operator()(const TrimLeases& step) const {
    put_uuid(step.uuid);
    json.append("before", step.before);
  }
  void operator()(const RestoreSpec& step) const {
    put_uuid(step.uuid);
    json.append("spec", step.spec);
  }
  void operator()(const FreeRun& step) const {
    put_uuid(step.uuid);
    json.append("end", step.end);
  }
  void operator()(const MakeDirectory& step) const { put_path(step.path); }
  void operator()(const DropDirectory& step) const { put_path(step.path); }
  void operator()(const MakeVolume& step) const {
    put_path(step.path);
    json.append("size", step.size);
    json.append("format", to_string(step.format));
    Json layers = Json::array();
    for (const BackingLayer& layer : step.backing)
      layers.push(Json::object({{"path", layer.path}, {"format", to_string(layer.format)}}));
    json.append("backing", layers);
  }
  void operator()(const DropVolume& step) const { put_path(step.path); }
  void put_lv(const std::string& vg, const std::string& name) const {
    json.append("vg", vg);
    json.append("name", name);
  }
  void operator()(const MakeLogicalVolume& step) const {
    put_lv(step.vg, step.name);
    json.append("size", step.size);
    json.append("thin", step.thin);
    json.append("tag", step.tag);
  }
  void operator()(const DropLogicalVolume& step) const {
    put_lv(step.vg, step.name);
    json.append("tag", step.tag);
  }
  void operator()(const ActivateVolume& step) const { put_lv(step.vg, step.name); }
  void operator()(const DeactivateVolume& step) const { put_lv(step.vg, step.name); }
  void operator()(const WipeVolume& step) const {
    put_path(step.path);
    json.append("bytes", step.bytes);
  }
  void operator()(const SnapshotVolume& step) const {
    put_lv(step.vg, step.name);
    json.append("origin", step.origin);
    json.append("tag", step.tag);
  }
  void operator()(const RestoreVolume& step) const {
    put_lv(step.vg, step.name);
    json.append("tag", step.tag);
  }
  void operator()(const ResizeVolume& step) const {
    put_path(step.path);
    json.append("vg", step.vg);
    json.append("tag", step.tag);
    json.append("format", to_string(step.format));
    json.append("from", step.from);
    json.append("to", step.to);
  }
  void operator()(const TellGuest& step) const {
    put_uuid(step.uuid);
    json.append("disk", step.disk);
    json.append("size", step.size);
  }
  void operator()(const FillVolume& step) const {
    put_path(step.path);
    json.append("image", step.image);
    json.append("image_format", step.image_format);
    json.append("format", to_string(step.format));
  }
  void operator()(const HoldGuest& step) const {
    put_uuid(step.uuid);
    json.append("freeze", step.freeze);
  }
  void operator()(const LetGuest& step) const {
    put_uuid(step.uuid);
    json.append("freeze", step.freeze);
  }
  void operator()(const CopyFile& step) const {
    json.append("from", step.from);
    json.append("to", step.to);
  }
  void operator()(const MakeSecret& step) const {
    put_path(step.path);
    json.append("from", step.from);
  }
  void operator()(const WriteFile& step) const {
    put_path(step.path);
    json.append("text", step.text);
  }
  void operator()(const DropFile& step) const { put_path(step.path); }
  void operator()(const EnsureNetwork& step) const {
    json.append("user", step.user.text);
    json.append("network", step.network);
    json.append("bridge", step.bridge);
    json.append("address", to_string(step.address));
    json.append("bridge_mac", to_string(step.bridge_mac));
    json.append("mode", to_string(step.mode));
  }
  void operator()(const LeaveNetwork& step) const {
    json.append("user", step.user.text);
    json.append("network", step.network);
  }
  void operator()(const MakeMacvtap& step) const {
    json.append("link", step.link);
    json.append("uplink", step.uplink);
    json.append("mode", to_string(step.mode));
    json.append("mac", to_string(step.mac));
    json.append("mark", step.mark);
    json.append("mtu", step.mtu);
  }
  void operator()(const DropMacvtap& step) const {
    json.append("link", step.link);
    json.append("mark", step.mark);
    json.append("mac", to_string(step.mac));
  }
  void operator()(const StartQemu& step) const {
    put_uuid(step.uuid);
    json.append("boot", step.boot);
  }
  void operator()(const GuardMachine& step) const {
    put_uuid(step.uuid);
    json.append("guests", step.guests);
  }
  void operator()(const UnguardMachine& step) const {
    put_uuid(step.uuid);
    json.append("guests", step.guests);
  }
  void operator()(const StopQemu& step) const { put_uuid(step.uuid); }
  void operator()(const Continue& step) const { put_uuid(step.uuid); }
};

}  // namespace

Json to_json(const Step& step) {
  Json json = Json::object({{"step", kind(step)}});
  std::visit(Members{json}, step);
  return json;
}

Json to_json(const Plan& plan) {
  Json steps = Json::array();
  for (const Step& step : plan.steps) steps.push(to_json(step));
  return Json::object({{"verb", plan.verb},
                       {"machine", plan.machine.text},
                       {"on_failure", plan.on_failure == OnFailure::undo ? "undo" : "keep_going"},
                       {"steps", steps}});
}

}  // namespace nutshell
