// Who does not answer before the adoption is not asked after it: a firewall that drops probes would
// undo every adoption.
#include "app/adopt.hpp"

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <chrono>
#include <sstream>

#include "app/adoption.hpp"
#include "app/interrupt.hpp"
#include "host/adoption.hpp"
#include "host/answers.hpp"
#include "host/dead_man.hpp"
#include "host/files.hpp"
#include "host/native_network.hpp"
#include "host/sysctl.hpp"
#include "host/unique_name.hpp"

namespace nutshell {
namespace {

constexpr auto answer_patience = std::chrono::milliseconds(400);
constexpr std::size_t most_gateways = 4;

std::string lines_of(const UplinkView& view) {
  std::string text;
  for (const LinkAddress& each : view.addresses) text += "  " + describe(each) + "\n";
  for (const LinkRoute& each : view.routes) text += "  " + describe(each) + "\n";
  for (const LinkRule& each : view.rules) text += "  " + describe(each) + "\n";
  return text;
}

/// Who is to go on answering: gateways, and whoever is logged in over that uplink.
std::vector<std::string> candidates(const House& house, const UplinkView& before) {
  std::vector<std::string> asked, addresses;
  for (const LinkRoute& route : before.routes)
    for (const RouteHop& hop : route.hops)
      if (hop.link == before.uplink && !hop.gateway.empty() && route.destination == "default")
        asked.push_back((hop.gateway.find(':') == std::string::npos ? "arp " : "nd ") +
                        hop.gateway);
  std::sort(asked.begin(), asked.end());
  asked.erase(std::unique(asked.begin(), asked.end()), asked.end());
  if (asked.size() > most_gateways) asked.resize(most_gateways);
  for (const LinkAddress& each : before.addresses)
    if (each.link == before.uplink) addresses.push_back(each.ip);
  std::istringstream words(house.ssh_connection);
  std::string client, client_port, server;
  if (words >> client >> client_port >> server &&
      std::find(addresses.begin(), addresses.end(), server) != addresses.end()) {
    asked.push_back("tcp " + client + " " + client_port);
    asked.push_back("echo " + client);
    return asked;
  }
  const auto peers = host::ssh_peers(addresses);
  asked.insert(asked.end(), peers.begin(), peers.end());
  return asked;
}

}  // namespace

std::vector<std::string> who_answers(const House& house, const UplinkView& before) {
  std::vector<std::string> asked;
  for (const std::string& each : candidates(house, before))
    if (host::answers(before.uplink, each, answer_patience)) asked.push_back(each);
  return asked;
}

// From here the way back hangs on the note and the dead-man; what fails goes back at once.
void change_guarded(House& house, Adoption& adoption, const UplinkView& want) {
  const std::string folder = adoptions_folder(house);
  host::write_adoption(folder, adoption);
  try {
    host::start_dead_man(folder, adoption);
  } catch (...) {
    host::drop_adoption(folder, adoption.before.bridge);  // nothing was changed
    throw;
  }
  try {
    host::change_network(host::names_of(adoption), want, [&](const NetworkOp& op) {
      check_interrupt();
      house.reporter.step(describe(op));
    });
    house.reporter.steps_over();
    if (!host::has_dead_man(folder, adoption)) throw Failed("its dead-man was killed");
    adoption.state = AdoptionState::waiting;
    host::write_adoption(folder, adoption);
  } catch (const std::exception& error) {
    const auto left = host::restore_adoption(folder, adoption, error.what());
    if (left.empty()) host::drop_adoption(folder, adoption.before.bridge);
    const bool stopped = dynamic_cast<const Interrupted*>(&error) != nullptr;
    if (stopped && left.empty()) throw;
    throw Error(left.empty() ? Exit::failed : Exit::left_behind,
                fmt::format("{}: {}; {}", adoption.before.bridge, error.what(),
                            left.empty() ? "everything was put back"
                                         : "not everything could be put back: " + left.front()));
  }
}

host::Lock lock_adoptions(House& house, std::chrono::milliseconds patience) {
  host::make_directories(adoptions_folder(house));
  host::Lock lock = host::Lock::exclusive(host::adoption_lock(adoptions_folder(house)), patience,
                                          "the adoptions of this host");
  host::drop_temporaries(adoptions_folder(house));
  return lock;
}

Adoption new_adoption(House& house, const UplinkView& before, unsigned timeout) {
  Adoption adoption;
  adoption.id = draw_uuid().text;
  adoption.boot_id = house.boot_id;
  adoption.network = host::network_namespace();
  adoption.taken = host::boot_milliseconds();
  adoption.timeout = timeout;
  adoption.deadline = adoption.taken + std::uint64_t{timeout} * 1000;
  adoption.before = before;
  adoption.uplink_index = static_cast<int>(::if_nametoindex(before.uplink.c_str()));
  adoption.mark = mark_of_bridge(house, before.bridge);
  for (const std::string& path : host::find_native(before.bridge))
    adoption.native.emplace_back(path, host::read_file(path).value_or(""));
  return adoption;
}

Adoption need_adoption(House& house, const std::string& bridge) {
  const auto adoption = host::read_adoption(adoptions_folder(house), bridge);
  if (!adoption)
    throw NotFound(
        fmt::format("{} has adopted nothing; `nutshell bridge ls` shows what there is", bridge));
  if (is_elsewhere(house, *adoption))
    throw Conflict(
        fmt::format("the adoption of {} by {} is in another network namespace; run the "
                    "command there",
                    adoption->before.uplink, bridge));
  return host::with_present_name(*adoption);
}

std::string why_not_adopted(const Adoption& adoption) {
  const UplinkView now = host::observe_uplink(host::names_of(adoption), &adoption.before);
  const std::string &bridge = now.bridge, &uplink = now.uplink;
  if (!now.bridge_there) return fmt::format("the bridge {} is gone", bridge);
  if (!now.uplink_there) return fmt::format("the uplink {} is gone", uplink);
  if (now.master != bridge) return fmt::format("{} is no port of {} any more", uplink, bridge);
  if (!now.bridge_up || !now.uplink_up)
    return fmt::format("{} is down", now.bridge_up ? uplink : bridge);
  bool any = false, had_any = false;
  for (const LinkAddress& want : adopted(adoption.before, adoption.mark).addresses) {
    if (want.link != bridge || want.is_link_local()) continue;
    const bool there =
        std::any_of(now.addresses.begin(), now.addresses.end(), [&](const LinkAddress& each) {
          return each.link == bridge && each.ip == want.ip && each.prefix == want.prefix;
        });
    had_any = true;
    any = any || there;
    if (!there && want.valid == forever)
      return fmt::format("{} has lost {}/{}", bridge, want.ip, want.prefix);
  }
  return had_any && !any ? fmt::format("{} has no address left", bridge) : "";
}

Exit show_plan(House& house, const UplinkView& before, const UplinkView& after,
               const Native& native) {
  Json plan = Json::array();
  std::string text = "before:\n" + lines_of(before) + "after:\n" + lines_of(after) + "messages:\n";
  for (const NetworkOp& op : plan_network(before, after)) {
    plan.push(Json::object({{"step", "netlink"}, {"description", describe(op)}}));
    text += "  " + describe(op) + "\n";
  }
  house.reporter.answer(Json::object({{"before", to_json(before)},
                                      {"after", to_json(after)},
                                      {"plan", plan},
                                      {"native", json_of(native)}}),
                        text + text_of(native));
  return Exit::done;
}

}  // namespace nutshell
