// bridge adopt, confirm: an uplink's addresses move to a bridge. Read
// run_bridge_adopt from top to bottom: the way back is on the disk and in a process of its own
// before the first change.
#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>

#include "app/adopt.hpp"
#include "app/adoption.hpp"
#include "app/bridge_options.hpp"
#include "app/cmd.hpp"
#include "app/start.hpp"
#include "host/adoption.hpp"
#include "host/bridge.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/native_network.hpp"
#include "host/observe.hpp"
#include "nutshell/facts.hpp"

namespace nutshell {
namespace {

/// A timer of a bridge, in seconds, where it is not what the kernel gives by itself.
std::optional<unsigned> unless(double value, unsigned usual) {
  const auto seconds = static_cast<unsigned>(value);
  return seconds == usual ? std::nullopt : std::optional(seconds);
}

constexpr auto lock_patience = std::chrono::seconds(2), confirm_patience = std::chrono::seconds(10);

/// With what `bridge create` was told of a bridge that is there already.
NativeBridge native_bridge_of(const UplinkView& view) {
  NativeBridge bridge = native_bridge(view);
  for (const host::BridgeFact& each : host::list_bridges()) {
    if (each.name != view.bridge) continue;
    bridge.vlan_filtering = each.vlan_filtering;
    bridge.forward_delay = unless(each.forward_delay, 15);
    bridge.hello = unless(each.hello, 2);
    bridge.max_age = unless(each.max_age, 20);
  }
  return bridge;
}

void check_bridge(House& house, const AdoptOptions& options) {
  const Facts facts = observe_parts(house, host::part::links);
  const LinkFact* link = facts.link(options.bridge);
  if (!link) return;
  if (link->kind != "bridge")
    throw Conflict(fmt::format("{} is there already, and no bridge{}; choose another name",
                               options.bridge, link->kind.empty() ? "" : " but a " + link->kind));
  const auto note = read_bridge_note(house, options.bridge);
  if (!is_our_bridge(house, options.bridge, link->alias, to_string(link->mac)))
    throw Conflict(
        fmt::format("the bridge {} is there already and is not nutshell's (it carries no "
                    "mark of this registry), so it is left alone; choose another name",
                    options.bridge));
  if (note && note->isolated)
    throw Conflict(
        fmt::format("the bridge {} is isolated, and an uplink would end that; choose "
                    "another bridge",
                    options.bridge));
}

/// Throws where an adoption is in the way: of this bridge, or any that waits.
void check_adoptions(House& house, const std::string& bridge) {
  std::vector<std::string> trouble;
  for (const Adoption& each : host::read_adoptions(adoptions_folder(house), trouble)) {
    if (is_elsewhere(house, each)) continue;
    if (each.state == AdoptionState::restored) {
      if (each.before.bridge == bridge && !each.left.empty())
        throw Conflict(words_of_restored(each));
      continue;
    }
    if (each.state == AdoptionState::confirmed && each.before.bridge != bridge) continue;
    if (each.state == AdoptionState::confirmed)
      throw Conflict(
          fmt::format("{} has the addresses of {} already; `nutshell bridge release {}` "
                      "gives them back",
                      bridge, each.before.uplink, bridge));
    throw Conflict(
        fmt::format("the adoption of {} by {} waits for its `nutshell bridge confirm {}`",
                    each.before.uplink, each.before.bridge, each.before.bridge));
  }
  if (!trouble.empty()) throw Failed(trouble.front());
}

/// Refuses, with the native configuration as the answer, unless --force.
void check_owners(House& house, const AdoptOptions& options, const UplinkView& after,
                  const std::vector<host::UplinkOwner>& owners) {
  for (const host::UplinkOwner& owner : owners) {
    const std::string what =
        owner.service ? "it may put the addresses back on the uplink at any time"
                      : "the lease would go on being renewed on the uplink, and not on the bridge";
    if (options.force) {
      house.reporter.warn(fmt::format("{}: {}; {}", options.uplink, owner.words, what));
      continue;
    }
    if (const auto service = host::service_in_charge(owners)) {
      const Native native = native_of(native_bridge_of(after), *service);
      house.reporter.answer(Json::object({{"native", json_of(native)}}), text_of(native));
    }
    throw Conflict(fmt::format(
        "{}: {}, and {}; let it make the bridge{}, or give --force", options.uplink, owner.words,
        what, host::service_in_charge(owners) ? " (its configuration is above)" : ""));
  }
}

/// The name that the kernel has for a link that was named by an alternative name (enp0s1).
std::string real_name(const std::string& name) {
  char real[IF_NAMESIZE];
  const unsigned index = ::if_nametoindex(name.c_str());
  return index != 0 && ::if_indextoname(index, real) != nullptr ? real : name;
}

}  // namespace

Exit run_bridge_adopt(const Parsed& args, House& house) {
  AdoptOptions options = parse_adopt(args);
  need_root(house, "bridge adopt");
  options.uplink = real_name(options.uplink);
  host::check_uplink(options.uplink);
  check_bridge(house, options);
  check_adoptions(house, options.bridge);

  const std::string mark = mark_of_bridge(house, options.bridge);
  UplinkView before = host::observe_uplink({options.uplink, options.bridge, mark, ""});
  UplinkView after = adopted(before, mark);
  after.bridge_stp = options.stp || before.bridge_stp;
  const auto owners = host::uplink_owners(before);
  check_owners(house, options, after, owners);
  Native native;
  if (options.persist) {
    native = native_of(native_bridge_of(after), need_service(owners));
    host::check_native(native.files, options.bridge);
  }
  if (house.dry()) return show_plan(house, before, after, native);

  const host::Lock lock = lock_adoptions(house, lock_patience);
  host::check_uplink(options.uplink);  // again: from here nobody else adopts
  check_adoptions(house, options.bridge);
  if (options.persist) house.reporter.note(text_of(native));
  before = host::observe_uplink({options.uplink, options.bridge, mark, ""});
  after = adopted(before, mark);
  after.bridge_stp = options.stp || before.bridge_stp;
  Adoption adoption = new_adoption(house, before, options.timeout);
  adoption.persist = options.persist;
  adoption.asked = who_answers(house, before);
  adoption.taken = host::boot_milliseconds();
  adoption.deadline = adoption.taken + std::uint64_t{options.timeout} * 1000;
  change_guarded(house, adoption, after);

  std::string watched;
  for (const std::string& each : adoption.asked)
    watched += (watched.empty() ? "" : ", ") + each.substr(each.find(' ') + 1);
  house.reporter.note(
      fmt::format("{} {}",
                  watched.empty() ? "nobody is asked for an answer:"
                                  : "it is put back at once if one of these "
                                    "stops answering:",
                  watched.empty() ? "no gateway and no peer answered before" : watched));
  house.reporter.done(fmt::format(
      "{} has the addresses of {}; run `nutshell bridge confirm {}` within {} s, or everything is "
      "put back{}",
      options.bridge, options.uplink, options.bridge, options.timeout,
      options.persist ? "" : " (without --persist it is gone when this host restarts)"));
  return Exit::done;
}

Exit run_bridge_confirm(const Parsed& args, House& house) {
  const std::string& bridge = args.word(0, "BRIDGE");
  check_bridge_name(bridge);
  need_root(house, "bridge confirm");
  if (!host::file_exists(adoptions_folder(house))) need_adoption(house, bridge);
  std::optional<host::Lock> lock;
  if (!house.dry()) lock = lock_adoptions(house, confirm_patience);
  Adoption adoption = need_adoption(house, bridge);
  const std::string& uplink = adoption.before.uplink;
  if (adoption.state == AdoptionState::restored)
    throw Conflict("too late: " + words_of_restored(adoption));
  if (adoption.state == AdoptionState::confirmed)
    throw Conflict(fmt::format("the adoption of {} by {} is confirmed already", uplink, bridge));
  if (adoption.state == AdoptionState::begun || host::boot_milliseconds() >= adoption.deadline)
    throw Conflict(
        fmt::format("too late: the adoption of {} by {} is being put back", uplink, bridge));
  if (const std::string why = why_not_adopted(adoption); !why.empty())
    throw Conflict(fmt::format(
        "{0}, so there is nothing to confirm; what {1} had is put back at the end of its time, or "
        "at once by `nutshell bridge release {2}`",
        why, uplink, bridge));
  Native native;
  if (adoption.persist) {
    const UplinkView now = host::observe_uplink(host::names_of(adoption));
    native = native_of(native_bridge_of(now), need_service(host::uplink_owners(now)));
    host::check_native(native.files, bridge);
  }
  if (!house.dry()) {
    host::write_native(native.files, bridge);  // whoever puts back takes these away again
    adoption.state = AdoptionState::confirmed;
    host::write_adoption(adoptions_folder(house), adoption);
  }
  for (const std::string& command : native.commands)
    house.reporter.note("to keep it, run: " + command);
  house.reporter.done(fmt::format("the adoption of {} by {} {}{}", uplink, bridge,
                                  house.dry() ? "would be confirmed" : "is confirmed",
                                  adoption.persist ? "" : "; it is gone when this host restarts"));
  return Exit::done;
}

}  // namespace nutshell
