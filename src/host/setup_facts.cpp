// Where the files are that setup writes, and what is in them now.
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>

#include "host/accounts.hpp"
#include "host/files.hpp"
#include "host/setup.hpp"

namespace nutshell::host {
namespace {

constexpr const char* helpers[] = {"/usr/lib/qemu/qemu-bridge-helper",
                                   "/usr/libexec/qemu-bridge-helper"};

constexpr int most_links = 40;
constexpr const char* qemu_folder = "/etc/qemu";

std::optional<FileRights> rights_of(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return std::nullopt;
  return FileRights{facts.st_uid, facts.st_gid, facts.st_mode & 07777U};
}

/// Where a link leads, also one that leads nowhere yet: its target is what is written.
std::string target_of(std::string path) {
  for (int i = 0; i < most_links && std::filesystem::is_symlink(path); ++i)
    path = (std::filesystem::path(path).parent_path() / std::filesystem::read_symlink(path))
               .lexically_normal();
  return path;
}

/// What is there under that name; a link's target is what counts, and what is written.
FoundFile found(const std::string& path) {
  FoundFile file;
  char* real = ::realpath(path.c_str(), nullptr);
  file.path = real ? real : target_of(path);
  std::free(real);
  file.text = read_file(file.path);
  file.rights = rights_of(file.path);
  for (std::size_t at = file.path.rfind('/'); at != std::string::npos && at > 0;
       at = file.path.rfind('/', at - 1)) {
    const std::string folder = file.path.substr(0, at);
    if (file_exists(folder)) break;
    file.missing_directories.insert(file.missing_directories.begin(), folder);
  }
  return file;
}

void observe_helper(SetupFacts& facts) {
  for (const char* path : helpers) {
    facts.helper_is = rights_of(path);
    if (!facts.helper_is) continue;
    facts.helper = path;
    facts.helper_may = ((facts.helper_is->mode & 04000) && facts.helper_is->uid == 0 &&
                        (facts.helper_is->mode & 0001)) ||
                       ::getxattr(path, "security.capability", nullptr, 0) > 0;
    return;
  }
}

/// True when these words of a command line or of a line `options` put nesting off.
bool puts_off(const std::string& text, const std::string& option) {
  std::istringstream words(text);
  for (std::string word; words >> word;)
    if (word == option + "0" || word == option + "N" || word == option + "n") return true;
  return false;
}

/// What is read after our file, and so outweighs it: files of modprobe.d go by name, whatever their
/// folder (the first folder's where two have one name), and the kernel's command line comes last.
std::string find_other_option(const std::string& module, const std::string& own_file) {
  if (puts_off(read_file("/proc/cmdline").value_or(""), module + ".nested="))
    return fmt::format("/proc/cmdline has {}.nested=0", module);
  std::map<std::string, std::string> files;
  for (const char* folder :
       {"/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"})
    for (const std::string& name : names_in(folder))
      if (name.ends_with(".conf")) files.emplace(name, fmt::format("{}/{}", folder, name));
  for (const auto& [name, file] : files) {
    if (name <= std::filesystem::path(own_file).filename().string()) continue;
    std::istringstream lines(read_file(file).value_or(""));
    for (std::string line, verb, of; std::getline(lines, line);) {
      std::istringstream words(line);
      if (!(words >> verb >> of) || verb != "options") continue;
      std::replace(of.begin(), of.end(), '-', '_');
      if (of == module && puts_off(line, "nested=")) return fmt::format("{} has `{}`", file, line);
    }
  }
  return "";
}

void observe_module(SetupFacts& facts) {
  for (const char* module : {"kvm_intel", "kvm_amd"}) {
    const std::string folder = fmt::format("/sys/module/{}", module);
    const auto nested = read_file(folder + "/parameters/nested");
    if (!nested) continue;
    facts.module = module;
    facts.other_option = find_other_option(module, facts.modprobe.path);
    facts.nested = nested->starts_with("Y") || nested->starts_with("1");
    facts.built_in = !file_exists(folder + "/initstate");
    const auto users = read_file(folder + "/refcnt").value_or("0");
    facts.module_users = static_cast<unsigned>(std::strtoul(users.c_str(), nullptr, 10));
  }
}

}  // namespace

SetupFacts observe_setup(const SetupWish& wish) {
  SetupFacts facts;
  facts.folder = qemu_folder;
  facts.folder_is = rights_of(qemu_folder);
  facts.bridge_conf = found("/etc/qemu/bridge.conf");
  if (!wish.user.empty()) {
    facts.user_conf = found(fmt::format("/etc/qemu/bridge.{}.conf", wish.user));
    if (const auto user = user_named(wish.user)) facts.user_group = user->second;
  }
  for (const std::string& bridge : wish.bridges)
    if (auto denial = find_denial(bridge, facts.user_conf.path))
      facts.denials.push_back(*std::move(denial));
  facts.modprobe = found("/etc/modprobe.d/nutshell-kvm.conf");
  facts.udev_rule = found("/etc/udev/rules.d/65-nutshell-kvm.rules");
  facts.udev = file_exists("/etc/udev");
  observe_helper(facts);
  facts.qemu_user = user_named("nutshell-qemu").has_value();
  facts.kvm_group = group_named("kvm");
  facts.kvm_is = rights_of("/dev/kvm");
  observe_module(facts);
  return facts;
}

}  // namespace nutshell::host
