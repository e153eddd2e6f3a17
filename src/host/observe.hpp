// The host as a value: read in bulk, once, and only the parts that are asked for.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "host/kvm.hpp"
#include "nutshell/facts.hpp"

namespace nutshell::host {

/// Parts of Facts, as bits. Who we are (root, uid, gid), boot id, number of CPUs and hostname are
/// always read.
namespace part {
inline constexpr unsigned links = 1U << 0,  ///< one dump, well under 1 ms
    addresses = 1U << 1,                    ///< of links, IPv4
    routes = 1U << 2,                       ///< of all tables, IPv4
    macs = 1U << 3,   ///< of links, forwarding tables, neighbours, other QEMUs; links are read too
    ips = 1U << 4,    ///< neighbours and the host's own; links are read too
    ports = 1U << 5,  ///< TCP ports in the range that is asked for
    kvm = 1U << 6,    ///< and vhost_net, kvm_gid, the vendor of the CPU
    qemu = 1U << 7, memory = 1U << 8, dnsmasq = 1U << 9,
                          helper = 1U << 10,  ///< the bridge helper and its ACL; links are read too
    firmware = 1U << 11,                      ///< OVMF
    qemu_user = 1U << 12, all = (1U << 13) - 1;
}  // namespace part

struct ObserveOptions {
  unsigned parts = part::all;
  std::string cache;                   ///< paths.cache; empty: nothing is remembered
  Notes notes = Notes::keep;           ///< Notes::nothing in a dry run
  std::string qemu;                    ///< the binary that is asked for; empty: the host's first
  std::vector<std::string> our_uuids;  ///< of our machines: their QEMUs are not strangers
  std::uint16_t port_low = 5900, port_high = 6899;  ///< for part::ports
};

/// Throws SystemError or Failed when the kernel cannot be asked (netlink); what is merely missing
/// on the host is a fact, not an error.
Facts observe(const ObserveOptions& options);

/// "Xvnc (pid 311)" for the process that has the socket of that inode; "another process" where it
/// cannot be known (no root). Looks through all of /proc.
std::string socket_holder(std::uint32_t inode);

/// What qemu-bridge-helper would allow the user who asks, by its ACL file: deny wins over allow, a
/// file that may not be read allows nothing. `bridges` are those of the host. "all" is the first
/// when every bridge is allowed, those to come included.
std::vector<std::string> allowed_bridges(const std::string& acl_file,
                                         const std::vector<std::string>& bridges);

}  // namespace nutshell::host
