// From a line to a QEMU in prelaunch that has been verified: descriptors open, process started,
// display handed over, features really there.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "host/child.hpp"
#include "host/handles.hpp"
#include "host/qmp.hpp"
#include "nutshell/argv.hpp"

namespace nutshell::host {

struct QemuStart {
  std::string who;  ///< the machine, for errors
  Line line;
  std::vector<TapPlace> taps;  ///< per NIC
  std::string bridge_helper;
  std::string log;  ///< QEMU's stdout and stderr
  Qmp::Place qmp;
  std::optional<RunAs> run_as;
  int vnc_socket = -1;            ///< a listening socket to hand over; -1: none
  std::string vnc_unix;           ///< a socket is made here and handed over; empty: none
  std::string vnc_password_file;  ///< read, and set before the display opens; empty: no password
  std::optional<int> cdrom_bootindex_later;  ///< boot once: where the CD-ROM goes before `cont`
  std::vector<std::string> cpu_flags;        ///< asked for; must be there
  bool kvm = false;
};

struct StartedQemu {
  Identity identity;
  Qmp qmp;
};

/// Throws with QEMU's own stderr when it dies first, and kills what it started when anything else
/// fails.
StartedQemu start_qemu(const QemuStart& start);

/// The tail of a log, at most `limit` bytes; empty when it cannot be read.
std::string read_tail(const std::string& path, std::size_t limit);

}  // namespace nutshell::host
