// One file for all of them, written whole after each change, as firewall_kept.cpp does.
#include "app/reserved_kept.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/files.hpp"
#include "nutshell/error.hpp"

namespace nutshell {
namespace {

constexpr Bytes largest_file = 64 * mebi;

std::string file_of(const House& house) { return house.paths.state + "/reserved.json"; }

}  // namespace

void keep_reservations(House& house) {
  Json list = Json::array();
  for (const Lease& lease : house.registry().reservations())
    list.push(Json::object({{"pool", lease.pool}, {"value", lease.value}, {"note", lease.note}}));
  if (list.as_array().empty()) return host::drop_file(file_of(house));
  const std::string text = Json::object({{"reservations", list}}).dump(true) + "\n";
  if (host::read_file(file_of(house), largest_file) != text) host::write_file(file_of(house), text);
}

void follow_reservations(House& house) {
  if (host::file_exists(file_of(house))) keep_reservations(house);
}

std::vector<std::string> recover_reservations(House& house, std::vector<std::string>& failed) {
  std::vector<std::string> names;
  const auto text = host::read_file(file_of(house), largest_file);
  const auto json = text ? Json::try_parse(*text) : std::nullopt;
  const Json* list = json ? json->find("reservations") : nullptr;
  if (!list || !list->is_array()) return names;
  const std::vector<Lease> known = house.registry().reservations();
  for (const Json& one : list->as_array()) {
    Lease lease;
    lease.pool = one.text("pool");
    lease.value = one.text("value");
    lease.note = one.text("note");
    if (std::any_of(known.begin(), known.end(), [&](const Lease& each) {
          return each.pool == lease.pool && each.value == lease.value;
        }))
      continue;
    const std::string words = fmt::format("{} of pool {}", lease.value, lease.pool);
    try {
      if (!house.dry()) {
        Transaction transaction = house.registry().begin();
        transaction.reserve_again(lease);
        transaction.commit();
      }
      names.push_back(words);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      failed.push_back(fmt::format("the reservation of {}: {}", words, error.what()));
    }
  }
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
