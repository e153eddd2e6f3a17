// Each field of an address, route or rule that the kernel takes goes over and comes back: what is
// forgotten here would be missing from a host that was put back. Times and link indexes are the two
// things that cannot stay as they are.
#include "host/uplink_values.hpp"

#include <fmt/format.h>

#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr unsigned onlink = 4;
/// Those that can be set; the kernel knows the others by itself.
constexpr std::uint32_t home = 0x10, temporary_parent = 0x100, auto_join = 0x400;
constexpr std::uint32_t settable_v4 = nl::address_flag::no_prefix_route | auto_join;
constexpr std::uint32_t settable_v6 =
    settable_v4 | nl::address_flag::no_dad | home | temporary_parent;

nl::Ip ip_of(const std::string& text) {
  if (text.empty()) return {};
  const auto ip = nl::Ip::parse(text);
  if (!ip) throw Failed(fmt::format("the note of an adoption has the address {}", text));
  return *ip;
}
nl::Prefix prefix_of(const std::string& text) {
  if (text.empty() || text == "default") return {};
  const auto prefix = nl::Prefix::parse(text);
  if (!prefix) throw Failed(fmt::format("the note of an adoption has the network {}", text));
  return *prefix;
}
std::string text_of(const nl::Prefix& prefix) { return prefix.length ? prefix.text() : ""; }
unsigned number_of(nl::Family family) { return family == nl::Family::v6 ? 6 : 4; }
nl::Family family_of(unsigned number) { return number == 6 ? nl::Family::v6 : nl::Family::v4; }

template <class T>
Json range(const std::optional<std::pair<T, T>>& pair) {
  return pair ? Json::array({Json(unsigned{pair->first}), Json(unsigned{pair->second})}) : Json();
}
template <class T>
void take_range(const Json& json, std::optional<std::pair<T, T>>& pair) {
  if (json.is_null()) return;
  const Json::Array& ends = json.as_array();
  pair = {static_cast<T>(ends.at(0).as_integer()), static_cast<T>(ends.at(1).as_integer())};
}
Json maybe(const std::optional<std::uint32_t>& value) { return value ? Json(*value) : Json(); }
void take_maybe(const Json& json, std::optional<std::uint32_t>& value) {
  if (!json.is_null()) value = static_cast<std::uint32_t>(json.as_integer());
}

}  // namespace

LinkAddress to_value(const nl::Address& a, const LinkName& name) {
  const bool v6 = a.ip.family == nl::Family::v6;
  return {.link = name(a.index),
          .ip = a.ip.text(),
          .prefix = a.prefix,
          .peer = a.peer.text(),
          .broadcast = a.broadcast.text(),
          .label = a.label,
          .scope = a.scope,
          .flags = a.flags & (v6 ? settable_v6 : settable_v4),
          .valid = a.valid_lifetime,
          .preferred = a.preferred_lifetime,
          .metric = a.metric,
          .protocol = a.protocol};
}

nl::Address to_netlink(const LinkAddress& a) {
  nl::Address address;
  address.ip = ip_of(a.ip);
  address.prefix = static_cast<std::uint8_t>(a.prefix);
  address.peer = ip_of(a.peer);
  address.broadcast = ip_of(a.broadcast);
  address.label = a.label;
  address.scope = static_cast<std::uint8_t>(a.scope);
  address.flags = a.flags;
  address.valid_lifetime = a.valid;
  address.preferred_lifetime = a.preferred;
  address.metric = a.metric;
  address.protocol = static_cast<std::uint8_t>(a.protocol);
  return address;
}

LinkRoute to_value(const nl::Route& r, const LinkName& name) {
  LinkRoute route;
  route.family = number_of(r.family);
  route.destination = r.destination.text();
  route.source = text_of(r.source);
  route.table = r.table;
  route.priority = r.priority;
  for (const nl::NextHop& hop : r.hops)
    route.hops.push_back({name(hop.index), hop.gateway.text(), static_cast<unsigned>(hop.weight),
                          hop.flags & onlink});
  route.preferred_source = r.preferred_source.text();
  route.scope = r.scope.value_or(0);
  route.type = static_cast<unsigned>(r.type);
  route.protocol = r.protocol;
  route.tos = r.tos;
  route.preference = r.preference ? *r.preference : -1;
  route.expires = r.expires;
  for (const std::uint8_t byte : r.metrics) route.metrics += fmt::format("{:02x}", byte);
  return route;
}

nl::Route to_netlink(const LinkRoute& r, const LinkIndex& index) {
  nl::Route route;
  route.family = family_of(r.family);
  route.destination = prefix_of(r.destination);
  route.source = prefix_of(r.source);
  route.table = r.table;
  route.priority = r.priority;
  for (const RouteHop& hop : r.hops)
    route.hops.push_back({hop.link.empty() ? 0 : index(hop.link), ip_of(hop.gateway),
                          static_cast<int>(hop.weight), static_cast<std::uint8_t>(hop.flags)});
  route.preferred_source = ip_of(r.preferred_source);
  route.scope = static_cast<std::uint8_t>(r.scope);
  route.type = static_cast<nl::RouteType>(r.type);
  route.protocol = static_cast<std::uint8_t>(r.protocol);
  route.tos = static_cast<std::uint8_t>(r.tos);
  if (r.preference >= 0) route.preference = static_cast<std::uint8_t>(r.preference);
  route.expires = r.expires;
  for (std::size_t i = 0; i + 1 < r.metrics.size(); i += 2)
    route.metrics.push_back(
        static_cast<std::uint8_t>(std::stoul(r.metrics.substr(i, 2), nullptr, 16)));
  return route;
}

LinkRule to_value(const nl::Rule& r) {
  return {.family = number_of(r.family),
          .priority = r.priority.value_or(0),
          .input = r.input_link,
          .output = r.output_link,
          .rest = Json::object({{"source", text_of(r.source)},
                                {"destination", text_of(r.destination)},
                                {"mark", r.mark},
                                {"mark_mask", r.mark_mask},
                                {"table", r.table},
                                {"action", static_cast<unsigned>(r.action)},
                                {"go_to", r.go_to},
                                {"invert", r.invert},
                                {"l3mdev", r.l3mdev},
                                {"tos", unsigned{r.tos}},
                                {"ip_protocol", unsigned{r.ip_protocol}},
                                {"source_ports", range(r.source_ports)},
                                {"destination_ports", range(r.destination_ports)},
                                {"uids", range(r.uids)},
                                {"suppress_prefix_length", maybe(r.suppress_prefix_length)},
                                {"suppress_group", maybe(r.suppress_group)},
                                {"protocol", unsigned{r.protocol}}})};
}

nl::Rule to_netlink(const LinkRule& r) {
  const auto number = [&](const char* name) {
    return static_cast<std::uint32_t>(r.rest.at(name).as_integer());
  };
  nl::Rule rule;
  rule.family = family_of(r.family);
  rule.priority = r.priority;
  rule.input_link = r.input;
  rule.output_link = r.output;
  rule.source = prefix_of(r.rest.at("source").as_string());
  rule.destination = prefix_of(r.rest.at("destination").as_string());
  rule.mark = number("mark");
  rule.mark_mask = number("mark_mask");
  rule.table = number("table");
  rule.action = static_cast<nl::RuleAction>(number("action"));
  rule.go_to = number("go_to");
  rule.invert = r.rest.at("invert").as_bool();
  rule.l3mdev = r.rest.at("l3mdev").as_bool();
  rule.tos = static_cast<std::uint8_t>(number("tos"));
  rule.ip_protocol = static_cast<std::uint8_t>(number("ip_protocol"));
  take_range(r.rest.at("source_ports"), rule.source_ports);
  take_range(r.rest.at("destination_ports"), rule.destination_ports);
  take_range(r.rest.at("uids"), rule.uids);
  take_maybe(r.rest.at("suppress_prefix_length"), rule.suppress_prefix_length);
  take_maybe(r.rest.at("suppress_group"), rule.suppress_group);
  rule.protocol = static_cast<std::uint8_t>(number("protocol"));
  return rule;
}

LinkNeighbour to_value(const nl::Neighbour& n, const LinkName& name) {
  constexpr unsigned router = 0x80;  // NTF_ROUTER
  const bool permanent = n.permanent();
  return {.link = name(n.index),
          .ip = n.ip.text(),
          .mac = n.mac ? nl::to_text(*n.mac) : "",
          .flags = permanent ? unsigned{n.flags} : unsigned{n.flags} & router,
          .protocol = permanent ? unsigned{n.protocol} : 0U,
          .permanent = permanent};
}

nl::Neighbour to_netlink(const LinkNeighbour& n) {
  nl::Neighbour neighbour;
  neighbour.ip = ip_of(n.ip);
  neighbour.mac = nl::parse_mac(n.mac);
  neighbour.state = n.permanent ? nl::neighbour_state::permanent : nl::neighbour_state::stale;
  neighbour.flags = static_cast<std::uint8_t>(n.flags);
  neighbour.protocol = static_cast<std::uint8_t>(n.protocol);
  return neighbour;
}

}  // namespace nutshell::host
