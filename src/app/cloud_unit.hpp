// The systemd unit of a cloud that comes up when the host boots.
#pragma once
#include <string>

#include "app/house.hpp"
#include "nutshell/cloud.hpp"

namespace nutshell {

/// Where the unit of a cloud is: /etc/systemd/system, with --root below that folder.
std::string unit_path(const House& house, const std::string& cloud);
/// Its text: `up` at boot, an orderly `down` at shutdown (systemd.service(5)).
std::string unit_text(House& house, const CloudSpec& cloud);
/// True when the unit is not what it should be, or not enabled, or there although it should not.
bool is_unit_stale(House& house, const CloudSpec& cloud);

/// Throws Conflict where a file of that name is none of ours, Failed without root: what
/// follow_autostart() could not do. To be asked before anything else is done.
void check_autostart(House& house, const CloudSpec& cloud);
/// Writes and enables the unit, or takes it away; what is written is shown first. Throws as
/// check_autostart().
void follow_autostart(House& house, const CloudSpec& cloud);
/// Tells systemd, where it runs and the unit is its, that the cloud is up: what is active is
/// stopped in order when the host goes down. Warns where that cannot be.
void activate_autostart(House& house, const CloudSpec& cloud);
/// When a cloud with such a unit comes up: "comes up when this host boots".
std::string words_of_autostart(const House& house);
/// Takes it away; gone already is done.
void drop_autostart(House& house, const std::string& cloud);

}  // namespace nutshell
