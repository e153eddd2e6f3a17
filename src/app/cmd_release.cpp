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

/// The way back is guarded as the way in was: cut short, it is brought to its end. What fails
/// leaves the old note, so that it can be tried again.
void give_back(House& house, const Adoption& old, const UplinkView& want) {
  const std::string folder = adoptions_folder(house);
  Adoption way = new_adoption(house, want, release_timeout);
  way.persist = true;  // whoever brings it to its end takes the files away, too
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
  if (left.empty()) return;
  host::write_adoption(folder, old);
  throw Error(Exit::left_behind, fmt::format("{}: not everything could be given back: {}",
                                             old.before.bridge, left.front()));
}

/// Of an adoption that was put back already: what could not be is tried again, and the note goes.
Exit clear_note(House& house, const Adoption& old) {
  const std::string& bridge = old.before.bridge;
  if (!house.dry()) {
    std::vector<std::string> left;
    if (!old.left.empty()) left = host::restore_adoption(adoptions_folder(house), old, old.reason);
    if (!left.empty())
      throw Error(Exit::left_behind,
                  fmt::format("{}: not everything could be put back: {}", bridge, left.front()));
    host::drop_adoption(adoptions_folder(house), bridge);
  }
  house.reporter.done(fmt::format("{} was put back before ({}); nothing is left to release",
                                  old.before.uplink, old.reason));
  return Exit::done;
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
  if (old.state == AdoptionState::restored) return clear_note(house, old);
  const UplinkView now = host::observe_uplink(host::names_of(old), &old.before);
  if (!now.uplink_there)
    throw Conflict(fmt::format("{} is not there any more; bring it back, then release {}",
                               old.before.uplink, bridge));
  if (!now.other_ports.empty() && !args.has("force")) {
    std::string machines;
    for (const Placed& each : placed_taps(house))
      if (each.bridge == bridge) machines += (machines.empty() ? "" : ", ") + each.machine;
    throw Conflict(
        fmt::format("{} {} on the bridge {} and would be cut off; stop {} first, or give "
                    "--force",
                    machines.empty() ? now.other_ports.front() : machines,
                    now.other_ports.size() == 1 ? "is" : "are", bridge,
                    now.other_ports.size() == 1 ? "it" : "them"));
  }
  // A bridge that somebody removed took all with it; what was known before is the best that there
  // is.
  const bool lost = !now.bridge_there && old.boot_id == house.boot_id;
  const UplinkView want =
      lost ? later(old.before,
                   static_cast<std::uint32_t>((host::boot_milliseconds() - old.taken) / 1000))
           : released(now, old.before);
  if (house.dry()) return show_plan(house, now, want, {});
  std::vector<std::string> native = host::find_native(bridge);
  give_back(house, old, want);
  for (const std::string& path : host::find_native(bridge)) std::erase(native, path);
  if (!want.bridge_there) drop_bridge_note(house, bridge);
  host::drop_adoption(adoptions_folder(house), bridge);
  std::string what = fmt::format("{} has its addresses again", old.before.uplink);
  if (!want.bridge_there) what += fmt::format(", and the bridge {} is gone", bridge);
  for (const std::string& path : native) what += "; removed " + path;
  house.reporter.done(what);
  return Exit::done;
}

}  // namespace nutshell
