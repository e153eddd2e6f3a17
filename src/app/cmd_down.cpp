// down: machines stop in the reverse of the order that they were started in; with --purge all that
// the cloud has is given back.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "app/cloud_apply.hpp"
#include "app/cloud_seed.hpp"
#include "app/cloud_unit.hpp"
#include "app/cmd.hpp"
#include "app/firewall_kept.hpp"
#include "app/lost.hpp"
#include "app/machine_options.hpp"
#include "app/machine_state.hpp"
#include "app/network.hpp"
#include "app/reserved_kept.hpp"
#include "app/wait.hpp"

namespace nutshell {
namespace {

constexpr auto usual_patience = std::chrono::seconds(60);

struct Members {
  std::vector<std::string> all, alive, by_hand;
};

/// The cloud's machines, and those that were made in it by hand.
Members members_of(House& house, const CloudSpec& cloud) {
  Members members;
  for (const MachineRow& row : house.registry().machines()) {
    if (row.name.cloud != cloud.name) continue;
    if (!cloud.machine(row.name.name)) {
      members.by_hand.push_back(row.name.name);
      continue;
    }
    members.all.push_back(row.name.name);
    const Seen seen = look_at(house, row.uuid, row.run, row.last_end);
    if (seen.state == MachineState::running || seen.state == MachineState::paused)
      members.alive.push_back(row.name.name);
  }
  return members;
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t most = 8;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < most; ++i)
    text += (text.empty() ? "" : ", ") + names[i];
  if (names.size() > most) text += fmt::format(" and {} more", names.size() - most);
  return text;
}

std::string words_of_gift(House& house, const CloudSpec& cloud) {
  const CloudRanges ranges = ranges_of(house, cloud.name);
  std::string text;
  const auto add = [&](const std::string& words) { text += (text.empty() ? "" : ", ") + words; };
  if (!ranges.publics.empty()) add("the public range " + words_of_publics(ranges));
  if (ranges.subnet) add("the private subnet " + words_of_subnet(ranges));
  for (const CloudNetwork& network : cloud.networks)
    add("the network " + host_network(cloud.name, network.name));
  for (const CloudGroup& group : cloud.groups) add("the group " + group.name);
  return text;
}

Exit show_down(House& house, const CloudSpec& cloud, const Members& members, bool purge) {
  Json plan = Json::array();
  std::string text;
  const auto add = [&](const char* step, const std::string& words) {
    plan.push(Json::object({{"step", step}, {"description", words}}));
    text += words + "\n";
  };
  for (const std::string& name : members.alive) add("stop", fmt::format("stop {}", name));
  if (purge) {
    for (const std::string& name : members.all)
      add("remove", fmt::format("remove {} with its volumes", name));
    if (const std::string gift = words_of_gift(house, cloud); !gift.empty())
      add("give_back", "give back " + gift);
    add("forget", fmt::format("forget the cloud {}", cloud.name));
  }
  if (text.empty()) text = fmt::format("nothing to do: no machine of {} runs\n", cloud.name);
  house.reporter.answer(Json::object({{"plan", plan}}), text);
  return Exit::done;
}

/// What hands have put in the cloud would be without what it is made on.
void refuse_by_hand(const CloudSpec& cloud, const Members& members) {
  if (members.by_hand.empty()) return;
  throw Conflict(fmt::format(
      "the cloud {} has machines that were made by hand: {}; remove {} first with `nutshell rm`",
      cloud.name, listed(members.by_hand), members.by_hand.size() == 1 ? "it" : "them"));
}

void refuse_allocated(House& house, const std::string& cloud) {
  std::vector<std::string> addresses;
  for (const PublicAddress& one : house.registry().addresses())
    if (one.cloud == cloud) addresses.push_back(to_string(one.address));
  if (addresses.empty()) return;
  throw Conflict(
      fmt::format("the cloud {} has public addresses that were allocated: {}; give {} "
                  "back first with `nutshell address release`",
                  cloud, listed(addresses), addresses.size() == 1 ? "it" : "them"));
}

}  // namespace

namespace {

std::vector<NetworkRow> networks_of(House& house, const CloudSpec& cloud) {
  std::vector<NetworkRow> rows = house.registry().networks();
  std::erase_if(rows, [&](const NetworkRow& row) {
    return std::none_of(cloud.networks.begin(), cloud.networks.end(), [&](const auto& each) {
      return host_network(cloud.name, each.name) == row.name;
    });
  });
  return rows;
}

/// Machines of others on a network of the cloud's.
void refuse_strangers(House& house, const CloudSpec& cloud, const std::string& network) {
  for (const std::string& user : machines_on(house, network))
    if (!user.starts_with(cloud.name + "/"))
      throw Conflict(
          fmt::format("the network {} of the cloud is used by {}; take that NIC away "
                      "first with `nutshell set {} --drop-nic N`",
                      network, user, user));
}

void forget_rows(House& house, const CloudSpec& cloud, const std::vector<NetworkRow>& networks) {
  Transaction transaction = house.registry().begin();
  for (const NetworkRow& row : networks) {
    refuse_strangers(house, cloud, row.name);
    forget_network(transaction, row);
  }
  transaction.remove_cloud(cloud.name);
  keep_reservations(house, transaction);
  commit_with_firewall(house, transaction);  // without the groups that go, as the notes are
}

}  // namespace

// The notes go first: whoever is killed in between leaves a cloud that the next `down --purge`
// finds, and not one that `recover` would bring back.
void forget_cloud(House& house, const CloudSpec& cloud) {
  const std::vector<NetworkRow> networks = networks_of(house, cloud);
  drop_cloud_note(house, cloud.name);
  for (const NetworkRow& row : networks) drop_note(house, row.name);
  try {
    forget_rows(house, cloud, networks);
  } catch (const Error&) {
    note_cloud(house, cloud.name);
    for (const NetworkRow& row : networks) note_network(house, row);
    follow_firewall(house);
    throw;
  }
  for (const NetworkRow& row : networks) drop_network_lock(house, row.name);
}

Exit run_down(const Parsed& args, House& house) {
  const bool purge = args.has("purge");
  const auto patience = parse_timeout(args, usual_patience);
  CloudRow row = find_cloud(house, args.word(0, "CLOUD"));
  std::optional<host::Lock> lock;
  if (!house.dry()) {
    lock = lock_cloud(house, row.name);
    settle_cloud(house, row.name);
    row = find_cloud(house, row.name);  // by its name: its file may be another's by now
  }
  refuse_lost_part(house, row.name);
  const CloudSpec cloud = spec_of(row);
  const Members members = members_of(house, cloud);
  if (purge) {
    refuse_later_firewall(house);
    refuse_later_reservations(house);
    refuse_by_hand(cloud, members);
    refuse_allocated(house, cloud.name);
    for (const NetworkRow& network : networks_of(house, cloud)) {
      refuse_strangers(house, cloud, network.name);
      refuse_reserved(house, network.name);
    }
  }
  if (house.dry()) return show_down(house, cloud, members, purge);
  if (purge && cloud.autostart) drop_autostart(house, cloud.name);
  if (!members.alive.empty())
    throw_failures(cloud.name,
                   stop_machines(house, cloud, members.alive,
                                 args.has("force") ? Stopping::insist : Stopping::orderly,
                                 static_cast<unsigned>(patience.count())),
                   args.has("force") ? "did not stop"
                                     : "did not stop (--force kills what does not power off)");
  // From here none of its machines runs.
  std::string sentence = members.alive.empty() ? fmt::format("no machine of {} runs", cloud.name)
                                               : fmt::format("{} is down; stopped: {}", cloud.name,
                                                             listed(members.alive));
  if (purge) {
    if (!members.all.empty())
      throw_failures(cloud.name, remove_machines(house, cloud.name, members.all),
                     "could not be removed");
    const std::string gift = words_of_gift(house, cloud);
    forget_cloud(house, cloud);
    // From here nothing of it is left but its file.
    sentence = fmt::format("{} is gone{}{}", cloud.name,
                           members.all.empty() ? "" : "; removed: " + listed(members.all),
                           gift.empty() ? "" : "; free again: " + gift);
  }
  house.reporter.done(sentence);
  return Exit::done;
}

}  // namespace nutshell
