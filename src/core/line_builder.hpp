// Collects the parts of a QEMU line: each with its meaning and origin, and the descriptors it
// refers to.
#pragma once
#include <string>
#include <utility>

#include "nutshell/argv.hpp"
#include "nutshell/json.hpp"

namespace nutshell {

/// The number of the first descriptor that is handed to QEMU; above stdio, below any limit.
inline constexpr int first_handed_fd = 10;

class LineBuilder {
 public:
  explicit LineBuilder(const MachineSpec& spec) : spec_(spec) {}

  /// Where the field came from, or "default".
  [[nodiscard]] std::string origin(const std::string& field) const;
  void add(std::string option, std::string value, std::string meaning,
           std::string origin = "default");
  /// An option whose value is a JSON object (-blockdev, -device, -netdev, -object).
  void add_json(std::string option, const Json& value, std::string meaning,
                std::string origin = "default");
  /// Hands a descriptor over; returns its number in QEMU.
  int hand(Handle::What what, std::string path, unsigned nic = 0);
  /// Hands a file over as an fdset; returns "/dev/fdset/N".
  std::string hand_file(Handle::What what, const std::string& path, const std::string& name);
  /// By hand: a command that must have run, and what the shell must open for QEMU.
  void run_before(std::string command);
  void redirect(const std::string& redirection);
  [[nodiscard]] Line finish(std::string program) &&;

 private:
  const MachineSpec& spec_;
  Line line_;
  int next_fd_ = first_handed_fd;
  int next_set_ = 1;
};

/// Boot positions: what is first in the order asked for comes first; the CD-ROM has a place behind
/// the disks to move to.
int disk_bootindex(const MachineSpec& spec, std::size_t disk);
int nic_bootindex(const MachineSpec& spec, std::size_t nic);
int cdrom_bootindex(const MachineSpec& spec);

void render_disks(LineBuilder& line, const MachineSpec& spec, const Places& places);
void render_cdrom(LineBuilder& line, const MachineSpec& spec);
void render_nics(LineBuilder& line, const MachineSpec& spec, const Places& places);
/// Network cards for a shell.
void hand_nics(LineBuilder& line, const MachineSpec& spec);

}  // namespace nutshell
