// lease ls, lease reserve, lease release: who has what.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "app/cmd.hpp"
#include "app/lost.hpp"
#include "app/reserved_kept.hpp"
#include "app/settle.hpp"
#include "host/listen.hpp"

namespace nutshell {
namespace {

// A stranger's display that nobody holds any more: the mark is older than the truth.
bool is_past(const Lease& lease) {
  if (lease.foreign.empty() || lease.pool != "vnc") return false;
  const auto display = std::strtoul(lease.value.c_str() + 1, nullptr, 10);
  return host::port_holder(static_cast<std::uint16_t>(5900 + display)).empty();
}

std::string holder_of(const Lease& lease) {
  if (!lease.foreign.empty()) return "foreign: " + lease.foreign;
  if (!lease.machine.empty()) return to_string(MachineName{lease.cloud, lease.machine});
  if (!lease.cloud.empty()) return "the cloud " + lease.cloud;
  if (!lease.note.empty()) return "reserved: " + lease.note;
  return lease.holder.text.starts_with("network:") ? "network " + lease.holder.text.substr(8)
                                                   : "reserved";
}

// An empty list would be the answer to a typing mistake, too.
void check_pool(House& house, const std::string& wanted) {
  std::vector<std::string> names;
  for (const Registry::PoolState& pool : house.registry().pools()) names.push_back(pool.range.name);
  for (const NetworkRow& network : house.registry().networks())
    names.push_back("ipv4:" + network.name);
  for (const Lease& lease : house.registry().leases()) names.push_back(lease.pool);
  names.insert(names.end(), {"volume", "tap", "ipv4:bridge"});
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (std::find(names.begin(), names.end(), wanted) != names.end()) return;
  throw NotFound(
      fmt::format("there is no pool {}; there are {}", printable(wanted), fmt::join(names, ", ")));
}

}  // namespace

Exit run_lease_ls(const Parsed& args, House& house) {
  settle(house);
  const auto only = args.value("pool");
  if (only) check_pool(house, *only);
  JsonList list("leases");
  Table table{{"POOL", "VALUE", "HOLDER", "SINCE"}, {}};
  for (const Lease& lease : house.registry().leases()) {
    if (only && lease.pool != *only) continue;
    if (is_past(lease)) continue;
    if (!house.reporter.json()) {
      table.rows.push_back({lease.pool, lease.value, holder_of(lease), lease.since});
      continue;
    }
    list.push(Json::object({{"pool", lease.pool},
                            {"value", lease.value},
                            {"cloud", lease.cloud.empty() ? Json() : Json(lease.cloud)},
                            {"machine", lease.machine.empty() ? Json() : Json(lease.machine)},
                            {"since", lease.since},
                            {"foreign", lease.foreign.empty() ? Json() : Json(lease.foreign)},
                            {"note", lease.note.empty() ? Json() : Json(lease.note)}}));
  }
  if (table.rows.empty() && !house.reporter.json())
    house.reporter.note("nothing is leased");
  else
    house.reporter.answer(list, table);
  return Exit::done;
}

Exit run_lease_reserve(const Parsed& args, House& house) {
  const std::string& pool = args.word(0, "POOL");
  const std::string& value = args.word(1, "VALUE");
  Transaction transaction = house.registry().begin();
  Facts facts;  // of the host nothing: what other pools have given is looked at, and what was lost
  facts.seen = true;
  facts.ranges = lost_ranges(house);
  const auto other =
      transaction.allocator().obstacle(Uuid{}, {pool, 0, Lifetime::machine, value}, facts);
  for (const MachineSpec& spec : lost_machines(house))
    for (const NicSpec& nic : spec.nics)
      if (pool == "mac" && nic.mac && nic.mac == parse_mac(value))
        throw Conflict(
            fmt::format("{} is the MAC of {}, which the registry has lost; run `nutshell recover`",
                        printable(value), to_string(spec.name)));
  for (const Lease& lost : lost_reservations(house))
    if (lost.pool == pool && lost.value == value)
      throw Conflict(fmt::format(
          "{} of pool {} is reserved already, which the registry has lost; run `nutshell recover`",
          printable(value), pool));
  transaction.allocator().reserve(pool, value, args.value("note").value_or("by hand"));
  if (other && *other != "nutshell.toml")
    throw Conflict(
        fmt::format("{} of pool {} is given already: {} has it", printable(value), pool, *other));
  if (!house.dry()) {
    commit_with_reservations(house, transaction);
  }
  house.reporter.done(fmt::format("{} of pool {} is {}reserved; nobody is given it",
                                  printable(value), pool, house.dry() ? "free and would be " : ""));
  return Exit::done;
}

Exit run_lease_release(const Parsed& args, House& house) {
  const std::string& pool = args.word(0, "POOL");
  const std::string& value = args.word(1, "VALUE");
  Transaction transaction = house.registry().begin();
  const auto lease = transaction.allocator().who(pool, value);
  if (!lease)
    throw NotFound(fmt::format("{} of pool {} is not leased; `nutshell lease ls` lists what is",
                               printable(value), printable(pool)));
  if (!lease->machine.empty()) {
    const std::string owner = to_string(MachineName{lease->cloud, lease->machine});
    throw Conflict(fmt::format("{} belongs to the machine {}; it goes back with `nutshell {} {}`",
                               value, owner, lease->lifetime == Lifetime::run ? "stop" : "rm",
                               owner));
  }
  if (lease->holder.text.starts_with("network:"))
    throw Conflict(fmt::format("{} belongs to the network {}; it goes back with its last machine",
                               value, lease->holder.text.substr(8)));
  if (!lease->cloud.empty())
    throw Conflict(fmt::format(
        "{} is the cloud {}'s; it goes back with `nutshell {}`", value, lease->cloud,
        lease->lifetime == Lifetime::cloud ? fmt::format("down {} --purge", lease->cloud)
                                           : fmt::format("address release {}", value)));
  transaction.allocator().release_value(pool, value);
  if (!house.dry()) {
    commit_with_reservations(house, transaction);
  }
  house.reporter.done(
      fmt::format("{} of pool {} {}free again", value, pool, house.dry() ? "would be " : "is "));
  return Exit::done;
}

}  // namespace nutshell
