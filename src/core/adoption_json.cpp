// An adoption as it stands on disk, and its operations in words. What another version would read
// otherwise is refused rather than guessed: by this note a host gets its network back.
#include <fmt/format.h>

#include <algorithm>

#include "nutshell/adoption.hpp"
#include "nutshell/error.hpp"

namespace nutshell {
namespace {

constexpr int version = 1;

Json put(const LinkAddress& a) {
  return Json::object({{"link", a.link},
                       {"ip", a.ip},
                       {"prefix", a.prefix},
                       {"peer", a.peer},
                       {"broadcast", a.broadcast},
                       {"label", a.label},
                       {"scope", a.scope},
                       {"flags", a.flags},
                       {"valid", a.valid},
                       {"preferred", a.preferred},
                       {"metric", a.metric},
                       {"protocol", a.protocol}});
}
Json put(const LinkRoute& r) {
  Json hops = Json::array();
  for (const RouteHop& hop : r.hops)
    hops.push(Json::object({{"link", hop.link},
                            {"gateway", hop.gateway},
                            {"weight", hop.weight},
                            {"flags", hop.flags}}));
  return Json::object({{"family", r.family},
                       {"destination", r.destination},
                       {"source", r.source},
                       {"table", r.table},
                       {"priority", r.priority},
                       {"hops", hops},
                       {"preferred_source", r.preferred_source},
                       {"scope", r.scope},
                       {"type", r.type},
                       {"protocol", r.protocol},
                       {"tos", r.tos},
                       {"preference", r.preference},
                       {"expires", r.expires},
                       {"metrics", r.metrics},
                       {"learnt", r.learnt}});
}
Json put(const LinkRule& r) {
  return Json::object({{"family", r.family},
                       {"priority", r.priority},
                       {"input", r.input},
                       {"output", r.output},
                       {"rest", r.rest}});
}
Json put(const LinkNeighbour& n) {
  return Json::object({{"link", n.link},
                       {"ip", n.ip},
                       {"mac", n.mac},
                       {"flags", n.flags},
                       {"protocol", n.protocol},
                       {"permanent", n.permanent}});
}

template <class T>
T number(const Json& json, std::string_view name) {
  return static_cast<T>(json.at(name).as_integer());
}
const std::string& text(const Json& json, std::string_view name) {
  return json.at(name).as_string();
}

void get(const Json& json, LinkAddress& a) {
  a = {text(json, "link"),
       text(json, "ip"),
       number<unsigned>(json, "prefix"),
       text(json, "peer"),
       text(json, "broadcast"),
       text(json, "label"),
       number<unsigned>(json, "scope"),
       number<unsigned>(json, "flags"),
       number<std::uint32_t>(json, "valid"),
       number<std::uint32_t>(json, "preferred"),
       number<std::uint32_t>(json, "metric"),
       number<unsigned>(json, "protocol")};
}
void get(const Json& json, LinkRoute& r) {
  r.family = number<unsigned>(json, "family");
  r.destination = text(json, "destination");
  r.source = text(json, "source");
  r.table = number<std::uint32_t>(json, "table");
  r.priority = number<std::uint32_t>(json, "priority");
  for (const Json& hop : json.at("hops").as_array())
    r.hops.push_back({text(hop, "link"), text(hop, "gateway"), number<unsigned>(hop, "weight"),
                      number<unsigned>(hop, "flags")});
  r.preferred_source = text(json, "preferred_source");
  r.scope = number<unsigned>(json, "scope");
  r.type = number<unsigned>(json, "type");
  r.protocol = number<unsigned>(json, "protocol");
  r.tos = number<unsigned>(json, "tos");
  r.preference = number<int>(json, "preference");
  r.expires = number<std::uint32_t>(json, "expires");
  r.metrics = text(json, "metrics");
  r.learnt = json.flag("learnt");
}
void get(const Json& json, LinkRule& r) {
  r = {number<unsigned>(json, "family"), number<std::uint32_t>(json, "priority"),
       text(json, "input"), text(json, "output"), json.at("rest")};
}
void get(const Json& json, LinkNeighbour& n) {
  n = {text(json, "link"),
       text(json, "ip"),
       text(json, "mac"),
       number<unsigned>(json, "flags"),
       number<unsigned>(json, "protocol"),
       json.at("permanent").as_bool()};
}

template <class T>
Json put_all(const std::vector<T>& all) {
  Json list = Json::array();
  for (const T& each : all) list.push(put(each));
  return list;
}
template <class T>
void get_all(const Json& list, std::vector<T>& all) {
  for (const Json& each : list.as_array()) get(each, all.emplace_back());
}

constexpr AdoptionState states[] = {AdoptionState::begun, AdoptionState::waiting,
                                    AdoptionState::confirmed, AdoptionState::restored};

}  // namespace

std::string to_string(AdoptionState state) {
  switch (state) {
    case AdoptionState::begun: return "begun";
    case AdoptionState::waiting: return "waiting";
    case AdoptionState::confirmed: return "confirmed";
    case AdoptionState::restored: return "restored";
  }
  return "";
}

Json to_json(const UplinkView& view) {
  Json ports = Json::array();
  for (const std::string& port : view.other_ports) ports.push(port);
  return Json::object({{"uplink", view.uplink},
                       {"bridge", view.bridge},
                       {"uplink_there", view.uplink_there},
                       {"uplink_up", view.uplink_up},
                       {"bridge_there", view.bridge_there},
                       {"bridge_ours", view.bridge_ours},
                       {"bridge_up", view.bridge_up},
                       {"bridge_stp", view.bridge_stp},
                       {"mac", view.mac},
                       {"bridge_mac", view.bridge_mac},
                       {"bridge_mark", view.bridge_mark},
                       {"master", view.master},
                       {"mtu", view.mtu},
                       {"other_ports", ports},
                       {"addresses", put_all(view.addresses)},
                       {"routes", put_all(view.routes)},
                       {"rules", put_all(view.rules)},
                       {"neighbours", put_all(view.neighbours)}});
}

UplinkView view_from_json(const Json& json) {
  UplinkView view;
  view.uplink = text(json, "uplink");
  view.bridge = text(json, "bridge");
  view.uplink_there = json.at("uplink_there").as_bool();
  if (json.find("uplink_up")) view.uplink_up = json.flag("uplink_up");
  view.bridge_there = json.at("bridge_there").as_bool();
  view.bridge_ours = json.at("bridge_ours").as_bool();
  view.bridge_up = json.at("bridge_up").as_bool();
  view.bridge_stp = json.at("bridge_stp").as_bool();
  view.mac = text(json, "mac");
  view.bridge_mac = text(json, "bridge_mac");
  view.bridge_mark = text(json, "bridge_mark");
  view.master = text(json, "master");
  view.mtu = number<std::uint32_t>(json, "mtu");
  for (const Json& port : json.at("other_ports").as_array())
    view.other_ports.push_back(port.as_string());
  get_all(json.at("addresses"), view.addresses);
  get_all(json.at("routes"), view.routes);
  get_all(json.at("rules"), view.rules);
  get_all(json.at("neighbours"), view.neighbours);
  return view;
}

Json to_json(const Adoption& adoption) {
  Json asked = Json::array();
  for (const std::string& each : adoption.asked) asked.push(each);
  Json left = Json::array(), native = Json::array();
  for (const std::string& each : adoption.left) left.push(each);
  for (const auto& [path, text] : adoption.native)
    native.push(Json::object({{"path", path}, {"text", text}}));
  return Json::object({{"version", version},
                       {"id", adoption.id},
                       {"state", to_string(adoption.state)},
                       {"boot_id", adoption.boot_id},
                       {"network", adoption.network},
                       {"taken", adoption.taken},
                       {"deadline", adoption.deadline},
                       {"timeout", adoption.timeout},
                       {"reason", adoption.reason},
                       {"left", left},
                       {"persist", adoption.persist},
                       {"native", native},
                       {"asked", asked},
                       {"uplink_index", adoption.uplink_index},
                       {"mark", adoption.mark},
                       {"before", to_json(adoption.before)}});
}

Adoption adoption_from_json(const Json& json) {
  if (json.integer("version") != version)
    throw Failed(
        fmt::format("the note of an adoption is of version {}, and this program knows {}; "
                    "use the nutshell that wrote it",
                    json.integer("version"), version));
  Adoption adoption;
  const std::string& word = text(json, "state");
  const auto* found = std::find_if(std::begin(states), std::end(states),
                                   [&](AdoptionState each) { return to_string(each) == word; });
  if (found == std::end(states))
    throw Failed(fmt::format("the note of an adoption has the unknown state {}", word));
  adoption.state = *found;
  adoption.id = text(json, "id");
  adoption.boot_id = text(json, "boot_id");
  adoption.network = number<std::uint64_t>(json, "network");
  adoption.taken = number<std::uint64_t>(json, "taken");
  adoption.deadline = number<std::uint64_t>(json, "deadline");
  adoption.timeout = number<std::uint64_t>(json, "timeout");
  adoption.reason = text(json, "reason");
  adoption.persist = json.at("persist").as_bool();
  for (const Json& each : json.at("asked").as_array()) adoption.asked.push_back(each.as_string());
  if (const Json* left = json.find("left"))
    for (const Json& each : left->as_array()) adoption.left.push_back(each.as_string());
  if (const Json* native = json.find("native"))
    for (const Json& each : native->as_array())
      adoption.native.emplace_back(text(each, "path"), text(each, "text"));
  if (json.find("uplink_index")) adoption.uplink_index = number<int>(json, "uplink_index");
  adoption.mark = text(json, "mark");
  adoption.before = view_from_json(json.at("before"));
  return adoption;
}

}  // namespace nutshell
