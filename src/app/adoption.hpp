// What the commands on bridges share: who may, whose a bridge is, and what every command does about
// an adoption that lost its dead-man.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "app/house.hpp"
#include "host/uplink_check.hpp"
#include "nutshell/adoption.hpp"
#include "nutshell/native_config.hpp"

namespace nutshell {

/// The folder of the notes of adoptions.
std::string adoptions_folder(const House& house);
/// Puts back what a killed dead-man left behind, drops the notes of an earlier boot. Every command
/// calls it first; with nothing to do it is one system call. `confirming` is the bridge of a
/// `bridge confirm`, which decides for itself while its time is not over.
void recover_adoptions(House& house, const std::string& confirming);

/// "the adoption of em1 by br9 was put back: no confirm came within 60 s; `nutshell bridge release
/// br9` clears this note", or, where something is left to do, that it tries again.
std::string words_of_restored(const Adoption& adoption);
/// True for an adoption in another network namespace of this boot: its links are not ours to touch.
bool is_elsewhere(const House& house, const Adoption& adoption);

/// Throws Failed unless we are root: links are changed.
void need_root(const House& house, const std::string& what);
/// Throws ConfigError when no link can have that name.
void check_bridge_name(const std::string& name);
/// Letters, digits, dot, dash and underscore, beginning with a letter or a digit: what means
/// nothing to nft, to systemd-networkd and to ifupdown.
bool is_plain_name(const std::string& name);
/// Throws ConfigError unless a bridge that we make may have that name.
void check_new_bridge_name(const std::string& name);
/// "nutshell:bridge:NAME:TAG", the alias of a bridge of this registry.
std::string mark_of_bridge(House& house, const std::string& name);

/// What is kept of a bridge that `bridge create` made: its MAC (proof before the mark) and options.
struct BridgeNote {
  std::string mac;
  bool isolated = false;
};
std::optional<BridgeNote> read_bridge_note(const House& house, const std::string& name);
void write_bridge_note(const House& house, const std::string& name, const BridgeNote& note);
/// By its mark, or, while nobody has given it any alias, by the MAC that was noted: one of ours
/// that was cut short, or that the host made anew from what --persist wrote.
bool is_our_bridge(House& house, const std::string& name, const std::string& alias,
                   const std::string& mac);
void drop_bridge_note(const House& house, const std::string& name);

/// The native configuration, as files or as commands, for whoever is in charge of the host.
struct Native {
  std::vector<NativeFile> files;
  std::vector<std::string> commands;
  std::vector<std::string> remarks;  ///< what a person has to know or to do besides
};
Native native_of(const NativeBridge& bridge, host::NetworkService service);
/// For people, and for --json: {"files":[{"path","text"}],"commands":[...],"remarks":[...]}.
std::string text_of(const Native& native);
Json json_of(const Native& native);
/// The service that --persist writes for. Throws Failed where there is none.
host::NetworkService need_service(const std::vector<host::UplinkOwner>& owners);

}  // namespace nutshell
