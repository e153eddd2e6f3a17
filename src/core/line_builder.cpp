// The collector behind render_line. Descriptor numbers are given in the order of asking, so that
// the same spec always has the same line, and a line can be shown before anything is open.
#include "core/line_builder.hpp"

#include <fmt/format.h>

namespace nutshell {

std::vector<std::string> Line::argv() const {
  if (program.empty()) return {};
  std::vector<std::string> words{program};
  for (const Arg& arg : args) {
    if (!arg.option.empty()) words.push_back(arg.option);
    if (!arg.value.empty() || arg.option == "-append") words.push_back(arg.value);
  }
  return words;
}

std::string escape_option(std::string_view value, const std::string& where) {
  std::string out;
  for (const char c : value) {
    if (c == '\0' || c == '\n' || c == '\r')
      throw ConfigError(
          where,
          fmt::format("'{}' holds a line break, which QEMU's options cannot carry; rename the file",
                      printable(value)));
    out += c;
    if (c == ',') out += ',';
  }
  return out;
}

std::string LineBuilder::origin(const std::string& field) const {
  const auto found = spec_.origins.find(field);
  return found == spec_.origins.end() ? "default" : found->second;
}

void LineBuilder::add(std::string option, std::string value, std::string meaning,
                      std::string origin) {
  line_.args.push_back(
      {std::move(option), std::move(value), std::move(meaning), std::move(origin)});
}

void LineBuilder::add_json(std::string option, const Json& value, std::string meaning,
                           std::string origin) {
  add(std::move(option), value.dump(), std::move(meaning), std::move(origin));
}

int LineBuilder::hand(Handle::What what, std::string path, unsigned nic) {
  line_.handles.push_back({what, next_fd_, std::move(path), nic});
  return next_fd_++;
}

std::string LineBuilder::hand_file(Handle::What what, const std::string& path,
                                   const std::string& name) {
  const int fd = hand(what, path);
  const int set = next_set_++;
  add("-add-fd", fmt::format("fd={},set={},opaque={}", fd, set, name),
      fmt::format("hand over {} as an open descriptor, so that QEMU needs no right to its path",
                  printable(path)),
      "nutshell");
  return fmt::format("/dev/fdset/{}", set);
}

void LineBuilder::run_before(std::string command) { line_.before.push_back(std::move(command)); }

void LineBuilder::redirect(const std::string& redirection) {
  line_.redirections += (line_.redirections.empty() ? "" : " ") + redirection;
}

Line LineBuilder::finish(std::string program) && {
  line_.program = std::move(program);
  return std::move(line_);
}

namespace {
// Bands of bootindex: what is first in the order asked for, then disks, the CD-ROM's place behind
// them, the network.
constexpr int first_band = 1, disk_band = 20, cdrom_behind_disks = 60, network_band = 70;
}  // namespace

int disk_bootindex(const MachineSpec&, std::size_t disk) {
  return disk_band + static_cast<int>(disk);
}

int nic_bootindex(const MachineSpec& spec, std::size_t nic) {
  return (spec.boot == BootOrder::net ? first_band : network_band) + static_cast<int>(nic);
}

int cdrom_bootindex(const MachineSpec& spec) {
  const bool first = spec.boot == BootOrder::cdrom || spec.boot == BootOrder::once_cdrom;
  return first ? first_band : cdrom_behind_disks;
}

std::optional<int> bootindex_after_first_boot(const MachineSpec& spec) {
  if (spec.boot != BootOrder::once_cdrom || !spec.has_cdrom_drive()) return std::nullopt;
  return cdrom_behind_disks;
}

std::string cdrom_qom_path() { return "/machine/peripheral/cd0"; }

}  // namespace nutshell
