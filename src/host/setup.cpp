// Every change is looked at before it is taken back: what is not as we left it was changed by
// somebody else, and of that only our own part goes.
#include "host/setup.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <shadow.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "host/accounts.hpp"
#include "host/files.hpp"
#include "host/proc.hpp"
#include "host/tool.hpp"
#include "host/unique_name.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

std::optional<FileRights> rights_of(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return std::nullopt;
  return FileRights{facts.st_uid, facts.st_gid, facts.st_mode & 07777U};
}

void set_rights(const std::string& path, const FileRights& rights) {
  // chown takes the setuid bit away, so it comes first.
  if (::chown(path.c_str(), rights.uid, rights.gid) != 0)
    throw SystemError(errno, path + ": cannot be given to another owner");
  if (::chmod(path.c_str(), rights.mode) != 0)
    throw SystemError(errno, path + ": its rights cannot be changed");
}

FileRights resolved(const SetupChange& change) {
  FileRights rights = change.new_rights;
  if (change.group.empty()) return rights;
  const auto number = group_named(change.group);
  if (!number) throw Failed(fmt::format("there is no group {}", change.group));
  rights.gid = *number;
  return rights;
}

/// Waits for one that makes it at this moment, because its setup was killed (lckpwdf(3), 15 s).
bool has_account(const SetupChange& change) {
  if (::lckpwdf() == 0) ::ulckpwdf();
  const bool user = change.kind == SetupChange::Kind::user;
  const Tool tool{
      .argv = {"getent", user ? "passwd" : "group", change.name}, .input = {}, .environment = {}};
  return run(tool).status == 0;
}

/// "123 (qemu-system-x86)", the first that runs as that user; "" none.
std::string process_of(unsigned uid) {
  for (const int pid : pids()) {
    const std::string status = read_file(fmt::format("/proc/{}/status", pid)).value_or("");
    const std::size_t at = status.find("\nUid:\t");
    if (at != std::string::npos && std::strtoul(status.c_str() + at + 6, nullptr, 10) == uid)
      return fmt::format("{} ({})", pid, process_name(pid));
  }
  return "";
}

/// Why an account has to stay for now.
void refuse_used(const SetupChange& change) {
  const auto user = change.kind == SetupChange::Kind::user ? user_named(change.name) : std::nullopt;
  const std::string process = user ? process_of(user->first) : "";
  if (!process.empty())
    throw Conflict(
        fmt::format("the user {} stays, whose process {} runs: when it has ended, run `nutshell "
                    "setup --undo` again",
                    change.name, process));
}

/// Whom others have put into a group of ours since, "alice, bob"; "" nobody.
std::string members_of(const std::string& group) {
  std::array<char, 16384> room{};
  struct group entry {};
  struct group* found = nullptr;
  std::string names;
  if (::getgrnam_r(group.c_str(), &entry, room.data(), room.size(), &found) == 0 && found)
    for (char** member = found->gr_mem; *member; ++member)
      names += (names.empty() ? "" : ", ") + std::string(*member);
  return names;
}

/// To its end, even when this command is killed: half an account is worse than one too many.
void run_quietly(std::vector<std::string> words) {
  Tool tool{.argv = std::move(words), .input = {}, .environment = {}};
  tool.orphan_signal = SIGCONT;
  (void)output_of(tool);
}

/// The kernel makes /dev/kvm with the module, as root's alone; where no udev runs, nobody else
/// gives it to its group again.
void reload(const std::string& module) {
  constexpr const char* device = "/dev/kvm";
  const auto before = rights_of(device);
  run_quietly({"modprobe", "-r", module});
  run_quietly({"modprobe", module});
  const auto after = rights_of(device);
  if (before && after && *before != *after) set_rights(device, *before);
}

void put_file(const SetupChange& change) {
  for (const std::string& folder : change.directories) {
    if (::mkdir(folder.c_str(), 0755) == 0)
      set_rights(folder, {0, 0, 0755});  // whatever the umask is
    else if (errno != EEXIST)
      throw SystemError(errno, folder + ": cannot be made");
  }
  if (read_file(change.path) != change.before)
    throw Conflict(fmt::format("{} has been changed at this moment; run setup again", change.path));
  write_file(change.path, change.after, change.new_rights.mode);
  set_rights(change.path, change.new_rights);
}

void drop_folders(const SetupChange& change) {
  for (auto folder = change.directories.rbegin(); folder != change.directories.rend(); ++folder)
    ::rmdir(folder->c_str());  // somebody may have put something into it
}

/// The rights that a file of ours gets back. One that was killed between writing it and giving it
/// away has left it as root's.
FileRights old_rights(const SetupChange& change) {
  const auto now = rights_of(change.path).value_or(change.new_rights);
  const auto is_ours = [&](const FileRights& rights) {
    return now == rights || now == FileRights{0, 0, rights.mode};
  };
  return change.old_rights && (is_ours(change.new_rights) || is_ours(*change.old_rights))
             ? *change.old_rights
             : now;
}

std::optional<std::string> take_file_back(const SetupChange& change) {
  drop_temporaries(change.path.substr(0, change.path.rfind('/')));
  const Restored restored = restored_text(change, read_file(change.path));
  if (restored.leave && !restored.others_changed_it) {
    if (change.before)
      set_rights(change.path, old_rights(change));
    else
      drop_folders(change);
  } else if (!restored.leave && restored.remove) {
    drop_file(change.path);
    drop_folders(change);
  } else if (!restored.leave && restored.text) {
    const FileRights rights = old_rights(change);
    write_file(change.path, *restored.text, rights.mode);
    set_rights(change.path, rights);
  }
  if (!restored.others_changed_it) return std::nullopt;
  return restored.leave
             ? fmt::format("{} was taken away by somebody else", change.path)
             : fmt::format("{} was changed by somebody else, too; our lines alone were taken out",
                           change.path);
}

std::optional<std::string> take_rights_back(const SetupChange& change) {
  const auto now = rights_of(change.path);
  if (!now || !change.old_rights || *now == *change.old_rights) return std::nullopt;
  FileRights ours = change.new_rights;
  if (const auto number = group_named(change.group)) ours.gid = *number;
  if (*now != ours)
    return fmt::format("{} was given other rights by somebody else, and keeps them", change.path);
  set_rights(change.path, *change.old_rights);
  return std::nullopt;
}

unsigned number_in(const std::string& path) {
  const auto text = read_file(path).value_or("");
  return static_cast<unsigned>(std::strtoul(text.c_str(), nullptr, 10));
}

/// A useradd or userdel of that name is at work.
bool is_being_changed(const std::string& name) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const int pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    const std::vector<std::string> words = command_line(pid);
    if (words.size() < 2 || words.back() != name) continue;
    for (const char* tool : {"useradd", "userdel", "groupadd", "groupdel"})
      if (words.front().ends_with(tool)) return true;
  }
  return false;
}

/// A tool of a setup that was killed may still be at work: it ends soon.
void drop_account(const SetupChange& change, const char* tool) {
  for (int tries = 100; tries && is_being_changed(change.name); --tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  refuse_used(change);
  for (int tries = 10; has_account(change); --tries) try {
      return run_quietly({tool, change.name});
    } catch (const Interrupted&) {
      throw;
    } catch (const Error&) {
      if (tries <= 1) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
}

}  // namespace

void make_change(const SetupChange& change) {
  switch (change.kind) {
    case SetupChange::Kind::file: return put_file(change);
    case SetupChange::Kind::rights: return set_rights(change.path, resolved(change));
    case SetupChange::Kind::group: return run_quietly({"groupadd", "--system", change.name});
    case SetupChange::Kind::user:
      return run_quietly({"useradd", "--system", "--user-group", "--no-create-home", "--home-dir",
                          "/nonexistent", "--shell", "/usr/sbin/nologin", change.name});
    case SetupChange::Kind::module: return reload(change.name);
  }
}

std::string lack_after(const SetupChange& change) {
  if (change.kind != SetupChange::Kind::module) return "";
  const std::string setting =
      read_file(fmt::format("/sys/module/{}/parameters/nested", change.name)).value_or("N");
  if (setting.starts_with("Y") || setting.starts_with("1")) return "";
  return fmt::format(
      "{0} keeps nesting off although it was loaded anew: `modprobe --showconfig | grep {0}` shows "
      "its options",
      change.name);
}

std::optional<std::string> take_back(const SetupChange& change) {
  switch (change.kind) {
    case SetupChange::Kind::file: return take_file_back(change);
    case SetupChange::Kind::rights: return take_rights_back(change);
    case SetupChange::Kind::group:
      if (const std::string members = members_of(change.name); !members.empty())
        return fmt::format("the group {} stays: {} was put into it by somebody else", change.name,
                           members);
      drop_account(change, "groupdel");
      return std::nullopt;
    case SetupChange::Kind::user: drop_account(change, "userdel"); return std::nullopt;
    case SetupChange::Kind::module:
      if (number_in(fmt::format("/sys/module/{}/refcnt", change.name)))
        throw Conflict(fmt::format(
            "machines run, so {} stays as it is loaded: when they are off, run `nutshell setup "
            "--undo` again",
            change.name));
      reload(change.name);
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace nutshell::host
