// A unit is ours by its first line, never by its name. It is enabled by the link that `systemctl
// enable` would make, so that it works in an image that is not booted, too.
#include "app/cloud_unit.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "host/files.hpp"
#include "host/tool.hpp"

namespace nutshell {
namespace {

namespace fs = std::filesystem;

constexpr unsigned for_everyone = 0644;

std::string units_folder(const House& house) {
  return house.options.root.empty() ? "/etc/systemd/system"
                                    : absolute(house.options.root) + "/etc/systemd/system";
}
std::string unit_name(const std::string& cloud) {
  return fmt::format("nutshell-cloud-{}.service", cloud);
}
std::string link_path(const House& house, const std::string& cloud) {
  return units_folder(house) + "/multi-user.target.wants/" + unit_name(cloud);
}
std::string head_of(House& house, const std::string& cloud) {
  return fmt::format("# Made by nutshell for the cloud {} (registry {}).\n", cloud,
                     house.registry().tag());
}

[[noreturn]] void refuse_word(const std::string& word, const std::string& why) {
  throw ConfigError("autostart", fmt::format("{} cannot stand in a systemd unit: {}; rename it",
                                             printable(word), why));
}

/// A word of ExecStart= (systemd.service(5), COMMAND LINES). Those in `doubled` mean themselves
/// when they stand there twice.
std::string unit_word(const std::string& word, std::string_view doubled) {
  if (const std::string fault = text_fault(word); !fault.empty()) refuse_word(word, fault);
  std::string quoted = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (doubled.find(c) != std::string_view::npos) quoted += c;
    quoted += c;
  }
  return quoted + "\"";
}

/// The first word: systemd expands no variable in it, and takes no quotes.
std::string program_word() {
  std::error_code error;
  const std::string program = fs::read_symlink("/proc/self/exe", error).string();
  if (program.find_first_of("\"'\\") != std::string::npos)
    refuse_word(program, "systemd runs no program with a quote or a backslash in its path");
  return unit_word(program, "%");
}

std::string command_words(const House& house, const std::vector<std::string>& words) {
  std::string line = program_word();
  const auto add = [&](const std::string& word) { line += " " + unit_word(word, "%$"); };
  if (!house.options.root.empty()) {
    add("--root");
    add(absolute(house.options.root));
  }
  if (!house.options.config.empty()) {
    add("--config");
    add(absolute(house.options.config));
  }
  for (const std::string& word : words) add(word);
  return line;
}

void tell_systemd(House& house, const std::vector<std::string>& words) {
  if (!house.options.root.empty() || !host::file_exists("/run/systemd/system")) return;
  try {
    host::Tool tool;
    tool.argv = {"systemctl"};
    tool.argv.insert(tool.argv.end(), words.begin(), words.end());
    host::output_of(tool);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    house.reporter.warn(fmt::format("systemd was not told of the unit: {}", error.what()));
  }
}

void refuse_foreign(House& house, const std::string& cloud) {
  const std::string path = unit_path(house, cloud);
  const auto text = host::read_file(path);
  if (text && !text->starts_with(head_of(house, cloud)))
    throw Conflict(fmt::format("{} is there already, and not this registry's; move it away", path));
}

}  // namespace

std::string unit_path(const House& house, const std::string& cloud) {
  return units_folder(house) + "/" + unit_name(cloud);
}

std::string unit_text(House& house, const CloudSpec& cloud) {
  return head_of(house, cloud.name) + fmt::format(
                                          "[Unit]\n"
                                          "Description=nutshell cloud {}\n"
                                          "After=network-online.target\n"
                                          "Wants=network-online.target\n"
                                          "\n"
                                          "[Service]\n"
                                          "Type=oneshot\n"
                                          "RemainAfterExit=yes\n"
                                          "ExecStart=-{}\n"
                                          "ExecStop={}\n"
                                          "TimeoutStartSec=infinity\n"
                                          "TimeoutStopSec=600\n"
                                          "KillMode=process\n"
                                          "\n"
                                          "[Install]\n"
                                          "WantedBy=multi-user.target\n",
                                          cloud.name,
                                          command_words(house, {"up", cloud.file, "--autostart"}),
                                          command_words(house, {"down", cloud.name, "--force"}));
}

bool is_unit_stale(House& house, const CloudSpec& cloud) {
  const std::string path = unit_path(house, cloud.name);
  const auto text = host::read_file(path);
  if (!cloud.autostart) return text && text->starts_with(head_of(house, cloud.name));
  return text != unit_text(house, cloud) || !host::file_exists(link_path(house, cloud.name));
}

void check_autostart(House& house, const CloudSpec& cloud) {
  if (!cloud.autostart) return;
  refuse_foreign(house, cloud.name);
  if (!house.root)
    throw Failed(
        "autostart writes a unit of the system, which needs root; run this with sudo, or "
        "take autostart out of the file");
}

void follow_autostart(House& house, const CloudSpec& cloud) {
  if (!cloud.autostart) return drop_autostart(house, cloud.name);
  check_autostart(house, cloud);
  const std::string path = unit_path(house, cloud.name), text = unit_text(house, cloud);
  house.reporter.note(fmt::format("{} is written:\n{}", path, text));
  fs::create_directories(fs::path(link_path(house, cloud.name)).parent_path());
  host::write_file(path, text, for_everyone);
  const std::string link = link_path(house, cloud.name);
  if (!host::file_exists(link)) fs::create_symlink(path, link);
  tell_systemd(house, {"daemon-reload"});
}

// Only a unit that is active is stopped in order when the host shuts down. Its `up` finds that
// there is nothing to do, once we are done.
void activate_autostart(House& house, const CloudSpec& cloud) {
  if (cloud.autostart) tell_systemd(house, {"start", "--no-block", unit_name(cloud.name)});
}

std::string words_of_autostart(const House& house) {
  if (house.options.root.empty()) return "comes up when this host boots";
  return fmt::format("comes up where {} is the root of a host that boots",
                     printable(absolute(house.options.root)));
}

void drop_autostart(House& house, const std::string& cloud) {
  const std::string path = unit_path(house, cloud);
  const auto text = host::read_file(path);
  if (!text || !text->starts_with(head_of(house, cloud))) return;
  std::error_code gone;
  fs::remove(link_path(house, cloud), gone);
  host::drop_file(path);
  house.reporter.note(fmt::format("{} is removed", path));
  tell_systemd(house, {"daemon-reload"});
}

}  // namespace nutshell
