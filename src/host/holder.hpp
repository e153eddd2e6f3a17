// Who has a file or a socket open, found through /proc/PID/fd. Root sees everybody, others see
// their own processes.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace nutshell::host {

/// "Xvnc (pid 311)", from a pid.
std::string process_words(int pid);
/// The pid that has the socket of that inode open.
std::optional<int> find_socket_holder(std::uint32_t inode);

enum class Transport { udp, both };
/// Who is bound to that port by UDP (or TCP, too), by either family, in words: "named (pid 7)";
/// several are joined by "and", "another process" stands for whom it cannot name.
std::string port_holders(unsigned port, Transport transport);

/// What a descriptor is to be to count.
enum class OpenFor { anything, writing };
/// The first other process that has that file or block device open. For a block device `device` is
/// its own number (st_rdev) and `inode` 0; for a file st_dev and st_ino.
std::optional<int> find_file_holder(dev_t device, ino_t inode, OpenFor open_for);

}  // namespace nutshell::host
