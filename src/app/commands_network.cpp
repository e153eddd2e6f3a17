// Rows of the command table for managed networks; commands.cpp puts them among the others.
#include "app/commands_network.hpp"

#include "app/cmd.hpp"

namespace nutshell {
namespace {

constexpr Option network_options[] = {
    {"mode", "nat|routed|isolated", "how it is joined to the rest of the world (default: nat)"},
    {"subnet", "A.B.C.0/P", "its addresses (default: the next free range of the pool subnet)"},
    {"ipv6", "PREFIX/64", "advertise this prefix, too"},
    {"mtu", "N", "what its bridge carries, in bytes (default: 1500)"},
    {"dns", "on|off",
     "find its machines by NAME.CLOUD.nutshell; off: no resolver at all (default: on)"}};

}  // namespace

std::vector<Command> network_commands() {
  const char* resources = "Resources";
  const auto change = Access::change;
  const auto look = Access::look;
  return {
      {"network create", resources, "make a network with DHCP and DNS for machines", "NAME", 1, 1,
       network_options,
       "nutshell network create lab\n"
       "nutshell network create dmz --mode routed --subnet 203.0.113.0/28\n"
       "nutshell network create quiet --mode isolated --ipv6 fd00:75::/64 --dns off\n",
       change, run_network_create},
      {"network ls",
       resources,
       "list the networks and who is on them",
       "",
       0,
       0,
       {},
       "nutshell network ls\n",
       look,
       run_network_ls},
      {"network rm",
       resources,
       "remove a network that no machine is on",
       "NAME",
       1,
       1,
       {},
       "nutshell network rm lab\n",
       change,
       run_network_rm},
  };
}

}  // namespace nutshell
