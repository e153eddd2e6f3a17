// Rows of the command table for security groups and public addresses; commands.cpp puts them among
// the others.
#include "app/cmd.hpp"

namespace nutshell {
namespace {

constexpr Option cloud_option{"cloud", "CLOUD", "the cloud that it belongs to (default: default)"};
constexpr Option create_options[] = {cloud_option,
                                     {"description", "TEXT", "what it is for, in your words"}};
constexpr Option rule_options[] = {
    cloud_option,
    {"protocol", "tcp|udp|icmp|all", "what may come in"},
    {"port", "N[-M]", "to which ports (default: every port)"},
    {"from", "CIDR", "from which addresses, such as 203.0.113.0/24 (default: from anywhere)"},
    {"from-group", "GROUP", "from the machines of a group of the same cloud"}};
constexpr Option group_options[] = {cloud_option};
constexpr Option allocate_options[] = {
    {"cloud", "CLOUD", "the cloud that gets it (default: default)"},
    {"pool", "POOL", "out of this pool (default: the one that has it, or the only one)"}};

}  // namespace

std::vector<Command> firewall_commands() {
  const char* firewall = "Firewall";
  const auto change = Access::change;
  const auto look = Access::look;
  return {
      {"group create", firewall, "make a security group: nobody in, everything out", "GROUP", 1, 1,
       create_options, "nutshell group create web --description 'the front'\n", change,
       run_group_create},
      {"group authorize", firewall, "let something in to the machines of a group", "GROUP", 1, 1,
       rule_options,
       "nutshell group authorize web --protocol tcp --port 80-443\n"
       "nutshell group authorize db --protocol tcp --port 5432 --from-group web\n",
       change, run_group_authorize},
      {"group revoke", firewall, "take that back, open connections included", "GROUP", 1, 1,
       rule_options, "nutshell group revoke web --protocol tcp --port 80-443\n", change,
       run_group_revoke},
      {"group ls", firewall, "list the groups, their rules and their machines", "[GROUP]", 0, 1,
       group_options, "nutshell group ls\nnutshell group ls web --json\n", look, run_group_ls},
      {"group rm", firewall, "remove a group that nothing needs", "GROUP", 1, 1, group_options,
       "nutshell group rm web\n", change, run_group_rm},
      {"address allocate", firewall, "take a public address for a cloud", "[ADDRESS]", 0, 1,
       allocate_options,
       "nutshell address allocate --cloud shop\nnutshell address allocate 203.0.113.7\n", change,
       run_address_allocate},
      {"address associate",
       firewall,
       "lead a public address to a machine, one to one",
       "ADDRESS NAME",
       2,
       2,
       {},
       "nutshell address associate 203.0.113.7 shop/web\n",
       change,
       run_address_associate},
      {"address disassociate",
       firewall,
       "lead it nowhere again",
       "ADDRESS",
       1,
       1,
       {},
       "nutshell address disassociate 203.0.113.7\n",
       change,
       run_address_disassociate},
      {"address ls",
       firewall,
       "list the public addresses and where they lead",
       "",
       0,
       0,
       {},
       "nutshell address ls\n",
       look,
       run_address_ls},
      {"address release",
       firewall,
       "give a public address back",
       "ADDRESS",
       1,
       1,
       {},
       "nutshell address release 203.0.113.7\n",
       change,
       run_address_release},
  };
}

}  // namespace nutshell
