// address allocate, associate, disassociate, release, ls. An address is a lease of a pool of
// nutshell.toml; where it leads is the registry's, and the host has it while the machine runs.
#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_facts.hpp"
#include "app/cloud_file.hpp"
#include "app/cloud_quota.hpp"
#include "app/cloud_ranges.hpp"
#include "app/cmd.hpp"
#include "app/firewall_kept.hpp"
#include "app/guard.hpp"
#include "app/lost.hpp"
#include "app/machine_state.hpp"
#include "app/public_address.hpp"
#include "app/settle.hpp"
#include "app/start.hpp"
#include "host/observe.hpp"

namespace nutshell {
namespace {

/// Who holds an allocated address's lease.
Uuid holder_of(const std::string& cloud) { return Uuid{"cloud:" + cloud}; }

Ipv4 parse_address(const std::string& text) {
  if (const auto address = parse_ipv4(text)) return *address;
  throw ConfigError("ADDRESS", fmt::format("'{}' is no IPv4 address; write it like 203.0.113.7",
                                           printable(text)));
}

PublicAddress existing(House& house, const std::string& text) {
  const Ipv4 address = parse_address(text);
  for (PublicAddress& row : house.registry().addresses())
    if (row.address == address) return std::move(row);
  throw NotFound(
      fmt::format("no cloud has {}; `nutshell address allocate {}` takes it", text, text));
}

/// The pool that is meant: by name, by the address, or the only one that there is.
std::string pool_for(House& house, const Parsed& args, const std::string& cloud,
                     const std::optional<Ipv4>& wanted) {
  // A cloud that has a public range of its own gets addresses out of that.
  if (const CloudRanges ranges = ranges_of(house, cloud); !ranges.publics.empty()) {
    const bool is_in =
        std::any_of(ranges.publics.begin(), ranges.publics.end(), [&](const AddressRange& range) {
          return wanted && range.first <= *wanted && *wanted <= range.last;
        });
    const std::string own = "public:" + cloud;
    if (args.value("pool").value_or(own) == own && (!wanted || is_in)) return own;
  }
  std::vector<std::string> names, holding;
  for (const PoolRange& pool : house.config.pools) {
    if (pool.kind != "ipv4") continue;
    names.push_back(pool.name);
    if (wanted && pool.low <= wanted->value && wanted->value <= pool.high)
      holding.push_back(pool.name);
  }
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  if (names.empty())
    throw NotFound(
        "there is no pool of public addresses; declare one in nutshell.toml with "
        "[[pool]], a name, kind = \"ipv4\" and a range");
  if (const auto named = args.value("pool")) {
    if (std::find(names.begin(), names.end(), *named) == names.end())
      throw NotFound(fmt::format("there is no pool {} of public addresses; there are: {}",
                                 printable(*named), list));
    return *named;
  }
  if (wanted && holding.empty())
    throw ConfigError("ADDRESS", fmt::format("{} is in no pool of public addresses ({})",
                                             to_string(*wanted), list));
  if (wanted) return holding.front();
  if (names.size() > 1)
    throw UsageError(fmt::format("there are several pools ({}); choose one with --pool", list));
  return names.front();
}

std::string name_of(House& house, const std::optional<Uuid>& machine) {
  const auto row = machine ? house.registry().machine(*machine) : std::nullopt;
  return row ? to_string(row->name) : "";
}

void require_root(const House& house) {
  if (!house.root) throw Failed("public addresses need root; run this with sudo");
}

/// The NIC of a running machine that public addresses lead to, changed; nothing where it does not
/// run. The registry is told within the transaction.
struct Change {
  Uuid machine;
  std::vector<GuestNic> before, after;
};

std::optional<Change> change_of_run(House& house, const MachineRow& row, Ipv4 address, bool lead) {
  if (!row.run || !is_alive(house, row.uuid)) return std::nullopt;
  Change change{row.uuid, guests_from_json(row.run->guests), {}};
  change.after = change.before;
  for (GuestNic& nic : change.after) std::erase(nic.publics, address);
  if (!lead) return change;
  const auto nic = std::find_if(change.after.begin(), change.after.end(),
                                [](const GuestNic& one) { return one.routed && one.ip; });
  if (nic != change.after.end()) nic->publics.push_back(address);
  return change;
}

/// The address's row, and what a running machine has of it: in the registry, then on the host. What
/// cannot be done there is undone here.
void commit(House& house, Transaction& transaction, const PublicAddress& before,
            const PublicAddress& after, const std::optional<Change>& change) {
  transaction.put_address(after);
  if (change) transaction.change_guests(change->machine, guests_to_json(change->after));
  commit_with_firewall(house, transaction);
  if (!change) return;
  try {
    change_guests(house, change->machine, change->before, change->after);
  } catch (const Error&) {
    Transaction back = house.registry().begin();
    back.put_address(before);
    back.change_guests(change->machine, guests_to_json(change->before));
    commit_with_firewall(house, back);
    take_addresses(house, change->before);
    throw;
  }
}

bool can_be_reached(House& house, const MachineSpec& spec) {
  return std::any_of(spec.nics.begin(), spec.nics.end(), [&](const NicSpec& nic) {
    if (nic.kind != NicKind::network) return false;
    const auto network = house.registry().network(nic.network);
    return !network || network->mode != NetworkMode::isolated;
  });
}

/// Those that may be given out next. The transaction is rolled back: it only looks.
std::vector<Ipv4> next_in(House& house, const std::string& pool, const std::optional<Ipv4>& wanted,
                          const Facts& facts) {
  constexpr unsigned probed = 8;
  if (wanted) return {*wanted};
  std::vector<Ipv4> next;
  Transaction look = house.registry().begin();
  for (const std::string& text : look.allocator().candidates(pool, probed, facts))
    if (const auto address = parse_ipv4(text)) next.push_back(*address);
  return next;
}

}  // namespace

Exit run_address_allocate(const Parsed& args, House& house) {
  const std::string cloud = args.value("cloud").value_or("default");
  if (!is_name(cloud))
    throw ConfigError(
        "--cloud", fmt::format("'{}' is no cloud's name: {}", printable(cloud), name_fault(cloud)));
  std::optional<Ipv4> wanted;
  if (!args.words.empty()) wanted = parse_address(args.words[0]);
  require_root(house);
  settle(house);
  if (!house.registry().cloud(cloud) && is_noted(house, cloud))
    throw Conflict(
        fmt::format("the registry has lost the cloud {}; run `nutshell recover` to have it again, "
                    "with all that it holds",
                    cloud));
  const std::string pool = pool_for(house, args, cloud, wanted);
  refuse_network(house, pool, cloud, wanted);
  Facts facts = observe_parts(
      house, host::part::links | host::part::addresses | host::part::routes | host::part::macs);
  add_other_ranges(house, facts, cloud);
  add_lost_machines(house, facts);
  add_network_ranges(house, facts);
  if (!house.dry()) probe_public_addresses(facts, next_in(house, pool, wanted, facts));
  Transaction transaction = house.registry().begin();
  for (const PublicAddress& row : house.registry().addresses())
    if (wanted && row.address == *wanted)
      throw Conflict(fmt::format("{} is the cloud {}'s already", to_string(*wanted), row.cloud));
  if (pool != "public:" + cloud) check_quota_of_address(house, cloud);
  Want want{pool, 0, Lifetime::machine, std::nullopt};
  if (wanted) want.value = to_string(*wanted);
  const Taken taken = transaction.allocator().take(holder_of(cloud), {want}, facts);
  const std::string value = taken.leases.front().value;
  for (const Skipped& one : taken.skipped)
    house.reporter.note(fmt::format("{} is passed over: it is held by {}", one.value, one.holder));
  if (house.dry()) {
    house.reporter.done(fmt::format("{} would be {}'s", value, cloud));
    return Exit::done;
  }
  transaction.put_address({parse_ipv4(value).value(), pool, cloud, std::nullopt, now_utc()});
  commit_with_firewall(house, transaction);
  house.reporter.answer(Json::object({{"address", value}, {"cloud", cloud}, {"pool", pool}}),
                        fmt::format("{} is {}'s\n", value, cloud));
  return Exit::done;
}

Exit run_address_associate(const Parsed& args, House& house) {
  require_root(house);
  const PublicAddress asked = existing(house, args.word(0, "ADDRESS"));
  const MachineRow row = settled_machine(house, find_machine(house, args.word(1, "NAME")));
  const std::string who = to_string(row.name), value = to_string(asked.address);
  if (row.name.cloud != asked.cloud)
    throw Conflict(fmt::format("{} is the cloud {}'s, and {} is in the cloud {}", value,
                               asked.cloud, who, row.name.cloud));
  if (!can_be_reached(house, row.spec))
    throw Conflict(
        fmt::format("{} has no NIC on a managed network that leads out; give it one "
                    "with `nutshell set {} --nic network=NAME`",
                    who, who));
  if (!house.dry()) wait_for_others(house, row.uuid, who);
  Transaction transaction = house.registry().begin();
  check_alone(house, row.uuid, who);
  PublicAddress address = existing(house, args.word(0, "ADDRESS"));
  if (address.machine == row.uuid) {
    house.reporter.done(fmt::format("{} leads to {} already", value, who));
    return Exit::done;
  }
  if (address.machine)
    throw Conflict(fmt::format("{} leads to {}; `nutshell address disassociate {}` frees it", value,
                               name_of(house, address.machine), value));
  const auto now = house.registry().machine(row.uuid);
  if (!now) throw NotFound(fmt::format("{} was removed meanwhile", who));
  if (!house.dry()) {
    const PublicAddress before = address;
    address.machine = row.uuid;
    commit(house, transaction, before, address, change_of_run(house, *now, address.address, true));
  }
  house.reporter.done(fmt::format("{} {} to {}", value, house.dry() ? "would lead" : "leads", who));
  return Exit::done;
}

Exit run_address_disassociate(const Parsed& args, House& house) {
  require_root(house);
  const PublicAddress asked = existing(house, args.word(0, "ADDRESS"));
  const std::string value = to_string(asked.address);
  settle(house, asked.machine);
  if (asked.machine) {
    if (!house.dry()) wait_for_others(house, *asked.machine, name_of(house, asked.machine));
  }
  Transaction transaction = house.registry().begin();
  PublicAddress address = existing(house, args.word(0, "ADDRESS"));
  const auto row = address.machine ? house.registry().machine(*address.machine) : std::nullopt;
  if (row) check_alone(house, row->uuid, to_string(row->name));
  if (row && !row->run) refuse_unknown_run(house, row->uuid, row->name);
  if (!house.dry()) {
    const PublicAddress before = address;
    address.machine.reset();
    commit(house, transaction, before, address,
           row ? change_of_run(house, *row, address.address, false) : std::nullopt);
  }
  house.reporter.done(fmt::format("{} {} nowhere", value, house.dry() ? "would lead" : "leads"));
  return Exit::done;
}

Exit run_address_release(const Parsed& args, House& house) {
  require_root(house);
  settle(house);
  Transaction transaction = house.registry().begin();
  const PublicAddress address = existing(house, args.word(0, "ADDRESS"));
  const std::string value = to_string(address.address);
  if (address.machine)
    throw Conflict(fmt::format("{} leads to {}; `nutshell address disassociate {}` frees it", value,
                               name_of(house, address.machine), value));
  if (!house.dry()) {
    transaction.allocator().release_value(address.pool, value);
    transaction.remove_address(address.address);
    commit_with_firewall(house, transaction);
  }
  house.reporter.done(fmt::format("{} {} given back", value, house.dry() ? "would be" : "is"));
  return Exit::done;
}

Exit run_address_ls(const Parsed&, House& house) {
  Json list = Json::array();
  std::string text;
  for (const PublicAddress& row : house.registry().addresses()) {
    const std::string machine = name_of(house, row.machine);
    list.push(Json::object({{"address", to_string(row.address)},
                            {"pool", row.pool},
                            {"cloud", row.cloud},
                            {"machine", machine.empty() ? Json() : Json(machine)},
                            {"since", row.since}}));
    text += fmt::format("{:<15}  {:<12}  {:<12}  {}\n", to_string(row.address), row.cloud, row.pool,
                        machine.empty() ? "-" : machine);
  }
  if (text.empty())
    text = "no cloud has a public address; `nutshell address allocate` takes one\n";
  else
    text =
        fmt::format("{:<15}  {:<12}  {:<12}  {}\n", "ADDRESS", "CLOUD", "POOL", "MACHINE") + text;
  house.reporter.answer(Json::object({{"addresses", list}}), text);
  return Exit::done;
}

}  // namespace nutshell
