// bridge create, rm, ls, adopt, confirm, release, repair: their words and options.
#include "app/cmd.hpp"

namespace nutshell {
namespace {

constexpr Option stp_option{"stp", "on|off", "spanning tree (default: off)"};
constexpr Option persist_option{"persist", "",
                                "keep it over a restart, in the host's own network configuration"};
constexpr Option bridge_create_options[] = {
    {"address", "A/P", "an address of the host on it, with prefix", true},
    {"mtu", "BYTES", "its MTU (default: as its ports have it)"},
    stp_option,
    {"forward-delay", "SECONDS", "of the spanning tree"},
    {"hello", "SECONDS", "of the spanning tree"},
    {"max-age", "SECONDS", "of the spanning tree"},
    {"vlan-filtering", "", "ports carry VLANs of their own"},
    {"isolated", "", "the host forwards nothing that comes from it, and it takes no uplink"},
    persist_option};
constexpr Option bridge_adopt_options[] = {
    {"uplink", "LINK", "the link whose addresses and routes move to the bridge"},
    {"timeout", "SECONDS", "put everything back unless confirmed by then (default: 60)"},
    stp_option,
    persist_option,
    {"force", "", "although something else on this host manages the uplink"}};
constexpr Option bridge_release_options[] = {
    {"force", "", "although machines are on the bridge, or something cannot be given back"}};

}  // namespace

std::vector<Command> bridge_commands() {
  const char* resources = "Resources";
  const auto change = Access::change;
  const auto look = Access::look;
  return {
      {"bridge ls",
       resources,
       "the bridges of this host, their ports and addresses",
       "",
       0,
       0,
       {},
       "nutshell bridge ls\n",
       look,
       run_bridge_ls},
      {"bridge create", resources, "make a bridge", "BRIDGE", 1, 1, bridge_create_options,
       "nutshell bridge create br5 --address 10.75.200.1/24 --isolated\n", change,
       run_bridge_create},
      {"bridge rm",
       resources,
       "remove a bridge that nutshell made",
       "BRIDGE",
       1,
       1,
       {},
       "nutshell bridge rm br5\n",
       change,
       run_bridge_rm},
      {"bridge adopt", resources, "move an uplink's addresses to a bridge, with a way back",
       "BRIDGE", 1, 1, bridge_adopt_options,
       "nutshell bridge adopt br9 --uplink em1\nnutshell --dry-run bridge adopt br9 --uplink em1\n",
       change, run_bridge_adopt},
      {"bridge confirm",
       resources,
       "say that the network works after an adoption",
       "BRIDGE",
       1,
       1,
       {},
       "nutshell bridge confirm br9\n",
       change,
       run_bridge_confirm},
      {"bridge release", resources, "give an uplink its addresses back", "BRIDGE", 1, 1,
       bridge_release_options, "nutshell bridge release br9\n", change, run_bridge_release},
      {"bridge repair",
       resources,
       "put machines back on a bridge that lost its ports",
       "BRIDGE",
       1,
       1,
       {},
       "nutshell bridge repair br0\n",
       change,
       run_bridge_repair},
  };
}

}  // namespace nutshell
