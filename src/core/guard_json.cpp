// What the firewall knows of a machine that runs, as the registry and the journal keep it: its spec
// may be changed meanwhile, and what was put in must be known to be taken out.
#include <fmt/format.h>

#include "nutshell/error.hpp"
#include "nutshell/guard.hpp"

namespace nutshell {
namespace {

[[noreturn]] void damaged(const std::string& what) {
  throw Failed("what the registry keeps of a machine's firewall rules is damaged: " + what);
}

Json texts(const std::vector<std::string>& list) {
  Json json = Json::array();
  for (const std::string& text : list) json.push(text);
  return json;
}

Ipv4 address(const std::string& text) {
  const auto ip = parse_ipv4(text);
  if (!ip) damaged("an address is malformed");
  return *ip;
}

GuestNic nic_from(const Json& json) {
  GuestNic nic;
  nic.tap = json.text("tap");
  nic.mark = json.text("mark");
  nic.cloud = json.text("cloud");
  const auto mac = parse_mac(json.text("mac"));
  if (!mac || !is_interface_name(nic.tap)) damaged("a NIC is malformed");
  nic.mac = *mac;
  nic.guarded = json.flag("guarded");
  nic.tagged = json.flag("tagged");
  nic.isolated = json.flag("isolated");
  nic.routed = json.flag("routed");
  if (const std::string ip = json.text("ip"); !ip.empty()) nic.ip = address(ip);
  if (const std::string also = json.text("also"); !also.empty()) {
    const auto ranges = parse_ranges(also);
    if (!ranges) damaged("a range of addresses is malformed");
    nic.also = *ranges;
  }
  nic.ipv6 = json.text("ipv6");
  nic.rate = static_cast<std::uint64_t>(json.at("rate").as_integer());
  for (const Json& group : json.at("groups").as_array()) nic.groups.push_back(group.as_string());
  Problems problems;
  for (const Json& port : json.at("publish").as_array())
    nic.publish.push_back(parse_publish(port.as_string(), "publish", problems));
  if (!problems.empty()) damaged("a published port is malformed");
  for (const Json& ip : json.at("publics").as_array())
    nic.publics.push_back(address(ip.as_string()));
  return nic;
}

}  // namespace

Json to_json(const GuestNic& nic) {
  std::vector<std::string> publish, publics;
  for (const PublishedPort& port : nic.publish) publish.push_back(to_string(port));
  for (const Ipv4 ip : nic.publics) publics.push_back(to_string(ip));
  return Json::object({{"tap", nic.tap},
                       {"mark", nic.mark},
                       {"cloud", nic.cloud},
                       {"mac", to_string(nic.mac)},
                       {"guarded", nic.guarded},
                       {"tagged", nic.tagged},
                       {"isolated", nic.isolated},
                       {"routed", nic.routed},
                       {"ip", nic.ip ? to_string(*nic.ip) : ""},
                       {"also", to_string(nic.also)},
                       {"ipv6", nic.ipv6},
                       {"rate", nic.rate},
                       {"groups", texts(nic.groups)},
                       {"publish", texts(publish)},
                       {"publics", texts(publics)}});
}

std::string guests_to_json(const std::vector<GuestNic>& nics) {
  if (nics.empty()) return "";
  Json list = Json::array();
  for (const GuestNic& nic : nics) list.push(to_json(nic));
  return list.dump();
}

std::vector<GuestNic> guests_from_json(const std::string& text) {
  std::vector<GuestNic> nics;
  if (text.empty()) return nics;
  const auto json = Json::try_parse(text);
  if (!json || !json->is_array()) damaged("it is no list");
  for (const Json& one : json->as_array()) nics.push_back(nic_from(one));
  return nics;
}

}  // namespace nutshell
