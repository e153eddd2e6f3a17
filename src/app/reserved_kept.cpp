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

}  // namespace

void keep_reservations(House& house) {
  KeptList list{"reservations", {"pool", "value"}, {}};
  for (const Lease& lease : house.registry().reservations())
    list.entries.push_back(
        Json::object({{"pool", lease.pool}, {"value", lease.value}, {"note", lease.note}}));
  keep_lists(house, file_of(house), {list});
}

void follow_reservations(House& house) {
  if (host::file_exists(file_of(house))) keep_reservations(house);
}

std::vector<std::string> recover_reservations(House& house, std::vector<std::string>& failed) {
  std::vector<std::string> names;
  const std::vector<Lease> known = house.registry().reservations();
  std::vector<std::string> faults;
  for (const Json& one : kept_list(file_of(house), "reservations", faults)) {
    Lease lease;
    lease.pool = one.text("pool");
    lease.value = one.text("value");
    lease.note = one.text("note");
    if (std::any_of(known.begin(), known.end(), [&](const Lease& each) {
          return each.pool == lease.pool && each.value == lease.value;
        }))
      continue;
    const std::string words = fmt::format("{} of pool {}", lease.value, lease.pool);
    put_back_entry(house, "reservation", words, names, failed,
                   [&](Transaction& transaction) { transaction.reserve_again(lease); });
  }
  failed.insert(failed.end(), faults.begin(), faults.end());
  if (faults.empty() && !house.dry()) keep_reservations(house);  // this registry's word from here
  return names;
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
