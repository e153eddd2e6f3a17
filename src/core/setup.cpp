// Setup adds lines and never takes any away, in files of its own where the format has folders for
// such files. What it adds says who added it.
#include "nutshell/setup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "nutshell/error.hpp"
#include "nutshell/values.hpp"

namespace nutshell {
namespace {

constexpr const char* note =
    "# Written by `nutshell setup`; `nutshell setup --undo` takes it back.\n";

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

bool has_line(const std::optional<std::string>& text, const std::string& line) {
  if (!text) return false;
  const auto lines = lines_of(*text);
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}

SetupChange file_change(const FoundFile& found, std::string after, const FileRights& rights,
                        std::string words) {
  SetupChange change;
  change.kind = SetupChange::Kind::file;
  change.path = found.path;
  change.before = found.text;
  change.after = std::move(after);
  change.old_rights = found.rights;
  change.new_rights = found.rights.value_or(rights);
  change.directories = found.missing_directories;
  change.words = std::move(words);
  return change;
}

/// The file with these lines at its end, those that it has already left out; nothing if it has all.
std::optional<std::string> with_lines(const std::optional<std::string>& text,
                                      const std::vector<std::string>& lines) {
  std::string added;
  for (const std::string& line : lines)
    if (!has_line(text, line)) added += line + "\n";
  if (added.empty()) return std::nullopt;
  std::string whole = text.value_or("");
  if (!whole.empty() && whole.back() != '\n') whole += '\n';
  return whole + note + added;
}

SetupChange rights_change(const std::string& path, const FileRights& before,
                          const FileRights& after, std::string words) {
  SetupChange change;
  change.kind = SetupChange::Kind::rights;
  change.path = path;
  change.old_rights = before;
  change.new_rights = after;
  change.words = std::move(words);
  return change;
}

/// QEMU looks there for its qemu.conf, whoever starts it, and ends where it may not look.
void plan_folder(const SetupFacts& facts, SetupPlan& plan) {
  if (!facts.folder_is || (facts.folder_is->mode & 0005) == 0005) return;
  FileRights open = *facts.folder_is;
  open.mode |= 0055;
  plan.changes.push_back(
      rights_change(facts.folder, *facts.folder_is, open,
                    fmt::format("let every user into {}: QEMU ends where it may not read its files",
                                facts.folder)));
}

/// The helper reads its ACL with the rights of the user who calls it. One that is a group's stays
/// that group's.
void open_acl(const SetupWish& wish, const SetupFacts& facts, SetupPlan& plan) {
  const FoundFile& acl = facts.bridge_conf;
  if (!acl.rights || (acl.rights->mode & 0004)) return;
  if ((acl.rights->mode & 0040) && acl.rights->gid != 0) {
    if (wish.user.empty() || facts.user_group != acl.rights->gid)
      plan.remarks.push_back(fmt::format(
          "{0} may be read by the group {1} alone, so the others get no bridge: `chmod o+r {0}` "
          "lets them",
          acl.path, acl.rights->gid));
    return;
  }
  FileRights open = *acl.rights;
  open.mode |= 0044;
  const auto written =
      std::find_if(plan.changes.begin(), plan.changes.end(),
                   [&](const SetupChange& change) { return change.path == acl.path; });
  if (written != plan.changes.end()) {
    written->new_rights = open;
    written->words += ", which every user may read then";
    return;
  }
  plan.changes.push_back(
      rights_change(acl.path, *acl.rights, open, fmt::format("let every user read {}", acl.path)));
}

void plan_helper(const SetupWish& wish, const SetupFacts& facts, SetupPlan& plan) {
  if (wish.bridges.empty()) return;
  if (facts.helper.empty() || !facts.helper_is)
    throw NotFound(
        "qemu-bridge-helper is not installed, which gives ordinary users a bridge; install it "
        "with: "
        "apt install qemu-system-common");
  for (const SetupDenial& each : facts.denials)
    throw Conflict(fmt::format(
        "{} has the line `{}`, which outweighs every allow; take it out, then run setup again",
        each.file, each.line));
  std::vector<std::string> allowed;
  std::string names;
  for (const std::string& bridge : wish.bridges) {
    allowed.push_back("allow " + bridge);
    names += (names.empty() ? "" : ", ") + bridge;
  }
  const bool for_one = !wish.user.empty();
  if (for_one && !facts.user_group)
    throw NotFound(fmt::format("there is no user {}; `useradd` makes one", printable(wish.user)));
  if (for_one) {
    const FileRights theirs{0, *facts.user_group, 0640};
    const FileRights now = facts.user_conf.rights.value_or(theirs);
    const bool unread =
        now.uid == 0 && !(now.mode & 0004) && !((now.mode & 0040) && now.gid == *facts.user_group);
    if (const auto text = with_lines(facts.user_conf.text, allowed)) {
      SetupChange change = file_change(facts.user_conf, *text, theirs,
                                       fmt::format("write {}: the user {} may put machines on {}",
                                                   facts.user_conf.path, wish.user, names));
      if (unread) change.new_rights = theirs;
      plan.changes.push_back(std::move(change));
    } else if (unread) {
      plan.changes.push_back(
          rights_change(facts.user_conf.path, now, theirs,
                        fmt::format("let {} read {}", wish.user, facts.user_conf.path)));
    }
    allowed = {"include " + facts.user_conf.path};
  }
  if (const auto text = with_lines(facts.bridge_conf.text, allowed)) {
    SetupChange change = file_change(
        facts.bridge_conf, *text, {0, 0, 0644},
        for_one
            ? fmt::format("write {}: it includes {}", facts.bridge_conf.path, facts.user_conf.path)
            : fmt::format("write {}: every user may put machines on {}", facts.bridge_conf.path,
                          names));
    // The folder is made by the change that comes first.
    if (for_one && change.directories == facts.user_conf.missing_directories)
      change.directories.clear();
    plan.changes.push_back(std::move(change));
  }
  open_acl(wish, facts, plan);
  if (facts.helper_may) return;
  SetupChange change;
  change.kind = SetupChange::Kind::rights;
  change.path = facts.helper;
  change.old_rights = facts.helper_is;
  change.new_rights = *facts.helper_is;
  change.new_rights.uid = 0;
  change.new_rights.mode |= 04111;
  change.words =
      fmt::format("make {} setuid root, so that it may make taps for ordinary users", facts.helper);
  plan.changes.push_back(std::move(change));
}

void plan_user(const SetupFacts& facts, SetupPlan& plan) {
  if (facts.qemu_user) return;
  SetupChange change;
  change.kind = SetupChange::Kind::user;
  change.name = "nutshell-qemu";
  change.words = "make the system user nutshell-qemu, which the QEMUs that root starts run as";
  plan.changes.push_back(std::move(change));
}

void plan_kvm_group(const SetupFacts& facts, SetupPlan& plan) {
  if (!facts.kvm_is) return;
  const bool right = facts.kvm_is->gid != 0 && (facts.kvm_is->mode & 0060) == 0060;
  if (right || (facts.kvm_is->mode & 0006) == 0006) return;
  if (!facts.kvm_group) {
    SetupChange group;
    group.kind = SetupChange::Kind::group;
    group.name = "kvm";
    group.words = "make the system group kvm";
    plan.changes.push_back(std::move(group));
  }
  const std::string rule = std::string(note) + "KERNEL==\"kvm\", GROUP=\"kvm\", MODE=\"0660\"\n";
  if (!facts.udev)
    plan.remarks.push_back(
        "there is no udev here, so /dev/kvm loses its group when it is made anew");
  else if (facts.udev_rule.text != rule)
    plan.changes.push_back(
        file_change(facts.udev_rule, rule, {0, 0, 0644},
                    fmt::format("write {}: /dev/kvm is the group kvm's", facts.udev_rule.path)));
  SetupChange rights;
  rights.kind = SetupChange::Kind::rights;
  rights.path = "/dev/kvm";
  rights.old_rights = facts.kvm_is;
  rights.new_rights = *facts.kvm_is;
  rights.new_rights.mode = (rights.new_rights.mode & ~0777U) | 0660;
  rights.new_rights.gid = facts.kvm_group.value_or(0);
  rights.group = "kvm";
  rights.words = "give /dev/kvm to the group kvm, for reading and writing";
  plan.changes.push_back(std::move(rights));
}

void plan_nested(const SetupFacts& facts, SetupPlan& plan) {
  if (facts.module.empty() || facts.nested) return;
  if (facts.built_in) {
    plan.remarks.push_back(fmt::format(
        "{0} is part of this kernel: put {0}.nested=1 on the kernel's command line and restart",
        facts.module));
    return;
  }
  if (!facts.other_option.empty()) {
    plan.remarks.push_back(
        fmt::format("{} keeps nesting off, for {}, which outweighs what setup would write: take it "
                    "out, then run `nutshell setup` again",
                    facts.module, facts.other_option));
    return;
  }
  const std::string option = fmt::format("options {} nested=1", facts.module);
  if (const auto text = with_lines(facts.modprobe.text, {option}))
    plan.changes.push_back(file_change(
        facts.modprobe, *text, {0, 0, 0644},
        fmt::format("write {}: {} lets machines run machines", facts.modprobe.path, facts.module)));
  if (facts.module_users) {
    plan.remarks.push_back(fmt::format(
        "machines run, so {0} keeps nesting off until it is loaded anew: when they are off, run "
        "`nutshell setup` again",
        facts.module));
    return;
  }
  SetupChange change;
  change.kind = SetupChange::Kind::module;
  change.name = facts.module;
  change.words = fmt::format("load {} anew, which no machine uses now", facts.module);
  plan.changes.push_back(std::move(change));
}

}  // namespace

SetupPlan plan_setup(const SetupWish& wish, const SetupFacts& facts) {
  if (!wish.user.empty() && wish.bridges.empty())
    throw UsageError("--user says who may use a bridge; say which with --bridge");
  SetupPlan plan;
  plan_folder(facts, plan);
  plan_helper(wish, facts, plan);
  plan_user(facts, plan);
  plan_kvm_group(facts, plan);
  plan_nested(facts, plan);
  return plan;
}

Restored restored_text(const SetupChange& change, const std::optional<std::string>& now) {
  Restored restored;
  if (now == change.before || !now) {
    // Never made, or put back by somebody.
    restored.leave = true;
    restored.others_changed_it = now != change.before;
    return restored;
  }
  if (*now == change.after) {
    restored.remove = !change.before;
    restored.text = change.before;
    return restored;
  }
  restored.others_changed_it = true;
  std::vector<std::string> ours = lines_of(change.after);
  for (const std::string& line : lines_of(change.before.value_or("")))
    if (const auto at = std::find(ours.begin(), ours.end(), line); at != ours.end()) ours.erase(at);
  std::string kept;
  for (const std::string& line : lines_of(*now)) {
    const auto at = std::find(ours.begin(), ours.end(), line);
    if (at != ours.end())
      ours.erase(at);
    else
      kept += line + "\n";
  }
  // One that begins with our note was made by a setup of another root directory.
  restored.remove = kept.empty() && (!change.before || change.before->starts_with(note));
  if (!restored.remove) restored.text = kept;
  return restored;
}

}  // namespace nutshell
