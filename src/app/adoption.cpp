// An adoption that nobody holds any more is put back by whoever comes first: that is the last of
// its ropes, after the command itself and its dead-man.
#include "app/adoption.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "app/machine_state.hpp"
#include "app/start.hpp"
#include "host/adoption.hpp"
#include "host/dead_man.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/observe.hpp"
#include "host/sysctl.hpp"
#include "host/tool.hpp"
#include "nutshell/facts.hpp"

namespace nutshell {
namespace {

constexpr std::uint64_t frozen_after = 3000;  // ms: he wakes at his deadline, and waits for a lock

bool is_over(const Adoption& adoption) {
  return adoption.state == AdoptionState::confirmed || adoption.state == AdoptionState::restored;
}

/// With its dead-man gone, or frozen (stopped, thrown out of memory) long after his time, and
/// nobody else at it.
bool is_orphan(const std::string& folder, const Adoption& adoption) {
  if (is_over(adoption) || host::is_held(host::adoption_lock(folder))) return false;
  return !host::has_dead_man(folder, adoption) ||
         host::boot_milliseconds() > adoption.deadline + frozen_after;
}

void forget(House& house, const std::string& folder, const Adoption& adoption) {
  // What a persistent one needs is its name in the list, and that the host brings it up again.
  if (adoption.state == AdoptionState::confirmed && adoption.persist) return;
  if (house.dry() || !house.root) return;
  if (adoption.persist && !is_over(adoption))  // cut short
    for (const std::string& each : host::put_back_native(adoption)) house.reporter.warn(each);
  host::drop_adoption(folder, adoption.before.bridge);
  if (adoption.state != AdoptionState::restored)
    house.reporter.warn(
        fmt::format("the adoption of {} by {} ended when this host restarted; the kernel forgot it",
                    adoption.before.uplink, adoption.before.bridge));
}

void put_back(House& house, const std::string& folder, const std::string& bridge) {
  const auto lock = host::Lock::try_exclusive(host::adoption_lock(folder));
  if (!lock) return;  // somebody else is at it
  const auto adoption = host::read_adoption(folder, bridge);
  if (!adoption || is_over(*adoption)) return;
  if (host::has_dead_man(folder, *adoption) &&
      (host::boot_milliseconds() <= adoption->deadline + frozen_after ||
       !host::end_dead_man(folder, *adoption)))
    return;
  const auto left = host::restore_adoption(folder, *adoption, "its dead-man was killed");
  house.reporter.warn(fmt::format(
      "the adoption of {} by {} was not confirmed and its dead-man is gone; {}",
      adoption->before.uplink, bridge,
      left.empty() ? "everything was put back" : "this could not be put back: " + left.front()));
}

}  // namespace

std::string adoptions_folder(const House& house) { return house.paths.state + "/adoptions"; }

void recover_adoptions(House& house, const std::string& confirming) {
  const std::string folder = adoptions_folder(house);
  if (!host::file_exists(folder)) return;
  std::vector<std::string> trouble;
  for (const Adoption& adoption : host::read_adoptions(folder, trouble)) {
    const std::string& bridge = adoption.before.bridge;
    const bool in_time =
        adoption.state == AdoptionState::waiting && host::boot_milliseconds() < adoption.deadline;
    try {
      if (adoption.boot_id != house.boot_id)
        forget(house, folder, adoption);
      else if (is_elsewhere(house, adoption) || !is_orphan(folder, adoption) ||
               (bridge == confirming && in_time))
        continue;
      else if (house.dry() || !house.root)
        house.reporter.warn(
            fmt::format("the adoption of {} by {} lost its dead-man; the next command of root puts "
                        "everything back",
                        adoption.before.uplink, bridge));
      else
        put_back(house, folder, bridge);
    } catch (const std::exception& error) {  // every command comes by here, and has its own work
      trouble.push_back(fmt::format("{}: {}", bridge, error.what()));
    }
  }
  for (const std::string& each : trouble) house.reporter.warn(each);
}

std::string words_of_restored(const Adoption& adoption) {
  std::string left;
  for (const std::string& each : adoption.left) left += (left.empty() ? "" : "; ") + each;
  return fmt::format("the adoption of {} by {} was put back: {}{}; `nutshell bridge release {}` {}",
                     adoption.before.uplink, adoption.before.bridge, adoption.reason,
                     left.empty() ? "" : ", but not everything could be: " + left,
                     adoption.before.bridge, left.empty() ? "clears this note" : "tries again");
}

bool is_elsewhere(const House& house, const Adoption& adoption) {
  return adoption.boot_id == house.boot_id && adoption.network != host::network_namespace();
}

void need_root(const House& house, const std::string& what) {
  if (!house.root)
    throw Failed(fmt::format("{} needs root: it changes this host's links; use sudo", what));
}

void check_bridge_name(const std::string& name) {
  if (is_interface_name(name)) return;
  throw ConfigError("bridge",
                    fmt::format("{} can be no interface's name{}; choose another", printable(name),
                                name.size() > 15 ? " (at most 15 bytes)" : ""));
}

bool is_plain_name(const std::string& name) {
  const auto plain = [](unsigned char c) { return c < 128 && std::isalnum(c) != 0; };
  return !name.empty() && plain(static_cast<unsigned char>(name.front())) &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return plain(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_';
         });
}

void check_new_bridge_name(const std::string& name) {
  check_bridge_name(name);
  if (!is_plain_name(name))
    throw ConfigError("bridge", fmt::format("{} is no name for a bridge of ours (letters, digits, "
                                            "'.', '-' and '_', a letter or digit first); choose "
                                            "another",
                                            printable(name)));
}

std::string mark_of_bridge(House& house, const std::string& name) {
  return bridge_mark(name) + ":" + house.registry().tag();
}

namespace {
std::string note_path(const House& house, const std::string& name) {
  return house.paths.state + "/bridges/" + name + ".json";
}
}  // namespace

std::optional<BridgeNote> read_bridge_note(const House& house, const std::string& name) {
  const auto text = host::read_file(note_path(house, name));
  if (!text) return std::nullopt;
  const auto json = Json::try_parse(*text);
  if (!json) return std::nullopt;
  return BridgeNote{json->text("mac"), json->flag("isolated")};
}

void write_bridge_note(const House& house, const std::string& name, const BridgeNote& note) {
  host::make_directories(house.paths.state + "/bridges");
  host::write_file(
      note_path(house, name),
      Json::object({{"mac", note.mac}, {"isolated", note.isolated}}).dump(true) + "\n");
}

bool is_our_bridge(House& house, const std::string& name, const std::string& alias,
                   const std::string& mac) {
  if (!alias.empty()) return alias == mark_of_bridge(house, name);
  const auto note = read_bridge_note(house, name);
  return note && note->mac == mac;
}

void drop_bridge_note(const House& house, const std::string& name) {
  host::drop_file(note_path(house, name));
}

Native native_of(const NativeBridge& bridge, host::NetworkService service) {
  if (!bridge.uplink.empty() && !is_plain_name(bridge.uplink))
    throw ConfigError("--uplink",
                      fmt::format("{} can be written in no configuration of a network without "
                                  "meaning something else; rename that link first",
                                  printable(bridge.uplink)));
  check_new_bridge_name(bridge.name);
  Native native;
  switch (service) {
    case host::NetworkService::networkd: native.files = networkd_files(bridge); break;
    case host::NetworkService::ifupdown:
      native.files = ifupdown_files(bridge);
      if (!host::find_program("brctl"))
        native.remarks.emplace_back(
            "ifupdown makes bridges with brctl, which is not installed: apt install bridge-utils");
      if (const auto main = host::read_file("/etc/network/interfaces");
          !main || (main->find("interfaces.d") == std::string::npos))
        native.remarks.emplace_back(
            "/etc/network/interfaces does not read interfaces.d; add the line: source "
            "/etc/network/interfaces.d/*");
      if (!bridge.uplink.empty())
        native.remarks.push_back(fmt::format(
            "take any other stanza of {} out of /etc/network/interfaces", bridge.uplink));
      break;
    case host::NetworkService::network_manager: native.commands = nmcli_commands(bridge); break;
  }
  if (!bridge.omitted.empty()) {
    std::string words;
    for (const std::string& each : bridge.omitted) words += (words.empty() ? "" : ", ") + each;
    native.remarks.push_back("not part of it, write it by hand: " + words);
  }
  return native;
}

std::string text_of(const Native& native) {
  std::string text;
  for (const NativeFile& file : native.files)
    text += fmt::format("{}:\n{}\n", file.path, file.text);
  for (const std::string& command : native.commands) text += command + "\n";
  for (const std::string& remark : native.remarks) text += "note: " + remark + "\n";
  return text;
}

Json json_of(const Native& native) {
  Json files = Json::array(), commands = Json::array(), remarks = Json::array();
  for (const NativeFile& file : native.files)
    files.push(Json::object({{"path", file.path}, {"text", file.text}}));
  for (const std::string& command : native.commands) commands.push(command);
  for (const std::string& remark : native.remarks) remarks.push(remark);
  return Json::object({{"files", files}, {"commands", commands}, {"remarks", remarks}});
}

host::NetworkService need_service(const std::vector<host::UplinkOwner>& owners) {
  if (const auto service = host::service_in_charge(owners)) return *service;
  throw Failed(
      "--persist: neither systemd-networkd nor ifupdown nor NetworkManager sets up this host's "
      "network; leave --persist out, and write the bridge where it belongs here");
}

}  // namespace nutshell
