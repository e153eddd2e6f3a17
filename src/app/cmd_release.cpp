// bridge release: an uplink gets back what its bridge has.
#include <fmt/format.h>

#include <thread>

#include "app/adopt.hpp"
#include "app/adoption.hpp"
#include "app/bridge_checks.hpp"
#include "app/cmd.hpp"
#include "host/adoption.hpp"
#include "host/dead_man.hpp"
#include "host/files.hpp"
#include "host/native_network.hpp"

namespace nutshell {
namespace {

constexpr auto lock_patience = std::chrono::seconds(10);
constexpr unsigned release_timeout = 60;

[[noreturn]] void tell_left(const std::string& bridge, const std::vector<std::string>& left) {
  std::string all;
  for (const std::string& each : left) all += (all.empty() ? "" : "; ") + each;
  throw Error(Exit::left_behind,
              fmt::format("{0}: not everything could be given back: {1}; `nutshell bridge release "
                          "{0}` tries again, with --force it forgets the rest",
                          bridge, all));
}

/// The way back is guarded as the way in was: cut short, it is brought to its end. What cannot be
/// done stays in the note, so that it can be tried again.
void give_back(House& house, const Adoption& old, const UplinkView& want) {
  const std::string folder = adoptions_folder(house);
  Adoption way = new_adoption(house, want, release_timeout);
  way.uplink_index = old.uplink_index;
  way.persist = old.persist;  // whoever brings it to its end takes the files away, too
  way.native = old.native;
  host::write_adoption(folder, way);
  std::vector<std::string> left;
  try {
    for (int attempt = 0; attempt < 50 && host::has_dead_man(folder, old); ++attempt)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the old one sees the new note
    host::start_dead_man(folder, way);
    left = host::restore_adoption(folder, way, "released");
  } catch (...) {
    host::write_adoption(folder, old);
    throw;
  }
  if (!left.empty()) tell_left(old.before.bridge, left);
}

/// Of an adoption that was put back already: what could not be is tried again, and the note goes.
Exit clear_note(House& house, const Adoption& old, bool forget) {
  const std::string& bridge = old.before.bridge;
  std::vector<std::string> left;
  if (!house.dry()) {
    if (!old.left.empty()) left = host::restore_adoption(adoptions_folder(house), old, old.reason);
    if (!left.empty() && !forget) tell_left(bridge, left);
    host::drop_adoption(adoptions_folder(house), bridge);
  }
  for (const std::string& each : left) house.reporter.warn("forgotten: " + each);
  house.reporter.done(fmt::format("{} was put back before ({}); nothing is left to release",
                                  old.before.uplink, old.reason));
  return Exit::done;
}

void check_ports(House& house, const UplinkView& now) {
  if (now.other_ports.empty()) return;
  std::string machines;
  for (const Placed& each : placed_taps(house))
    if (each.bridge == now.bridge) machines += (machines.empty() ? "" : ", ") + each.machine;
  const bool one = now.other_ports.size() == 1;
  throw Conflict(
      fmt::format("{} {} on the bridge {} and would be cut off; stop {} first, or give --force",
                  machines.empty() ? now.other_ports.front() : machines, one ? "is" : "are",
                  now.bridge, one ? "it" : "them"));
}

/// What the uplink is to be again. A bridge that somebody removed took all with it; what was known
/// before is the best that there is. So it is with whatever was lost while nobody has confirmed: an
/// uplink may come back. One that is away after the confirm has died, and its addresses with it.
UplinkView wanted(const House& house, const Adoption& old, const UplinkView& now) {
  const bool lost = !now.bridge_there && old.boot_id == house.boot_id;
  const bool waits = old.state != AdoptionState::confirmed && !why_not_adopted(old).empty();
  if (!lost && !waits) {
    UplinkView want = released(now, old.before);
    want.uplink_up = old.before.uplink_up;
    return want;
  }
  UplinkView want =
      later(old.before, static_cast<std::uint32_t>((host::boot_milliseconds() - old.taken) / 1000));
  want.uplink_there = waits || now.uplink_there;
  return want;
}

std::string words_of_lost(const UplinkView& want) {
  std::string lost;
  for (const LinkAddress& each : want.addresses)
    if (each.link == want.uplink && !each.is_link_local())
      lost += fmt::format("{}{}/{}", lost.empty() ? ": " : ", ", each.ip, each.prefix);
  return fmt::format("{} is not there any more, and its addresses are gone with it{}", want.uplink,
                     lost);
}

}  // namespace

Exit run_bridge_release(const Parsed& args, House& house) {
  const std::string& bridge = args.word(0, "BRIDGE");
  check_bridge_name(bridge);
  need_root(house, "bridge release");
  if (!host::file_exists(adoptions_folder(house))) need_adoption(house, bridge);
  std::optional<host::Lock> lock;
  if (!house.dry()) lock = lock_adoptions(house, lock_patience);
  const Adoption old = need_adoption(house, bridge);
  if (old.state == AdoptionState::restored) return clear_note(house, old, args.has("force"));
  const UplinkView now = host::observe_uplink(host::names_of(old), &old.before);
  if (!now.master.empty() && now.master != bridge)
    throw Conflict(
        fmt::format("{0} is a port of {1} now; take it off there first, with `ip link "
                    "set {0} nomaster`",
                    now.uplink, now.master));
  if (!args.has("force")) check_ports(house, now);
  const UplinkView want = wanted(house, old, now);
  if (house.dry()) return show_plan(house, now, want, {});
  std::vector<std::string> native = host::find_native(bridge);
  give_back(house, old, want);
  for (const std::string& path : host::find_native(bridge)) std::erase(native, path);
  if (!want.bridge_there) drop_bridge_note(house, bridge);
  host::drop_adoption(adoptions_folder(house), bridge);
  std::string what = now.uplink_there ? fmt::format("{} has its addresses again", old.before.uplink)
                                      : words_of_lost(want);
  if (!want.bridge_there) what += fmt::format(", and the bridge {} is gone", bridge);
  for (const std::string& path : native) what += "; removed " + path;
  house.reporter.done(what);
  return Exit::done;
}

}  // namespace nutshell
