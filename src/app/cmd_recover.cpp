// recover: a registry that is lost, broken or behind is made anew from what proves itself: the
// specs beside the disks, the locks, the QEMUs that hold them, the marks on their taps. It adds
// what is missing and takes nothing away.
#include <fmt/format.h>

#include <cstdio>

#include "app/cloud_file.hpp"
#include "app/cloud_recover.hpp"
#include "app/cmd.hpp"
#include "app/firewall_kept.hpp"
#include "app/network.hpp"
#include "app/recover_machines.hpp"
#include "app/reserved_kept.hpp"
#include "app/settle.hpp"
#include "app/start.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/observe.hpp"
#include "nutshell/registry_check.hpp"

namespace nutshell {
namespace {

/// Of two at once, the second finds what the first has not found.
host::Lock lock_recovery(const House& house) {
  constexpr auto patience = std::chrono::seconds(60);
  host::make_directories(house.paths.state);
  return host::Lock::exclusive(house.paths.state + "/registry.recovering", patience,
                               "the recovery of the registry");
}

/// Throws when any of it is damaged, also what no query of this command would meet.
void open_whole(House& house) {
  Registry& registry = house.registry();
  check_registry(house.paths.registry());
  // What only we can read.
  static_cast<void>(registry.machines());
  static_cast<void>(registry.unfinished());
  for (const CloudRow& row : registry.clouds()) static_cast<void>(spec_of(row));
}

/// A name beside the registry that nothing has, also when two were broken in one second.
std::string name_aside(const House& house) {
  const std::string first = fmt::format("{}.broken-{}", house.paths.registry(), now_utc());
  std::string aside = first;
  for (int i = 2; host::file_exists(aside); ++i) aside = fmt::format("{}.{}", first, i);
  return aside;
}

/// With its log. What is in the way goes; where there is nothing to move, nothing is done.
void move_registry(const std::string& from, const std::string& to) {
  if (!host::file_exists(from)) return;
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::remove((to + suffix).c_str());
    std::rename((from + suffix).c_str(), (to + suffix).c_str());
  }
}

// A registry that cannot be opened, or not be read, is put aside, never deleted.
std::string open_or_put_aside(House& house) {
  house.access = Access::change;
  try {
    open_whole(house);
    return "";
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    if (error.exit() == Exit::conflict) throw;  // locked, or of a newer version: it is not broken
    if (house.dry() || !host::read_file(house.paths.registry(), ~Bytes{0} >> 1)) throw;
    house.look_anew();
    const std::string aside = name_aside(house);
    move_registry(house.paths.registry(), aside);
    try {
      house.registry();
    } catch (...) {  // a full disk, say: it may be that which the old one suffered from
      house.look_anew();
      move_registry(aside, house.paths.registry());
      throw;
    }
    return fmt::format("the old registry ({}) is kept as {}\n", error.what(), aside);
  }
}

/// Networks that were made by hand come back although no machine is on them.
void recover_networks(House& house, std::string& text, std::vector<std::string>& failed) {
  for (const std::string& name : lost_networks(house, failed)) {
    try {
      if (!house.dry()) {
        Transaction transaction = house.registry().begin();
        restore_network(house, transaction, name);
        transaction.commit();
      }
      text +=
          fmt::format("{}network {}\n", house.dry() ? "would find again: " : "found again: ", name);
    } catch (const Error& error) {
      failed.push_back(fmt::format("network {}: {}", name, error.what()));
    }
  }
}

/// Groups before the machines that are in them, addresses after those that they lead to.
void recover_parts(House& house, std::string& text, std::vector<std::string>& failed,
                   const std::string& what,
                   std::vector<std::string> (*put_back)(House&, std::vector<std::string>&)) {
  try {
    for (const std::string& name : put_back(house, failed))
      text += fmt::format("{}{} {}\n", house.dry() ? "would find again: " : "found again: ", what,
                          name);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    failed.push_back(fmt::format("{}: {}", what, error.what()));
  }
}

/// Rules of machines that run, as the registry knows them now.
std::vector<std::string> put_rules_in(House& house, std::vector<std::string>&) {
  if (!house.dry()) recover_guests(house);
  return {};
}

}  // namespace

Exit run_recover(const Parsed&, House& house) {
  std::optional<host::Lock> alone;
  if (!house.dry()) alone = lock_recovery(house);
  std::string text = open_or_put_aside(house);
  settle(house);
  const Facts facts = observe_parts(house, host::part::links);
  std::vector<std::string> failed;
  Json list = Json::array();
  recover_parts(house, text, failed, "cloud", recover_clouds);
  recover_networks(house, text, failed);
  recover_parts(house, text, failed, "security group", recover_groups);
  for (const std::string& name : recover_runs(house, facts, failed))
    text += fmt::format("{}{}\n", house.dry() ? "would find again: " : "found again: ", name);
  for (const FoundMachine& found : find_lost_machines(house, facts, failed)) {
    const std::string who = to_string(found.spec.name);
    try {
      if (!house.dry()) add_again(house, found);
      list.push(Json::object({{"name", found.spec.name.name},
                              {"cloud", found.spec.name.cloud},
                              {"uuid", found.spec.uuid.text},
                              {"running", found.run.has_value()}}));
      text += fmt::format("{}{}{}\n", house.dry() ? "would find again: " : "found again: ", who,
                          found.run ? fmt::format(", running (pid {})", found.run->pid) : "");
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      failed.push_back(fmt::format("{}: {}", who, error.what()));
    }
  }
  try {
    if (house.root && !house.dry()) follow_running_networks(house);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    failed.push_back(fmt::format("the rules of the networks: {}", error.what()));
  }
  recover_parts(house, text, failed, "public address", recover_addresses);
  recover_parts(house, text, failed, "reservation", recover_reservations);
  recover_parts(house, text, failed, "firewall rules", put_rules_in);
  if (text.empty()) text = "the registry knows every machine that has its spec beside its disks\n";
  house.reporter.answer(Json::object({{"recovered", list}}), text);
  if (failed.empty()) return Exit::done;
  std::string sentence = "not everything could be recovered:";
  for (const std::string& words : failed) sentence += "\n  " + words;
  throw Error(Exit::left_behind, sentence);
}

}  // namespace nutshell
