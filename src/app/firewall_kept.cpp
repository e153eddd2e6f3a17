// One file for all of them, written whole after each change: they are few, and change seldom.
#include "app/firewall_kept.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "app/guard.hpp"
#include "host/files.hpp"
#include "host/tool.hpp"
#include "nutshell/error.hpp"

namespace nutshell {
namespace {

std::string file_of(const House& house) { return house.paths.state + "/firewall.json"; }

Json json_of(const GroupRow& group) {
  Json rules = Json::array();
  for (const GroupRule& rule : group.rules)
    rules.push(Json::object({{"protocol", rule.protocol},
                             {"low", rule.low},
                             {"high", rule.high},
                             {"from", rule.from},
                             {"from_group", rule.from_group}}));
  return Json::object({{"cloud", group.cloud},
                       {"name", group.name},
                       {"description", group.description},
                       {"rules", rules}});
}

GroupRow group_of(const Json& json) {
  GroupRow group{json.text("cloud"), json.text("name"), json.text("description"), {}};
  for (const Json& rule : json.at("rules").as_array())
    group.rules.push_back({rule.text("protocol"), static_cast<unsigned>(rule.integer("low")),
                           static_cast<unsigned>(rule.integer("high")), rule.text("from"),
                           rule.text("from_group")});
  return group;
}

constexpr Bytes largest_file = 64 * mebi;

std::vector<Json> kept(const House& house, const char* what) {
  const auto text = host::read_file(file_of(house), largest_file);
  const auto json = text ? Json::try_parse(*text) : std::nullopt;
  const Json* list = json ? json->find(what) : nullptr;
  return list && list->is_array() ? list->as_array() : std::vector<Json>{};
}

}  // namespace

void keep_firewall(House& house) {
  Json groups = Json::array(), addresses = Json::array();
  for (const GroupRow& group : house.registry().groups()) groups.push(json_of(group));
  for (const PublicAddress& one : house.registry().addresses())
    addresses.push(Json::object({{"address", to_string(one.address)},
                                 {"pool", one.pool},
                                 {"cloud", one.cloud},
                                 {"machine", one.machine ? one.machine->text : ""},
                                 {"since", one.since}}));
  if (groups.as_array().empty() && addresses.as_array().empty()) {
    host::drop_file(file_of(house));
    return;
  }
  const std::string text =
      Json::object({{"groups", groups}, {"addresses", addresses}}).dump(true) + "\n";
  if (host::read_file(file_of(house), largest_file) != text) host::write_file(file_of(house), text);
}

namespace {

/// Each by itself: what cannot be put back is named in `failed`.
void put_back(House& house, const std::string& what, std::vector<std::string>& names,
              std::vector<std::string>& failed,
              const std::function<void(Transaction& transaction)>& put) {
  try {
    if (!house.dry()) {
      Transaction transaction = house.registry().begin();
      put(transaction);
      transaction.commit();
    }
    names.push_back(what);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    failed.push_back(fmt::format("{}: {}", what, error.what()));
  }
}

}  // namespace

std::vector<std::string> recover_groups(House& house, std::vector<std::string>& failed) {
  std::vector<std::string> names;
  const Groups known = groups_of(house.registry().groups());
  for (const Json& json : kept(house, "groups")) {
    const GroupRow group = group_of(json);
    if (known.contains({group.cloud, group.name})) continue;
    put_back(house, to_string(MachineName{group.cloud, group.name}), names, failed,
             [&](Transaction& transaction) { transaction.put_group(group); });
  }
  return names;
}

std::vector<std::string> recover_addresses(House& house, std::vector<std::string>& failed) {
  std::vector<std::string> names;
  const auto known = house.registry().addresses();
  for (const Json& json : kept(house, "addresses")) {
    const auto address = parse_ipv4(json.text("address"));
    if (!address || std::any_of(known.begin(), known.end(),
                                [&](const PublicAddress& one) { return one.address == *address; }))
      continue;
    PublicAddress row{*address, json.text("pool"), json.text("cloud"), std::nullopt,
                      json.text("since")};
    const Uuid machine{json.text("machine")};
    if (house.registry().machine(machine)) row.machine = machine;
    put_back(house, to_string(*address), names, failed, [&](Transaction& transaction) {
      const Want want{row.pool, 0, Lifetime::machine, to_string(*address)};
      transaction.take_again(Uuid{"cloud:" + row.cloud}, {want});
      transaction.put_address(row);
    });
  }
  return names;
}

void recover_guests(House& house) {
  bool any = false;
  for (const MachineRow& row : house.registry().machines()) {
    if (!row.run) continue;
    const std::string guests = guests_to_json(guests_of(house, row.spec, row.run->taps));
    any = any || !guests.empty();
    if (guests == row.run->guests) continue;
    Transaction transaction = house.registry().begin();
    transaction.change_guests(row.uuid, guests);
    transaction.commit();
  }
  if (any && house.root && host::find_program("nft")) restore_guests(house);
}

}  // namespace nutshell
