// Disks, NICs and waits in the words of a cloud's file.
#pragma once
#include <string>
#include <vector>

#include "nutshell/cloud.hpp"

namespace nutshell {

/// The disk as parse_disk() reads it: "100G,bus=ide", "path=/dev/vg01/ciab,ro".
std::string disk_words(const DiskSpec& disk);
/// The NIC as parse_nic() reads it: "network=lab,model=e1000"; of one that names nothing at all,
/// "the default".
std::string nic_words(const NicSpec& nic);
/// "front:port=22, node1, ..."
std::string after_words(const std::vector<After>& after);

}  // namespace nutshell
