// One file for all of them, written whole after each change: they are few, and change seldom.
#include "app/firewall_kept.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/guard.hpp"
#include "app/kept_lists.hpp"
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

/// Without its machine, which has to be found first.
std::optional<PublicAddress> address_of(const Json& json) {
  const auto address = parse_ipv4(json.text("address"));
  if (!address) return std::nullopt;
  return PublicAddress{*address, json.text("pool"), json.text("cloud"), std::nullopt,
                       json.text("since")};
}

bool is_among(const std::vector<PublicAddress>& known, Ipv4 address) {
  return std::any_of(known.begin(), known.end(),
                     [&](const PublicAddress& one) { return one.address == address; });
}

std::vector<KeptList> lists_of(House& house) {
  KeptList groups{"groups", {"cloud", "name"}, {}}, addresses{"addresses", {"address"}, {}};
  for (const GroupRow& group : house.registry().groups()) groups.entries.push_back(json_of(group));
  for (const PublicAddress& one : house.registry().addresses())
    addresses.entries.push_back(Json::object({{"address", to_string(one.address)},
                                              {"pool", one.pool},
                                              {"cloud", one.cloud},
                                              {"machine", one.machine ? one.machine->text : ""},
                                              {"since", one.since}}));
  return {groups, addresses};
}

}  // namespace

void keep_firewall(House& house, Transaction& transaction) {
  keep_lists(house, transaction, file_of(house), lists_of);
}

void commit_with_firewall(House& house, Transaction& transaction) {
  keep_firewall(house, transaction);
  transaction.commit();
  number_lists(house, file_of(house), lists_of);
}

void follow_firewall(House& house) { follow_lists(house, file_of(house), lists_of); }

bool firewall_is_of_later_day(House& house) { return is_of_later_day(house, file_of(house)); }
void refuse_later_firewall(House& house) { refuse_later_day(house, file_of(house)); }

std::vector<std::string> recover_groups(House& house, std::vector<std::string>& failed) {
  std::vector<std::string> names;
  const std::vector<GroupRow> known = house.registry().groups();
  const bool later = firewall_is_of_later_day(house);
  for (const Json& json : kept_list(file_of(house), "groups", failed)) {
    const GroupRow group = group_of(json);
    if (std::any_of(known.begin(), known.end(), [&](const GroupRow& row) {
          return row.cloud == group.cloud && row.name == group.name && (!later || row == group);
        }))
      continue;
    put_back_entry(house, "security group", to_string(MachineName{group.cloud, group.name}), names,
                   failed, [&](Transaction& transaction) { transaction.put_group(group); });
  }
  return names;
}

std::vector<std::string> recover_addresses(House& house, std::vector<std::string>& failed) {
  std::vector<std::string> names;
  const auto known = house.registry().addresses();
  const bool later = firewall_is_of_later_day(house);
  std::vector<std::string> faults;  // told with the groups, which come first
  for (const Json& json : kept_list(file_of(house), "addresses", faults)) {
    const auto lost = address_of(json);
    if (!lost || (!later && is_among(known, lost->address))) continue;
    PublicAddress row = *lost;
    const Uuid machine{json.text("machine")};
    if (house.registry().machine(machine)) row.machine = machine;
    if (std::find(known.begin(), known.end(), row) != known.end()) continue;
    put_back_entry(house, "public address", to_string(row.address), names, failed,
                   [&](Transaction& transaction) {
                     const Want want{row.pool, 0, Lifetime::machine, to_string(row.address)};
                     if (!is_among(known, row.address))
                       transaction.take_again(Uuid{"cloud:" + row.cloud}, {want});
                     transaction.put_address(row);
                   });
  }
  if (faults.empty() && !house.dry()) replace_lists(house, file_of(house), lists_of);
  return names;
}

bool is_lost_group(House& house, const std::string& cloud, const std::string& name) {
  const std::vector<Json> lost = lost_list(house, file_of(house), "groups");
  return std::any_of(lost.begin(), lost.end(), [&](const Json& one) {
    return one.text("cloud") == cloud && one.text("name") == name;
  });
}

std::vector<PublicAddress> lost_addresses(House& house) {
  std::vector<PublicAddress> lost;
  for (const Json& json : lost_list(house, file_of(house), "addresses"))
    if (const auto row = address_of(json)) lost.push_back(*row);
  if (lost.empty()) return lost;
  const auto known = house.registry().addresses();
  std::erase_if(lost, [&](const PublicAddress& row) { return is_among(known, row.address); });
  return lost;
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
