// What `setup` changes on a host so that machines can run as they should: as data, each change with
// what was there before it, so that it can be shown first and put back after. Pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "nutshell/json.hpp"

namespace nutshell {

/// Whose a file is, and what may be done with it.
struct FileRights {
  unsigned uid = 0, gid = 0, mode = 0644;
  bool operator==(const FileRights&) const = default;
};

/// One change. Which of the fields count says `kind`.
struct SetupChange {
  enum class Kind {
    file,    ///< path gets `after` as its whole content
    rights,  ///< path gets other rights
    group,   ///< a system group of that name is made
    user,    ///< a system user of that name is made, with a group of its own
    module   ///< a kernel module is taken out and put in again
  } kind = Kind::file;
  std::string path;                   ///< of file and rights
  std::optional<std::string> before;  ///< of file: its content; nullopt: it was not there
  std::string after;
  std::optional<FileRights> old_rights;
  FileRights new_rights;
  std::string group;                     ///< of rights and file: the group by name; "" by number
  std::string name;                      ///< of group, user, module
  std::vector<std::string> directories;  ///< of file: made for it, outermost first
  std::string words;                     ///< "let qemu-bridge-helper use br0: ..."
  bool operator==(const SetupChange&) const = default;
};

Json to_json(const SetupChange& change);
/// Throws Failed where it is damaged.
SetupChange setup_change_from_json(const Json& json);

struct SetupWish {
  std::vector<std::string> bridges;  ///< that ordinary users may use
  std::string user;                  ///< the one user who may; "" every user
};

/// A file as it was found.
struct FoundFile {
  std::string path;
  std::optional<std::string> text;  ///< nullopt: it is not there
  std::optional<FileRights> rights;
  std::vector<std::string> missing_directories;  ///< above it, outermost first
};

/// A line of an ACL that keeps everybody off a bridge, whatever else allows it.
struct SetupDenial {
  std::string file, line;
};

/// What the host has of all that.
struct SetupFacts {
  std::vector<SetupDenial> denials;     ///< of the wished bridges
  std::string folder;                   ///< where QEMU and its helper read: "/etc/qemu"
  std::optional<FileRights> folder_is;  ///< nullopt: it is not there
  std::string other_option;             ///< "FILE has nested=0", which outweighs ours; "" none
  FoundFile bridge_conf, user_conf, modprobe, udev_rule;
  bool udev = false;                    ///< there is a folder for its rules
  std::string helper;                   ///< qemu-bridge-helper; "" not installed
  std::optional<FileRights> helper_is;  ///< nullopt: not installed
  bool helper_may = false;              ///< by setuid root or by file capabilities
  bool qemu_user = false;
  std::optional<unsigned> kvm_group;  ///< the group `kvm`
  std::optional<FileRights> kvm_is;   ///< /dev/kvm; nullopt: there is none
  std::string module;                 ///< kvm_intel or kvm_amd, if loaded; "" neither
  bool nested = false;                ///< its parameter is on
  bool built_in = false;              ///< it is part of the kernel
  unsigned module_users = 0;          ///< how many hold it: machines that run
  std::optional<unsigned>
      user_group;  ///< the first group of the wished user; nullopt: no such user
};

struct SetupPlan {
  std::vector<SetupChange> changes;
  std::vector<std::string> remarks;  ///< what else is to be done, by whom, one sentence each
};
/// Throws NotFound where there is no such user, or no helper for the bridges.
SetupPlan plan_setup(const SetupWish& wish, const SetupFacts& facts);

/// What a file of ours has to become when it is taken back: `now` is its content, nullopt when it
/// is gone. Where others have changed it since, our lines alone are taken out of it.
struct Restored {
  bool remove = false;              ///< the file goes
  bool leave = false;               ///< nothing has to be done
  std::optional<std::string> text;  ///< the content it gets
  bool others_changed_it = false;
};
Restored restored_text(const SetupChange& change, const std::optional<std::string>& now);

}  // namespace nutshell
