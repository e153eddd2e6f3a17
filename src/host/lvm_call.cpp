// How lvm is called, once. What its host's lvm.conf says of devices does not matter: with --devices
// its filters and its devices file are left aside (lvm(8)), and logical volumes, whose content is a
// guest's, are never scanned. When we are killed lvm gets SIGTERM, not SIGKILL: it blocks it while
// it holds a group's lock, so that no volume stays suspended half-way.
#include "host/lvm_call.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <csignal>
#include <sstream>

#include "host/files.hpp"
#include "host/tool.hpp"
#include "nutshell/error.hpp"
#include "nutshell/values.hpp"

namespace nutshell::host {
namespace {

constexpr std::chrono::seconds longest_call{60};
/// With issue_discards=1 lvm discards all of the volume first, which large old disks do slowly.
constexpr std::chrono::seconds longest_removal{600};
constexpr std::chrono::seconds to_finish{10};
/// Whatever lvm.conf(5) says of reports: these columns, in this form.
constexpr std::string_view plain_report =
    " report/compact_output=0 report/binary_values_as_numeric=0 report/mark_hidden_devices=0"
    " report/list_item_separator=\",\" report/buffered=1 log/report_command_log=0";
constexpr std::size_t longest_sentence = 1000;  // of one who floods
constexpr Bytes longest_report = 64 * mebi;     // ten thousand volumes make four

std::string settings_of(const LvmCall& call) {
  std::string settings = "devices/scan_lvs=0 log/prefix=\"\" log/command_names=0";
  // Without udev nobody answers the cookies that lvm would wait for, nor makes the nodes.
  if (!file_exists("/run/udev/control"))
    settings += " activation/udev_sync=0 activation/udev_rules=0";
  if (call.report) settings += plain_report;
  return call.config.empty() ? settings : settings + ' ' + call.config;
}

}  // namespace

LvmAnswer call_lvm(const LvmCall& call) {
  Tool tool{.argv = {"lvm"}, .input = {}, .environment = {}};
  tool.argv.insert(tool.argv.end(), call.command.begin(), call.command.end());
  tool.argv.insert(tool.argv.end(), {"-qq", "--config", settings_of(call)});
  if (call.report)
    tool.argv.insert(tool.argv.end(), {"--reportformat", "json", "--units", "b", "--nosuffix"});
  if (!call.devices.empty())
    tool.argv.insert(tool.argv.end(),
                     {"--devices", fmt::format("{}", fmt::join(call.devices, ","))});
  tool.timeout = call.command.front() == "lvremove" ? longest_removal : longest_call;
  tool.grace = to_finish;
  tool.orphan_signal = SIGTERM;
  tool.output_limit = longest_report;
  tool.environment = {{"LVM_SUPPRESS_FD_WARNINGS", "1"}};
  try {
    ToolResult result = run(tool);
    if (result.status != 0 && ::geteuid() != 0 &&
        result.stderr_tail.find("ermission denied") != std::string::npos)
      throw Failed("logical volumes are root's to look at and to change: run this again with sudo");
    return {result.status, std::move(result.output), std::move(result.stderr_tail)};
  } catch (const CommandFailed& error) {
    // What it was asked for would fill the screen: its verb is enough.
    std::string sentence = error.what();
    if (const std::size_t ended = sentence.find(" failed ("); ended != std::string::npos)
      sentence.replace(0, ended, "lvm " + call.command.front());
    const bool in_time = sentence.find("did not end within") == std::string::npos;
    if (sentence.size() > longest_sentence)
      sentence.replace(longest_sentence, std::string::npos, " ...");
    if (in_time) throw Failed(sentence);
    throw Failed(fmt::format(
        "{}; another lvm command may hold the lock of the group (`ps -C lvm` shows it), or a disk "
        "does not answer (`dmesg` says so)",
        sentence));
  }
}

std::string words_of_lvm(const std::string& errors) {
  std::istringstream lines(errors);
  std::string words;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t start = line.find_first_not_of(" \t\r");
    if (start == std::string::npos) continue;
    line.erase(0, start);
    while (line.back() == ' ' || line.back() == '\r' || line.back() == '.') {
      line.pop_back();
      if (line.empty()) break;
    }
    if (line.empty() || line.starts_with("WARNING:") || line.starts_with("File descriptor "))
      continue;
    if (!words.empty()) words += "; ";
    words += printable(line);
  }
  return words.empty() ? "lvm said nothing" : words;
}

}  // namespace nutshell::host
