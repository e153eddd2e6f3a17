// What /proc says of processes, and signals that cannot hit a stranger: a pid alone is reused, a
// pid with its start time is an identity, and a pidfd stays with the process that it was opened
// for.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/fd.hpp"
#include "nutshell/values.hpp"

namespace nutshell::host {

/// One process for all time (until the host restarts).
struct Identity {
  int pid = 0;
  std::uint64_t start_time = 0;  ///< field 22 of /proc/PID/stat, clock ticks since boot (proc(5))
  bool operator==(const Identity&) const = default;
};

/// Field 22 of /proc/PID/stat; nullopt when there is no such process, or it has ended and is a
/// zombie.
std::optional<std::uint64_t> start_time(int pid);
/// The argv of a process; empty when it is gone, a zombie, or a kernel thread.
std::vector<std::string> command_line(int pid);
/// True when it was stopped (SIGSTOP, a debugger): it runs no further until somebody lets it.
bool is_stopped(int pid);
/// /proc/PID/comm, at most 15 bytes; empty when it is gone.
std::string process_name(int pid);
/// Every pid that /proc shows.
std::vector<int> pids();

/// The QEMU that was started with `-uuid UUID`; nullopt when none runs.
std::optional<int> find_qemu_by_uuid(const Uuid& uuid);

/// A pidfd of that very process: opened first, then its start time and the `-uuid UUID` in its argv
/// are checked. nullopt when it is gone or another. Throws SystemError (ENOSYS, EMFILE).
std::optional<Fd> open_checked_pidfd(const Identity& identity, const Uuid& uuid);
/// The same for a process that is known by one whole argument of its argv.
std::optional<Fd> open_checked_pidfd(const Identity& identity, const std::string& argument);
/// The same by pid and start time alone, for a process that we have started just now.
std::optional<Fd> open_pidfd(const Identity& identity);
/// Sends a signal; false when the process is gone already. Throws SystemError (EPERM).
bool send_signal(const Fd& pidfd, int signal);
/// Waits until the process has ended (a zombie has); false when it still runs after `wait`.
bool wait_until_gone(const Fd& pidfd, std::chrono::milliseconds wait);

/// What one running QEMU says it uses, by its argv.
struct QemuProcess {
  int pid = 0;
  std::string uuid;                ///< lower case; empty: it was given none
  std::vector<Mac> macs;           ///< named in -device, -net and -nic
  std::vector<unsigned> displays;  ///< TCP displays of -vnc and -display vnc=
  std::vector<std::string> disks;  ///< files named in -drive, -blockdev, -cdrom, -hda and the like
};
/// The same, from an argv; pure.
QemuProcess parse_qemu(const std::vector<std::string>& argv);
/// Every QEMU whose argv may be read: all of them, unless /proc is mounted with hidepid.
std::vector<QemuProcess> running_qemus();

}  // namespace nutshell::host
