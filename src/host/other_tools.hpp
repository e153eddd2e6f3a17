// Networks that libvirt and Docker keep for themselves. One that is down shows on no link and in no
// route, and yet it comes up with its old addresses; so their own files are asked.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "nutshell/facts.hpp"

namespace nutshell::host {

/// What a network file of libvirt's says: its addresses and the routes that it lays. What cannot be
/// read in it is passed over; `name` is told where the file has none.
std::vector<RangeFact> libvirt_ranges(std::string_view xml, const std::string& name);
/// What Docker's daemon.json keeps for its networks: its pools, and the network of docker0.
std::vector<RangeFact> docker_ranges(std::string_view json);

/// Both, from the files in /etc. Files that are not there, or may not be read, are none; never
/// throws for what is in them.
std::vector<RangeFact> observe_other_tools();
/// The networks that these tools have up on bridges of theirs, of the links and addresses that were
/// seen: docker0, br- with 12 hex digits, virbrN.
std::vector<RangeFact> tool_bridges(const Facts& facts);

}  // namespace nutshell::host
