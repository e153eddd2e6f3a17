// A cloud as JSON, as the registry keeps it. Machines that differ in nothing but their name are
// written once with all their names, so that a cloud of a thousand alike stays small.
#include <fmt/format.h>

#include "core/cloud_rules.hpp"
#include "nutshell/cloud.hpp"

namespace nutshell {
namespace {

using Range = CloudNetwork::Range;
constexpr std::string_view range_names[] = {"pool", "certain", "public", "private"};

[[noreturn]] void damaged(const std::string& why) {
  throw Failed("the kept cloud is damaged: " + why);
}

unsigned number(const Json& json, std::string_view name) {
  const std::int64_t value = json.at(name).as_integer();
  if (value < 0 || value > 0xffffffff) damaged(fmt::format("{} is out of range", name));
  return static_cast<unsigned>(value);
}

Bytes size_of(const Json& json, std::string_view name) {
  const std::int64_t value = json.at(name).as_integer();
  if (value < 0) damaged(fmt::format("{} is out of range", name));
  return static_cast<Bytes>(value);
}

std::string text(const Json& json, std::string_view name) { return json.at(name).as_string(); }
bool flag(const Json& json, std::string_view name) { return json.at(name).as_bool(); }

std::optional<Ipv4Net> net(const Json& json, std::string_view name) {
  const Json* value = json.find(name);
  if (!value) return std::nullopt;
  const auto parsed = parse_ipv4_net(value->as_string());
  if (!parsed) damaged(fmt::format("{} is no network", name));
  return parsed;
}

Ipv4 address(const Json& json) {
  const auto parsed = parse_ipv4(json.as_string());
  if (!parsed) damaged("an address is malformed");
  return *parsed;
}

Json json_of(const Origins& origins) {
  Json json = Json::object();
  for (const auto& [field, origin] : origins) json.append(field, origin);
  return json;
}

Origins origins_from(const Json& json) {
  Origins origins;
  for (const auto& [field, origin] : json.as_object()) origins[field] = origin.as_string();
  return origins;
}

Json json_of(const PublicWish& wish) {
  return Json::object({{"pool", wish.pool},
                       {"count", wish.count},
                       {"ranges", to_string(wish.ranges)},
                       {"origin", wish.origin}});
}

PublicWish public_from(const Json& json) {
  PublicWish wish{text(json, "pool"), number(json, "count"), {}, text(json, "origin")};
  const std::string ranges = text(json, "ranges");
  if (ranges.empty()) return wish;
  const auto parsed = parse_ranges(ranges);
  if (!parsed) damaged("the public range is malformed");
  wish.ranges = *parsed;
  return wish;
}

Json json_of(const PrivateWish& wish) {
  Json json = Json::object({{"pool", wish.pool}, {"prefix", wish.prefix}, {"origin", wish.origin}});
  if (wish.subnet) json.append("subnet", to_string(*wish.subnet));
  return json;
}

PrivateWish private_from(const Json& json) {
  return {text(json, "pool"), number(json, "prefix"), net(json, "subnet"), text(json, "origin")};
}

Json json_of(const Quota& quota) {
  Json json = Json::object({{"origins", json_of(quota.origins)}});
  if (quota.machines) json.append("machines", *quota.machines);
  if (quota.cpus) json.append("cpus", *quota.cpus);
  if (quota.addresses) json.append("addresses", *quota.addresses);
  if (quota.memory) json.append("memory", *quota.memory);
  if (quota.disk) json.append("disk", *quota.disk);
  return json;
}

Quota quota_from(const Json& json) {
  Quota quota;
  quota.origins = origins_from(json.at("origins"));
  if (json.find("machines")) quota.machines = number(json, "machines");
  if (json.find("cpus")) quota.cpus = number(json, "cpus");
  if (json.find("addresses")) quota.addresses = number(json, "addresses");
  if (json.find("memory")) quota.memory = size_of(json, "memory");
  if (json.find("disk")) quota.disk = size_of(json, "disk");
  return quota;
}

Json json_of(const CloudNetwork& network) {
  Json json = Json::object({{"name", network.name},
                            {"mode", to_string(network.mode)},
                            {"range", range_names[static_cast<int>(network.range)]},
                            {"prefix", network.prefix},
                            {"mtu", network.mtu},
                            {"ipv6", network.ipv6},
                            {"dns", network.dns},
                            {"origin", network.origin}});
  if (network.subnet) json.append("subnet", to_string(*network.subnet));
  return json;
}

CloudNetwork network_from(const Json& json) {
  CloudNetwork network;
  network.name = text(json, "name");
  if (!from_word(text(json, "mode"), network.mode)) damaged("a network's mode is not known");
  const std::string range = text(json, "range");
  int index = 0;
  while (index < 4 && range_names[index] != range) ++index;
  if (index == 4) damaged("a network's range is not known");
  network.range = static_cast<Range>(index);
  network.prefix = number(json, "prefix");
  network.subnet = net(json, "subnet");
  network.mtu = number(json, "mtu");
  network.ipv6 = text(json, "ipv6");
  network.dns = flag(json, "dns");
  network.origin = text(json, "origin");
  return network;
}

Json json_of(const CloudGroup& group) {
  Json rules = Json::array();
  for (const GroupRule& rule : group.rules) rules.push(rule_words(rule));
  return Json::object({{"name", group.name},
                       {"description", group.description},
                       {"rules", rules},
                       {"origin", group.origin}});
}

CloudGroup group_from(const Json& json) {
  CloudGroup group{text(json, "name"), text(json, "description"), {}, text(json, "origin")};
  Problems problems;
  for (const Json& rule : json.at("rules").as_array())
    if (const auto parsed = parse_rule(rule.as_string(), "rules", problems))
      group.rules.push_back(*parsed);
  if (!problems.empty()) damaged(problems.front().what);
  return group;
}

Json json_of(const AnswersWish& wish) {
  Json dns = Json::array(), keys = Json::array();
  for (const Ipv4 server : wish.dns) dns.push(to_string(server));
  for (const std::string& key : wish.ssh_keys) keys.push(key);
  Json json = Json::object({{"mode", wish.mode},
                            {"addresses_per_group", wish.addresses_per_group},
                            {"dns", dns},
                            {"public_interface", wish.public_interface},
                            {"private_interface", wish.private_interface},
                            {"bridge", wish.bridge},
                            {"ssh_user", wish.ssh_user},
                            {"ssh_keys", keys},
                            {"origins", json_of(wish.origins)}});
  if (wish.gateway) json.append("gateway", to_string(*wish.gateway));
  return json;
}

AnswersWish answers_from(const Json& json) {
  AnswersWish wish;
  wish.mode = text(json, "mode");
  wish.addresses_per_group = number(json, "addresses_per_group");
  for (const Json& server : json.at("dns").as_array()) wish.dns.push_back(address(server));
  if (const Json* gateway = json.find("gateway")) wish.gateway = address(*gateway);
  wish.public_interface = text(json, "public_interface");
  wish.private_interface = text(json, "private_interface");
  wish.bridge = text(json, "bridge");
  wish.ssh_user = text(json, "ssh_user");
  for (const Json& key : json.at("ssh_keys").as_array()) wish.ssh_keys.push_back(key.as_string());
  wish.origins = origins_from(json.at("origins"));
  return wish;
}

/// Alike but for the name.
bool alike(const CloudMachine& one, const CloudMachine& other) {
  if (one.entry != other.entry) return false;
  CloudMachine named = other;
  named.wish.name.name = one.wish.name.name;
  return one == named;
}

Json json_of(const CloudMachine& machine, const Json& names) {
  Json after = Json::array();
  for (const After& each : machine.after) after.push(Json::array({each.machine, each.condition}));
  return Json::object({{"entry", machine.entry},
                       {"names", names},
                       {"wish", to_json(machine.wish)},
                       {"image", machine.image},
                       {"image_format", to_string(machine.image_format)},
                       {"after", after},
                       {"after_timeout", machine.after_timeout},
                       {"seed", machine.seed},
                       {"autostart", machine.autostart}});
}

void machines_from(const Json& json, std::vector<CloudMachine>& machines) {
  CloudMachine machine;
  machine.entry = text(json, "entry");
  machine.wish = spec_from_json(json.at("wish"));
  machine.image = text(json, "image");
  if (!from_word(text(json, "image_format"), machine.image_format))
    damaged("the format of an image is not known");
  for (const Json& each : json.at("after").as_array()) {
    const Json::Array& words = each.as_array();
    if (words.size() != 2) damaged("after is malformed");
    machine.after.push_back({words[0].as_string(), words[1].as_string()});
  }
  machine.after_timeout = number(json, "after_timeout");
  machine.seed = flag(json, "seed");
  machine.autostart = flag(json, "autostart");
  for (const Json& name : json.at("names").as_array()) {
    machine.wish.name.name = name.as_string();
    machines.push_back(machine);
  }
}

}  // namespace

Json to_json(const CloudMachine& machine) {
  return json_of(machine, Json::array({machine.wish.name.name}));
}

CloudMachine cloud_machine_from_json(const Json& json) {
  if (!json.is_object()) damaged("a machine of it is no object");
  std::vector<CloudMachine> machines;
  machines_from(json, machines);
  if (machines.size() != 1) damaged("a machine of it has not one name");
  return machines.front();
}

Json to_json(const CloudSpec& spec) {
  Json networks = Json::array(), groups = Json::array(), machines = Json::array();
  for (const CloudNetwork& network : spec.networks) networks.push(json_of(network));
  for (const CloudGroup& group : spec.groups) groups.push(json_of(group));
  for (std::size_t i = 0; i < spec.machines.size();) {
    const CloudMachine& first = spec.machines[i];
    Json names = Json::array();
    for (; i < spec.machines.size() && alike(first, spec.machines[i]); ++i)
      names.push(spec.machines[i].wish.name.name);
    machines.push(json_of(first, names));
  }
  return Json::object({{"name", spec.name},
                       {"file", spec.file},
                       {"autostart", spec.autostart},
                       {"public", json_of(spec.public_range)},
                       {"private", json_of(spec.private_subnet)},
                       {"quota", spec.quota ? json_of(*spec.quota) : Json()},
                       {"networks", networks},
                       {"groups", groups},
                       {"answers", json_of(spec.answers)},
                       {"machines", machines}});
}

CloudSpec cloud_from_json(const Json& json) {
  if (!json.is_object()) damaged("it is no object");
  CloudSpec spec;
  spec.name = text(json, "name");
  spec.file = text(json, "file");
  spec.autostart = flag(json, "autostart");
  spec.public_range = public_from(json.at("public"));
  spec.private_subnet = private_from(json.at("private"));
  if (!json.at("quota").is_null()) spec.quota = quota_from(json.at("quota"));
  for (const Json& network : json.at("networks").as_array())
    spec.networks.push_back(network_from(network));
  for (const Json& group : json.at("groups").as_array()) spec.groups.push_back(group_from(group));
  spec.answers = answers_from(json.at("answers"));
  for (const Json& entry : json.at("machines").as_array()) machines_from(entry, spec.machines);
  return spec;
}

}  // namespace nutshell
