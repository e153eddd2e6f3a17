// lvm's JSON: every value is a string, numbers included; a flag is its own name or empty, and
// "unknown" where no device-mapper could be asked. One `fullreport` tells all of a group in one
// call; the segments, which nobody reads, are selected away.
#include "host/lvm_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "nutshell/error.hpp"
#include "nutshell/json.hpp"

namespace nutshell::host {
namespace {

Bytes number(const Json& row, const std::string& name) {
  const std::string text = row.text(name);
  Bytes value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size())
    throw Failed(fmt::format("{} is \"{}\", which is no number", name, printable(text)));
  return value;
}

std::optional<double> percent(const Json& row, const std::string& name) {
  const std::string text = row.text(name);
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc()) return std::nullopt;  // empty: not active, or it has none
  return value;
}

bool is_set(const Json& row, const std::string& name) {
  const std::string text = row.text(name);
  return !text.empty() && text != "unknown";
}

std::vector<std::string> items(const std::string& list) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    if (end > at) all.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

bool has(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

VolumeKind kind_of(const std::vector<std::string>& layout, const std::vector<std::string>& role) {
  if (has(role, "thicksnapshot")) return VolumeKind::thick_snapshot;
  if (has(layout, "thin")) return has(layout, "pool") ? VolumeKind::thin_pool : VolumeKind::thin;
  if (layout == std::vector<std::string>{"linear"} || layout == std::vector<std::string>{"striped"})
    return VolumeKind::thick;
  return VolumeKind::other;
}

PhysicalVolumeFact physical_volume(const Json& row) {
  PhysicalVolumeFact fact;
  fact.device = row.text("pv_name");
  fact.uuid = row.text("pv_uuid");
  fact.size = number(row, "pv_size");
  fact.free = number(row, "pv_free");
  fact.missing = is_set(row, "pv_missing");
  return fact;
}

VolumeGroupFact group(const Json& row) {
  VolumeGroupFact fact;
  fact.name = row.at("vg_name").as_string();
  fact.uuid = row.text("vg_uuid");
  fact.extent = number(row, "vg_extent_size");
  fact.size = number(row, "vg_size");
  fact.free = number(row, "vg_free");
  fact.partial = is_set(row, "vg_partial");
  fact.exported = is_set(row, "vg_exported");
  return fact;
}

std::optional<LogicalVolumeFact> volume(const Json& row, const std::string& vg) {
  const auto layout = items(row.text("lv_layout")), role = items(row.text("lv_role"));
  LogicalVolumeFact fact;
  fact.kind = kind_of(layout, role);
  if (has(role, "private") && fact.kind != VolumeKind::thin_pool) return std::nullopt;
  fact.vg = vg;
  fact.name = row.at("lv_name").as_string();
  fact.uuid = row.text("lv_uuid");
  fact.size = number(row, "lv_size");
  fact.pool = row.text("pool_lv");
  fact.origin = row.text("origin");
  fact.tags = items(row.text("lv_tags"));
  fact.active = is_set(row, "lv_active");
  fact.open = is_set(row, "lv_device_open");
  fact.skips_activation = is_set(row, "lv_skip_activation");
  // Of a pool "failed", "out_of_data", "metadata_read_only"; of a RAID "refresh needed" and such.
  fact.broken = is_set(row, "lv_snapshot_invalid") || is_set(row, "lv_health_status");
  fact.data_percent = percent(row, "data_percent");
  fact.metadata_percent = percent(row, "metadata_percent");
  return fact;
}

Json read_report(std::string_view json) {
  auto parsed = Json::try_parse(json);
  if (!parsed || !parsed->find("report") || !parsed->at("report").is_array())
    throw Failed(
        "what lvm reported is no report that can be read; `lvm fullreport --reportformat json` "
        "shows it");
  return *std::move(parsed);
}

const Json::Array& rows(const Json& part, std::string_view name) {
  static const Json::Array none;
  const Json* found = part.find(name);
  return found ? found->as_array() : none;
}

void leave_out_ambiguous(LvmFacts& facts) {
  std::map<std::string, int> times;
  for (const VolumeGroupFact& each : facts.groups) ++times[each.name];
  for (VolumeGroupFact& each : facts.groups) each.ambiguous = times[each.name] > 1;
  std::erase_if(facts.volumes, [&](const auto& each) { return times[each.vg] > 1; });
}

}  // namespace

std::vector<std::string> full_report() {
  return {"fullreport",
          "--configreport",
          "vg",
          "-o",
          "vg_name,vg_uuid,vg_extent_size,vg_size,vg_free,vg_partial,vg_exported",
          "--configreport",
          "pv",
          "-o",
          "pv_name,pv_uuid,pv_size,pv_free,pv_missing",
          "--configreport",
          "lv",
          "-o",
          "lv_name,lv_uuid,lv_size,lv_layout,lv_role,pool_lv,origin,lv_tags,lv_active,"
          "lv_device_open,lv_skip_activation,lv_snapshot_invalid,data_percent,metadata_percent,"
          "lv_health_status",
          "--configreport",
          "pvseg",
          "-S",
          "pv_name=none",
          "--configreport",
          "seg",
          "-S",
          "lv_name=none"};
}

LvmFacts parse_lvm_report(std::string_view json) try {
  const Json report = read_report(json);
  LvmFacts facts;
  for (const Json& part : report.at("report").as_array()) {
    for (const Json& row : rows(part, "vg")) {  // one, or none: volumes that are in no group
      VolumeGroupFact fact = group(row);
      for (const Json& pv : rows(part, "pv")) fact.physical_volumes.push_back(physical_volume(pv));
      for (const Json& lv : rows(part, "lv"))
        if (auto read = volume(lv, fact.name)) facts.volumes.push_back(*std::move(read));
      facts.groups.push_back(std::move(fact));
    }
  }
  leave_out_ambiguous(facts);
  complete_origins(facts);
  std::sort(facts.groups.begin(), facts.groups.end(), [](const auto& one, const auto& other) {
    return std::tie(one.name, one.uuid) < std::tie(other.name, other.uuid);
  });
  std::sort(facts.volumes.begin(), facts.volumes.end(), [](const auto& one, const auto& other) {
    return std::tie(one.vg, one.name) < std::tie(other.vg, other.name);
  });
  return facts;
} catch (const Failed& error) {
  throw Failed(fmt::format("lvm's report: {}", error.what()));
}

std::vector<std::string> pv_report() {
  return {"pvs", "-a", "-o", "pv_name,vg_name,vg_uuid,pv_duplicate"};
}

std::vector<PvRow> parse_pv_report(std::string_view json) try {
  const Json report = read_report(json);
  std::vector<PvRow> all;
  for (const Json& part : report.at("report").as_array())
    for (const Json& row : rows(part, "pv"))
      all.push_back({row.at("pv_name").as_string(), row.text("vg_name"), row.text("vg_uuid"),
                     is_set(row, "pv_duplicate")});
  return all;
} catch (const Failed& error) {
  throw Failed(fmt::format("lvm's report: {}", error.what()));
}

}  // namespace nutshell::host
