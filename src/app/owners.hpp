// Whose a value is: an address, a MAC, a port, a link, a file, a process.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "app/house.hpp"

namespace nutshell {

struct Owner {
  std::string what;  ///< "MAC", "address", "display", "port", "tap", "file", "volume", "process"
  std::string cloud, machine;
  std::string detail;  ///< "NIC 0 on bridge br0"
  std::string since, foreign;
};

/// Everybody who has it; none when nobody is known. Throws UsageError when it is nothing of the
/// kind.
std::vector<Owner> find_owners(House& house, const std::string& value);
/// Of a path, or of "VG/LV".
std::vector<Owner> find_owners_of_file(House& house, const std::string& path);
/// The machine that has it by `detail`: what it is to that machine, in words; "" it has it not.
std::vector<Owner> machines_with(House& house, const std::string& what,
                                 const std::function<std::string(const MachineRow&)>& detail);
/// A machine (NAME or CLOUD/NAME), a cloud, a security group or a network.
std::vector<Owner> find_owners_by_name(House& house, const std::string& name);
/// Of a subnet or a range of addresses: the networks of ours that overlap it, and whoever has a
/// range, a subnet or a public address there.
std::vector<Owner> find_owners_of_span(House& house, const AddressRange& span);
/// Of an address in a range, or a cloud's subnet, that somebody has as a whole.
std::vector<Owner> find_owners_of_range(House& house, Ipv4 address);
/// The network whose bridge has that address, IPv4 or IPv6.
std::vector<Owner> find_network_address(House& house, const std::string& address);
/// Throws UsageError for what looks like a port or an address and can be none.
void refuse_garbage(const std::string& value);

}  // namespace nutshell
