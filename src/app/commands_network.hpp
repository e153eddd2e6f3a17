// The commands of managed networks: their part of the table.
#pragma once
#include <vector>

#include "app/command.hpp"

namespace nutshell {

std::vector<Command> network_commands();

}  // namespace nutshell
