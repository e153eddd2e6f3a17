// group create, authorize, revoke, rm, ls. A changed group is one chain made anew in one
// transaction, for all machines in it.
#include <fmt/format.h>

#include <algorithm>

#include "app/cmd.hpp"
#include "app/firewall_kept.hpp"
#include "app/guard.hpp"
#include "app/settle.hpp"

namespace nutshell {
namespace {

std::string cloud_of(const Parsed& args) {
  const std::string cloud = args.value("cloud").value_or("default");
  if (!is_name(cloud))
    throw ConfigError(
        "--cloud", fmt::format("'{}' is no cloud's name: {}", printable(cloud), name_fault(cloud)));
  return cloud;
}

std::string words_of_group(const std::string& cloud, const std::string& name) {
  return cloud == "default" ? name : cloud + "/" + name;
}

std::optional<GroupRow> find_group(House& house, const std::string& cloud,
                                   const std::string& name) {
  for (GroupRow& row : house.registry().groups())
    if (row.cloud == cloud && row.name == name) return std::move(row);
  return std::nullopt;
}

GroupRow existing_group(House& house, const std::string& cloud, const std::string& name) {
  if (auto row = find_group(house, cloud, name)) return *std::move(row);
  std::vector<std::string> known;
  for (const GroupRow& row : house.registry().groups())
    if (row.cloud == cloud) known.push_back(row.name);
  const auto meant = nearest(name, known);
  throw NotFound(fmt::format(
      "there is no security group {} in the cloud {}{}", printable(name), cloud,
      meant ? fmt::format("; did you mean {}?", *meant) : "; `nutshell group ls` lists them"));
}

std::vector<std::string> machines_in(const std::vector<MachineRow>& machines,
                                     const GroupRow& group) {
  std::vector<std::string> names;
  for (const MachineRow& row : machines)
    if (row.name.cloud == group.cloud && std::find(row.spec.groups.begin(), row.spec.groups.end(),
                                                   group.name) != row.spec.groups.end())
      names.push_back(row.name.name);
  return names;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string words_of_rule(const GroupRule& rule) {
  std::string ports;
  if (rule.low) ports = fmt::format(" {}", rule.low);
  if (rule.high > rule.low) ports += fmt::format("-{}", rule.high);
  const std::string from = !rule.from_group.empty() ? "the group " + rule.from_group
                           : !rule.from.empty()     ? rule.from
                                                    : "anywhere";
  return fmt::format("{}{} from {}", rule.protocol, ports, from);
}

std::optional<unsigned> port_number(const std::string& text) {
  if (text.empty() || text.size() > 5 || text.find_first_not_of("0123456789") != text.npos)
    return std::nullopt;
  const unsigned long value = std::stoul(text);
  return value >= 1 && value <= 65535 ? std::optional(static_cast<unsigned>(value)) : std::nullopt;
}

void take_ports(GroupRule& rule, const std::string& text, Problems& problems) {
  const auto dash = text.find('-');
  const auto low = port_number(text.substr(0, dash));
  const auto high = dash == text.npos ? low : port_number(text.substr(dash + 1));
  if (!low || !high || *high < *low)
    return problems.push_back(
        {"--port", fmt::format("'{}' is no port or range of ports; write 443 or 8000-8100, from 1 "
                               "to 65535",
                               printable(text))});
  if (rule.protocol != "tcp" && rule.protocol != "udp")
    return problems.push_back({"--port", "only tcp and udp have ports; add --protocol tcp"});
  rule.low = *low;
  rule.high = *high;
}

GroupRule rule_from(const Parsed& args) {
  GroupRule rule;
  Problems problems;
  const auto protocol = args.value("protocol");
  static const std::vector<std::string> known{"tcp", "udp", "icmp", "all"};
  if (!protocol) {
    problems.push_back({"--protocol", "is missing; give tcp, udp, icmp or all"});
  } else if (std::find(known.begin(), known.end(), *protocol) == known.end()) {
    problems.push_back({"--protocol", fmt::format("'{}' is not known; give tcp, udp, icmp or all",
                                                  printable(*protocol))});
  } else {
    rule.protocol = *protocol;
  }
  if (const auto text = args.value("port")) take_ports(rule, *text, problems);
  if (args.has("from") && args.has("from-group"))
    problems.push_back({"--from-group", "and --from contradict each other; give one of them"});
  if (const auto text = args.value("from")) rule.from = parse_source(*text, "--from", problems);
  if (const auto text = args.value("from-group")) rule.from_group = *text;
  if (!problems.empty()) throw ConfigError(problems);
  return rule;
}

/// The changed group: in the registry, from where every start takes it, then in the host's tables.
/// Where nft refuses, the registry has the old one again.
void change_group(House& house, Transaction& transaction, const GroupRow& before,
                  const GroupRow& after) {
  transaction.put_group(after);
  commit_with_firewall(house, transaction);
  try {
    guard_group(house, after);
  } catch (const Error&) {
    Transaction back = house.registry().begin();
    back.put_group(before);
    commit_with_firewall(house, back);
    throw;
  }
}

void require_root(const House& house) {
  if (!house.root)
    throw Failed(
        "security groups are rules of the host's firewall, which need root; run this "
        "with sudo");
}

Json json_of(const GroupRow& group, const std::vector<std::string>& machines) {
  Json rules = Json::array(), names = Json::array();
  for (const GroupRule& rule : group.rules)
    rules.push(
        Json::object({{"protocol", rule.protocol},
                      {"low", rule.low},
                      {"high", rule.high},
                      {"from", rule.from_group.empty() && rule.from.empty() ? "any" : rule.from},
                      {"from_group", rule.from_group}}));
  for (const std::string& name : machines) names.push(name);
  return Json::object({{"cloud", group.cloud},
                       {"name", group.name},
                       {"description", group.description},
                       {"rules", rules},
                       {"machines", names}});
}

}  // namespace

Exit run_group_create(const Parsed& args, House& house) {
  GroupRow group{cloud_of(args), args.word(0, "GROUP"), args.value("description").value_or(""), {}};
  if (const std::string fault = name_fault(group.name); !fault.empty())
    throw ConfigError("GROUP",
                      fmt::format("'{}' can be no group's name: {}", printable(group.name), fault));
  if (const std::string fault = text_fault(group.description); !fault.empty())
    throw ConfigError("--description", fault);
  require_root(house);
  Transaction transaction = house.registry().begin();
  if (find_group(house, group.cloud, group.name))
    throw Conflict(fmt::format("there is a security group {} already; choose another name",
                               words_of_group(group.cloud, group.name)));
  if (is_lost_group(house, group.cloud, group.name))
    throw Conflict(
        fmt::format("{}: the registry has lost it; `nutshell recover` finds it again, "
                    "with its rules",
                    words_of_group(group.cloud, group.name)));
  if (house.dry()) {
    house.reporter.done("it would be made");
    return Exit::done;
  }
  transaction.put_group(group);
  commit_with_firewall(house, transaction);
  house.reporter.done(fmt::format("{} lets nobody in; `nutshell group authorize` opens it",
                                  words_of_group(group.cloud, group.name)));
  return Exit::done;
}

Exit run_group_authorize(const Parsed& args, House& house) {
  const GroupRule rule = rule_from(args);
  const std::string cloud = cloud_of(args);
  require_root(house);
  settle(house);
  Transaction transaction = house.registry().begin();
  const GroupRow before = existing_group(house, cloud, args.word(0, "GROUP"));
  GroupRow group = before;
  if (!rule.from_group.empty()) existing_group(house, cloud, rule.from_group);
  const std::string words = words_of_rule(rule), who = words_of_group(cloud, group.name);
  if (std::find(group.rules.begin(), group.rules.end(), rule) != group.rules.end()) {
    house.reporter.done(fmt::format("{} lets in {} already", who, words));
    return Exit::done;
  }
  group.rules.push_back(rule);
  std::sort(group.rules.begin(), group.rules.end());
  if (!house.dry()) change_group(house, transaction, before, group);
  house.reporter.done(
      fmt::format("{} {} {}", who, house.dry() ? "would let in" : "lets in", words));
  return Exit::done;
}

Exit run_group_revoke(const Parsed& args, House& house) {
  const GroupRule rule = rule_from(args);
  const std::string cloud = cloud_of(args);
  require_root(house);
  settle(house);
  Transaction transaction = house.registry().begin();
  const GroupRow before = existing_group(house, cloud, args.word(0, "GROUP"));
  GroupRow group = before;
  const std::string words = words_of_rule(rule), who = words_of_group(cloud, group.name);
  if (std::erase(group.rules, rule) == 0)
    throw NotFound(fmt::format("{} has no rule for {}; `nutshell group ls {}` shows those it has",
                               who, words, group.name));
  if (!house.dry()) change_group(house, transaction, before, group);
  house.reporter.done(fmt::format("{} {} {}", who,
                                  house.dry() ? "would no more let in" : "no more lets in", words));
  return Exit::done;
}

Exit run_group_rm(const Parsed& args, House& house) {
  const std::string cloud = cloud_of(args);
  Transaction transaction = house.registry().begin();
  const GroupRow group = existing_group(house, cloud, args.word(0, "GROUP"));
  const std::string who = words_of_group(cloud, group.name);
  const auto machines = machines_in(house.registry().machines(), group);
  if (!machines.empty())
    throw Conflict(fmt::format("{}: {} {} in it; leave it with `nutshell set {} --drop-group {}`",
                               who, joined(machines), machines.size() == 1 ? "is" : "are",
                               to_string(MachineName{cloud, machines.front()}), group.name));
  for (const GroupRow& other : house.registry().groups())
    for (const GroupRule& rule : other.rules)
      if (other.cloud == cloud && other.name != group.name && rule.from_group == group.name)
        throw Conflict(fmt::format("{}: a rule of the group {} names it ({}); revoke that first",
                                   who, other.name, words_of_rule(rule)));
  if (!house.dry()) {
    transaction.remove_group(cloud, group.name);
    commit_with_firewall(house, transaction);
  }
  house.reporter.done(fmt::format("{} {} removed", who, house.dry() ? "would be" : "is"));
  return Exit::done;
}

Exit run_group_ls(const Parsed& args, House& house) {
  const auto machines = house.registry().machines();
  Json list = Json::array();
  std::string text;
  const std::optional<std::string> only =
      args.words.empty() ? std::nullopt : std::optional(args.words[0]);
  if (only) existing_group(house, cloud_of(args), *only);
  for (const GroupRow& group : house.registry().groups()) {
    if (only && (group.name != *only || group.cloud != cloud_of(args))) continue;
    if (!only && args.has("cloud") && group.cloud != cloud_of(args)) continue;
    const auto names = machines_in(machines, group);
    list.push(json_of(group, names));
    text += fmt::format("{}{}\n", words_of_group(group.cloud, group.name),
                        group.description.empty() ? "" : ": " + printable(group.description));
    for (const GroupRule& rule : group.rules) text += "  lets in " + words_of_rule(rule) + "\n";
    if (group.rules.empty()) text += "  lets nobody in\n";
    text += names.empty() ? "  no machine is in it\n" : "  machines: " + joined(names) + "\n";
  }
  if (text.empty()) text = "there are no security groups; `nutshell group create` makes one\n";
  house.reporter.answer(Json::object({{"groups", list}}), text);
  return Exit::done;
}

}  // namespace nutshell
