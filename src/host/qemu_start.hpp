// From a line to a QEMU in prelaunch that has been verified: descriptors open, process started,
// display handed over, features really there. In two halves: what else a start needs is done while
// QEMU gets ready, which takes it tens of milliseconds.
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

/// A QEMU that gets ready. Ours until it is met: with this, the process ends.
class NewQemu {
 public:
  NewQemu(Identity identity, Qmp qmp);
  NewQemu(NewQemu&& other) noexcept;
  NewQemu& operator=(NewQemu&& other) noexcept;
  ~NewQemu();
  [[nodiscard]] Identity identity() const { return identity_; }

 private:
  friend StartedQemu meet_qemu(const QemuStart& start, NewQemu& qemu);
  Identity identity_;
  Qmp qmp_;
};

/// Opens what it needs and starts it; its guest stands still. When this returns, its taps are there
/// and are QEMU's alone, and its control socket is ours.
NewQemu spawn_qemu(const QemuStart& start);
/// Waits until it is ready, and verifies that everything that was asked for is there. Throws with
/// QEMU's own stderr when it has died.
StartedQemu meet_qemu(const QemuStart& start, NewQemu& qemu);

/// The tail of a log, at most `limit` bytes; empty when it cannot be read.
std::string read_tail(const std::string& path, std::size_t limit);

}  // namespace nutshell::host
