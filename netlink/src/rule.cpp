// Policy rules over RTM_*RULE. A host with a VPN or two uplinks routes by them; an adoption that
// forgot them would put every route back and still have lost the machine.
#include "nl/rule.hpp"

#include <linux/fib_rules.h>

#include "link_parts.hpp"

namespace nl {
namespace {

template <class Wide, class Range, class Pair = std::pair<Wide, Wide>>
std::optional<Pair> parse_range(const Attributes& at, int type) {
  if (!at.has(type)) return std::nullopt;
  const auto range = at.value<Range>(type);
  return Pair{range.start, range.end};
}

/// The kernel's way of saying "not set" for the two suppressors is all ones.
std::optional<std::uint32_t> parse_suppressor(const Attributes& at, int type) {
  const std::uint32_t value = at.u32(type, 0xffffffff);
  if (value == 0xffffffff) return std::nullopt;
  return value;
}

Rule parse_rule(nlmsghdr* message) {
  const auto* header = static_cast<const fib_rule_hdr*>(::nlmsg_data(message));
  const Attributes at(message, sizeof(fib_rule_hdr));
  Rule rule;
  rule.family = static_cast<Family>(header->family);
  rule.priority = at.u32(FRA_PRIORITY);
  rule.source = {at.ip(FRA_SRC), header->src_len};
  rule.destination = {at.ip(FRA_DST), header->dst_len};
  rule.input_link = at.text(FRA_IIFNAME);
  rule.output_link = at.text(FRA_OIFNAME);
  rule.mark = at.u32(FRA_FWMARK);
  rule.mark_mask = at.u32(FRA_FWMASK);
  rule.table = at.u32(FRA_TABLE, header->table);
  rule.action = static_cast<RuleAction>(header->action);
  rule.go_to = at.u32(FRA_GOTO);
  rule.invert = header->flags & FIB_RULE_INVERT;
  rule.l3mdev = at.u8(FRA_L3MDEV) != 0;
  rule.tos = header->tos;
  rule.ip_protocol = at.u8(FRA_IP_PROTO);
  rule.source_ports = parse_range<std::uint16_t, fib_rule_port_range>(at, FRA_SPORT_RANGE);
  rule.destination_ports = parse_range<std::uint16_t, fib_rule_port_range>(at, FRA_DPORT_RANGE);
  rule.uids = parse_range<std::uint32_t, fib_rule_uid_range>(at, FRA_UID_RANGE);
  rule.suppress_prefix_length = parse_suppressor(at, FRA_SUPPRESS_PREFIXLEN);
  rule.suppress_group = parse_suppressor(at, FRA_SUPPRESS_IFGROUP);
  rule.protocol = at.u8(FRA_PROTOCOL);
  return rule;
}

template <class Range, class Pair>
void put_range(Message& message, int type, const std::optional<Pair>& pair) {
  if (pair) message.value(type, Range{pair->first, pair->second});
}

void send(Socket& socket, const Rule& rule, int type, int flags, const char* verb) {
  Message message(type, flags);
  auto& header = message.header<fib_rule_hdr>();
  header.family = static_cast<std::uint8_t>(rule.family);
  header.src_len = rule.source.length;
  header.dst_len = rule.destination.length;
  header.tos = rule.tos;
  header.table = static_cast<std::uint8_t>(rule.table < 256 ? rule.table : RT_TABLE_UNSPEC);
  header.action = static_cast<std::uint8_t>(rule.action);
  if (rule.invert) header.flags |= FIB_RULE_INVERT;
  if (rule.priority) message.u32(FRA_PRIORITY, *rule.priority);
  if (rule.source.length) message.ip(FRA_SRC, rule.source.ip);
  if (rule.destination.length) message.ip(FRA_DST, rule.destination.ip);
  if (!rule.input_link.empty()) message.text(FRA_IIFNAME, rule.input_link);
  if (!rule.output_link.empty()) message.text(FRA_OIFNAME, rule.output_link);
  if (rule.mark) message.u32(FRA_FWMARK, rule.mark);
  if (rule.mark_mask) message.u32(FRA_FWMASK, rule.mark_mask);
  if (rule.table) message.u32(FRA_TABLE, rule.table);
  if (rule.action == RuleAction::go_to) message.u32(FRA_GOTO, rule.go_to);
  if (rule.l3mdev) message.u8(FRA_L3MDEV, 1);
  if (rule.ip_protocol) message.u8(FRA_IP_PROTO, rule.ip_protocol);
  put_range<fib_rule_port_range>(message, FRA_SPORT_RANGE, rule.source_ports);
  put_range<fib_rule_port_range>(message, FRA_DPORT_RANGE, rule.destination_ports);
  put_range<fib_rule_uid_range>(message, FRA_UID_RANGE, rule.uids);
  if (rule.suppress_prefix_length)
    message.u32(FRA_SUPPRESS_PREFIXLEN, *rule.suppress_prefix_length);
  if (rule.suppress_group) message.u32(FRA_SUPPRESS_IFGROUP, *rule.suppress_group);
  if (rule.protocol) message.u8(FRA_PROTOCOL, rule.protocol);
  const Answer answer = socket.wire().exchange(message);
  if (answer.error) throw Error("rule " + rule.text(), verb, answer.error, answer.kernel_says);
}

}  // namespace

std::string Rule::text() const {
  std::string text = priority ? std::to_string(*priority) + " " : "";
  text += "from " + (source.length ? source.text() : "all");
  if (destination.length) text += " to " + destination.text();
  if (table) text += " table " + std::to_string(table);
  return text;
}

std::vector<Rule> list_rules(Socket& socket, Family family) {
  std::vector<Rule> all;
  for (const Family one : {Family::v4, Family::v6}) {
    if (family != Family::none && family != one) continue;
    Message message(RTM_GETRULE, NLM_F_DUMP);
    message.header<fib_rule_hdr>().family = static_cast<std::uint8_t>(one);
    auto some =
        socket.wire().dump<Rule>(message, "rules", [&](nlmsghdr* part, std::vector<Rule>& out) {
          if (part->nlmsg_type != RTM_NEWRULE) return;
          Rule rule = parse_rule(part);
          if (rule.family == one)
            out.push_back(std::move(rule));  // a family that is off is answered with the others
        });
    all.insert(all.end(), std::make_move_iterator(some.begin()),
               std::make_move_iterator(some.end()));
  }
  return all;
}

void add_rule(Socket& socket, const Rule& rule) {
  send(socket, rule, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, "add");
}
void remove_rule(Socket& socket, const Rule& rule) { send(socket, rule, RTM_DELRULE, 0, "remove"); }

}  // namespace nl
