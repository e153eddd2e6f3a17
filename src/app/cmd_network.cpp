// network create, network rm, network ls: networks that stay when their last machine is gone. On
// the host they are there while machines run on them (network_up.cpp), so these commands change the
// registry alone.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "app/cloud_facts.hpp"
#include "app/cmd.hpp"
#include "app/firewall.hpp"
#include "app/lost.hpp"
#include "app/machine_options.hpp"
#include "app/network.hpp"
#include "app/settle.hpp"
#include "app/start.hpp"
#include "core/spec_options.hpp"
#include "host/observe.hpp"

namespace nutshell {
namespace {

constexpr unsigned largest_prefix = 30;  // one address for the host, one for a machine
constexpr unsigned smallest_prefix = 8;
constexpr std::size_t names_told = 5;
constexpr Ipv4Net link_local{{0xa9fe0000}, 16};  // RFC 3927

void take_subnet(NetworkRow& row, const Parsed& args, Problems& problems) {
  const auto text = args.value("subnet");
  if (!text) {
    row.address.prefix = 0;
    return;
  }
  const auto net = parse_ipv4_net(*text);
  const auto complain = [&](const std::string& what) { problems.push_back({"--subnet", what}); };
  if (!net || text->find('/') == std::string::npos)
    return complain(fmt::format("'{}' is no network; write it as 10.9.0.0/24", printable(*text)));
  if (net->prefix < smallest_prefix || net->prefix > largest_prefix)
    return complain(fmt::format("a prefix of {} is not possible; use one from {} to {}",
                                net->prefix, smallest_prefix, largest_prefix));
  if (net->first() != net->address)
    return complain(fmt::format("{} is an address in a network; the network is {}/{}",
                                to_string(*net), to_string(net->first()), net->prefix));
  if (net->overlaps(link_local))
    return complain(
        fmt::format("{} has addresses that hosts give themselves ({}), and no router "
                    "passes them on",
                    to_string(*net), to_string(link_local)));
  const unsigned first = net->address.value >> 24;
  if (first == 0 || first == 127 || first >= 224)
    return complain(fmt::format("{} holds no addresses that machines can have", to_string(*net)));
  row.address = *net;
}

void take_ipv6(NetworkRow& row, const Parsed& args, Problems& problems) {
  const auto text = args.value("ipv6");
  if (!text) return;
  if (const auto prefix = parse_ipv6_prefix(*text))
    row.ipv6 = *prefix;
  else
    problems.push_back(
        {"--ipv6", fmt::format("'{}' is no prefix of 64 bits that machines can have; "
                               "write it as fd00:75::/64",
                               printable(*text))});
}

NetworkRow row_from(const Parsed& args) {
  NetworkRow row;
  Problems problems;
  row.name = args.word(0, "NAME");
  row.by_hand = true;
  if (const std::string fault = name_fault(row.name); !fault.empty())
    problems.push_back(
        {"NAME", fmt::format("'{}' can be no network's name: {}", printable(row.name), fault)});
  if (const auto word = args.value("mode"); word && !from_word(*word, row.mode))
    problems.push_back({"--mode", fmt::format("'{}' is no mode; use {}", printable(*word),
                                              words_of(NetworkMode{}))});
  if (const auto word = args.value("dns")) {
    row.dns = *word == "on";
    if (*word != "on" && *word != "off")
      problems.push_back({"--dns", fmt::format("'{}' is neither on nor off", printable(*word))});
  }
  take_subnet(row, args, problems);
  take_ipv6(row, args, problems);
  if (const auto text = args.value("mtu"))
    row.mtu = parse_number(*text, "--mtu", row.ipv6.empty() ? least_mtu : least_mtu_of_ipv6,
                           largest_mtu_of_tap, problems);
  if (!problems.empty()) throw ConfigError(problems);
  return row;
}

std::string subnet_of(const NetworkRow& row) {
  return to_string(Ipv4Net{row.address.first(), row.address.prefix});
}

struct Member {
  MachineRow machine;
  NicSpec nic;
};

std::vector<Member> members_of(const std::vector<MachineRow>& machines,
                               const std::string& network) {
  std::vector<Member> members;
  for (const MachineRow& row : machines)
    for (const NicSpec& nic : row.spec.nics)
      if (nic.kind == NicKind::network && nic.network == network) members.push_back({row, nic});
  return members;
}

Json json_of(const Member& member) {
  return Json::object({{"name", member.machine.name.name},
                       {"cloud", member.machine.name.cloud},
                       {"dns", dns_name(member.machine.name.name, member.machine.name.cloud)},
                       {"mac", member.nic.mac ? Json(to_string(*member.nic.mac)) : Json()},
                       {"ip", member.nic.ip ? Json(to_string(*member.nic.ip)) : Json()},
                       {"running", member.machine.run.has_value()}});
}

/// What the registry calls the network's addresses may be a pool's already, and its range a part of
/// one that nutshell.toml gives to other machines.
void refuse_taken_names(House& house, const NetworkRow& wanted) {
  if (needed_by_lost_machines(house, wanted.name))
    throw Conflict(
        fmt::format("network {}: a machine that the registry has lost is on one of that "
                    "name; `nutshell recover` finds both again",
                    wanted.name));
  std::vector<std::string> unreadable;
  const std::vector<std::string> lost = lost_networks(house, unreadable);
  if (std::find(lost.begin(), lost.end(), wanted.name) != lost.end())
    throw Conflict(fmt::format(
        "network {}: the registry has lost one of that name; `nutshell recover` finds it again",
        wanted.name));
  const auto pools = house.registry().pools();
  if (wanted.name == "bridge" ||  // the pool of addresses on bridges is listed nowhere
      std::any_of(pools.begin(), pools.end(), [&](const Registry::PoolState& pool) {
        return pool.range.name == "ipv4:" + wanted.name;
      }))
    throw Conflict(
        fmt::format("network {}: its addresses would be the pool ipv4:{}, which there is already; "
                    "choose another name",
                    wanted.name, wanted.name));
  // Of a pool that nutshell.toml has no more, what clouds still hold is looked at elsewhere.
  for (const PoolRange& range : house.config.pools) {
    if (range.kind == "ipv4" && wanted.address.prefix &&
        wanted.address.first().value <= range.high && wanted.address.last().value >= range.low)
      throw Conflict(
          fmt::format("network {}: the subnet {} overlaps the pool {} ({}); choose "
                      "another",
                      wanted.name, subnet_of(wanted), range.name, range.origin));
  }
}

}  // namespace

Exit run_network_create(const Parsed& args, House& house) {
  NetworkRow wanted = row_from(args);
  if (!house.root)
    throw Failed(
        fmt::format("network {}: managed networks need root; run this with sudo", wanted.name));
  settle(house);
  Facts facts = observe_parts(
      house, host::part::links | host::part::addresses | host::part::routes | host::part::macs);
  add_lost_machines(house, facts);
  add_other_ranges(house, facts, "");
  Transaction transaction = house.registry().begin();
  if (const auto other = house.registry().network(wanted.name))
    throw Conflict(fmt::format("there is a network {} already ({}, {}); choose another name",
                               other->name, to_string(other->mode), subnet_of(*other)));
  refuse_taken_names(house, wanted);
  const NetworkRow row = add_network(house, transaction, std::move(wanted), facts);
  const std::string words = fmt::format("{} is {} ({}), on the bridge {} while machines run there",
                                        row.name, subnet_of(row), to_string(row.mode), row.bridge);
  if (house.dry()) {
    house.reporter.done("it would be made: " + words);
    return Exit::done;
  }
  transaction.commit();
  note_network(house, row);
  house.reporter.done(words);
  return Exit::done;
}

Exit run_network_rm(const Parsed& args, House& house) {
  const std::string& name = args.word(0, "NAME");
  settle(house);
  const auto find = [&] {
    if (const auto row = house.registry().network(name)) return *row;
    throw NotFound(
        fmt::format("there is no network {}; `nutshell network ls` lists them", printable(name)));
  };
  find();
  const auto lock = house.dry() ? std::nullopt : std::optional(lock_network(house, name));
  Transaction transaction = house.registry().begin();
  const NetworkRow row = find();
  std::vector<std::string> users = machines_on(house, name);
  if (!users.empty()) {
    const std::size_t more = users.size() > names_told ? users.size() - names_told : 0;
    users.resize(users.size() - more);
    throw Conflict(fmt::format(
        "network {}: {}{} {} a NIC there; remove what uses it first (`nutshell rm`, or `nutshell "
        "set --drop-nic`)",
        name, fmt::join(users, ", "), more ? fmt::format(" and {} more", more) : "",
        users.size() + more == 1 ? "has" : "have"));
  }
  forget_network(transaction, row);
  if (!house.dry()) {
    transaction.commit();
    drop_note(house, name);
    drop_network_lock(house, name);
  }
  house.reporter.done(fmt::format("network {} {} removed, and {} is free again", name,
                                  house.dry() ? "would be" : "is", subnet_of(row)));
  return Exit::done;
}

Exit run_network_ls(const Parsed&, House& house) {
  settle(house);
  if (!house.root)  // root's settle() has put them right
    for (const std::string& fault : firewall_faults(house))
      house.reporter.warn(fmt::format("networks: {}; `nutshell ls` by root puts it right", fault));
  const Facts facts = observe_parts(house, host::part::links);
  const std::vector<MachineRow> machines = house.registry().machines();
  JsonList list("networks");
  Table table{{"NAME", "MODE", "SUBNET", "IPV6", "BRIDGE", "MTU", "DNS", "STATE", "MACHINES"}, {}};
  for (const NetworkRow& row : house.registry().networks()) {
    const LinkFact* link = facts.link(row.bridge);
    const bool up = link && link->up && link->alias == mark_of_network(house, row.name);
    const std::vector<Member> members = members_of(machines, row.name);
    Json users = Json::array();
    for (const Member& member : members) users.push(json_of(member));
    list.push(Json::object({{"name", row.name},
                            {"mode", to_string(row.mode)},
                            {"subnet", subnet_of(row)},
                            {"address", to_string(row.address.address)},
                            {"ipv6", row.ipv6.empty() ? Json() : Json(row.ipv6)},
                            {"bridge", row.bridge},
                            {"mtu", row.mtu},
                            {"dns", row.dns},
                            {"by_hand", row.by_hand},
                            {"up", up},
                            {"machines", users}}));
    table.rows.push_back({row.name, to_string(row.mode), subnet_of(row),
                          row.ipv6.empty() ? "-" : row.ipv6, row.bridge, std::to_string(row.mtu),
                          row.dns ? "on" : "off", up ? "up" : "down",
                          std::to_string(members.size())});
  }
  if (table.rows.empty() && !house.reporter.json())
    house.reporter.note(
        "no networks yet; the first machine makes nutshell0, `nutshell network create NAME` "
        "others");
  else
    house.reporter.answer(list, table);
  return Exit::done;
}

}  // namespace nutshell
