// One file for all of them, written whole after each change, as firewall_kept.cpp does.
#include "app/reserved_kept.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/kept_lists.hpp"
#include "host/files.hpp"
#include "nutshell/error.hpp"

namespace nutshell {
namespace {

std::string file_of(const House& house) { return house.paths.state + "/reserved.json"; }

Lease lease_of(const Json& entry) {
  Lease lease;
  lease.pool = entry.text("pool");
  lease.value = entry.text("value");
  lease.note = entry.text("note");
  return lease;
}

bool is_among(const std::vector<Lease>& known, const Lease& lease) {
  return std::any_of(known.begin(), known.end(), [&](const Lease& each) {
    return each.pool == lease.pool && each.value == lease.value;
  });
}

std::vector<KeptList> lists_of(House& house) {
  KeptList list{"reservations", {"pool", "value"}, {}};
  for (const Lease& lease : house.registry().reservations())
    list.entries.push_back(
        Json::object({{"pool", lease.pool}, {"value", lease.value}, {"note", lease.note}}));
  return {list};
}

}  // namespace

void keep_reservations(House& house, Transaction& transaction) {
  keep_lists(house, transaction, file_of(house), lists_of);
}

void commit_with_reservations(House& house, Transaction& transaction) {
  keep_reservations(house, transaction);
  transaction.commit();
  number_lists(house, file_of(house), lists_of);
}

void follow_reservations(House& house) { follow_lists(house, file_of(house), lists_of); }
void refuse_later_reservations(House& house) { refuse_later_day(house, file_of(house)); }

std::vector<std::string> recover_reservations(House& house, std::vector<std::string>& failed) {
  std::vector<std::string> names;
  const std::vector<Lease> known = house.registry().reservations();
  std::vector<std::string> faults;
  for (const Json& one : kept_list(file_of(house), "reservations", faults)) {
    const Lease lease = lease_of(one);
    if (is_among(known, lease)) continue;
    const std::string words = fmt::format("{} of pool {}", lease.value, lease.pool);
    put_back_entry(house, "reservation", words, names, failed,
                   [&](Transaction& transaction) { transaction.reserve_again(lease); });
  }
  failed.insert(failed.end(), faults.begin(), faults.end());
  if (faults.empty() && !house.dry()) replace_lists(house, file_of(house), lists_of);
  return names;
}

std::vector<Lease> lost_reservations(House& house) {
  std::vector<Lease> lost;
  for (const Json& one : lost_list(house, file_of(house), "reservations"))
    lost.push_back(lease_of(one));
  if (lost.empty()) return lost;
  const std::vector<Lease> known = house.registry().reservations();
  std::erase_if(lost, [&](const Lease& lease) { return is_among(known, lease); });
  return lost;
}

void refuse_reserved(House& house, const std::string& network) {
  const std::string pool = "ipv4:" + network;
  for (const Lease& lease : house.registry().leases_in(pool))
    if (lease.holder.text.empty() && lease.foreign.empty())
      throw Conflict(fmt::format(
          "the network {} has {} reserved by hand{}; give it back first with `nutshell lease "
          "release {} {}`",
          network, lease.value, lease.note.empty() ? "" : " (" + printable(lease.note) + ")", pool,
          lease.value));
}

}  // namespace nutshell
