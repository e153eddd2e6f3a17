// The QEMU binary: which one it is, and what it can do, learnt once.
#pragma once
#include <optional>
#include <string>

#include "host/kvm.hpp"
#include "nutshell/facts.hpp"

namespace nutshell::host {

/// The oldest QEMU whose features we build on: display-update (7.1) hands over the VNC listener;
/// JSON -device and -netdev came earlier.
inline constexpr int oldest_qemu_major = 7, oldest_qemu_minor = 1;

/// A usable QEMU, or one sentence on why there is none.
struct QemuLookup {
  std::optional<QemuFact> qemu;
  std::string trouble;
};
/// Finds `wanted` (a name or a path; empty: the first of the host's) and says what is known of it.
/// A binary that was not seen before is run twice (--version, -machine help; about 40 ms), and what
/// it says is noted in the folder `cache`; a known one costs a stat and a read. Never throws.
QemuLookup observe_qemu(const std::string& wanted, const std::string& cache, Notes notes);

/// Reads "QEMU emulator version 7.2.22 (...)" and the aliases in the list of machine types. False
/// when the text is not QEMU's. Pure.
bool parse_qemu_version(const std::string& text, QemuFact& qemu);
void parse_qemu_machines(const std::string& text, QemuFact& qemu);

}  // namespace nutshell::host
