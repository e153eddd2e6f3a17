// A cloud's file, its lock, and the note beside the registry from which `recover` knows it again.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "app/cloud_facts.hpp"
#include "app/house.hpp"
#include "host/lock.hpp"
#include "nutshell/cloud.hpp"

namespace nutshell {

struct CloudFile {
  std::string path;  ///< absolute, links resolved
  std::string text;
  CloudSpec spec;
};
/// Reads cloud.toml. Throws NotFound, ConfigError with every mistake, SystemError.
CloudFile read_cloud_file(const House& house, const std::string& typed);
/// What was last made of the file where a cloud came from it, which is what comes up when the host
/// boots: nobody has seen what an edit since would do. Warns of such an edit, and of a file that
/// cannot be read any more. Else as read_cloud_file().
CloudFile file_as_applied(House& house, const std::string& typed);
/// True when the file does not say any more what was read.
bool has_changed(const CloudFile& file);

/// The applied description that a row keeps. Throws Failed naming the cloud.
CloudSpec spec_of(const CloudRow& row);
/// The same with what an `up` that was cut short has changed: each machine keeps of which words it
/// is.
CloudSpec spec_as_applied(House& house, const CloudRow& row);
/// The row of a cloud that is typed as its name, or as its file. Throws NotFound with what was
/// probably meant, Conflict where the file says another name by now.
CloudRow find_cloud(House& house, const std::string& typed);

/// The folder with the cloud's note and seeds.
std::string cloud_folder(const House& house, const std::string& cloud);
/// While it is held nobody else brings that cloud up or down. Says whom it waits for; throws
/// Interrupted.
host::Lock lock_cloud(House& house, const std::string& cloud);
/// settle(), and waits for whoever is already putting one of its machines right: what is undone a
/// moment later must not be counted on. Throws Conflict when that takes too long.
void settle_cloud(House& house, const std::string& cloud);

/// Writes the note of a cloud, with its ranges.
void note_cloud(House& house, const std::string& cloud);
/// Removes its folder.
void drop_cloud_note(House& house, const std::string& cloud);
/// True when there is a note of that cloud: of one that the registry does not know, it was lost.
bool is_noted(const House& house, const std::string& cloud);
/// The clouds that have a note, or the folder of one.
std::vector<std::string> noted_clouds(const House& house);
/// That note; nullopt: there is none. Throws Failed naming the file when it cannot be read.
std::optional<Json> cloud_note(const House& house, const std::string& cloud);

}  // namespace nutshell
