// Rows of the command table on pools and leases; commands.cpp puts them among the others.
#include "app/cmd.hpp"

namespace nutshell {
namespace {

constexpr Option yes_option{"yes", "", "change the file without asking"};
constexpr Option add_options[] = {
    {"kind", "ipv4|subnet", "what it gives: single addresses and ranges, or whole subnets"},
    {"range", "RANGE", "FIRST-LAST, or a network a.b.c.d/n"},
    {"exclude", "RANGE", "what of it is never given; may be repeated", true},
    {"prefix", "N", "of a pool of subnets: the size of each (default: 24)"},
    yes_option};
constexpr Option rm_options[] = {yes_option};
constexpr Option ls_options[] = {{"pool", "POOL", "only this pool"}};
constexpr Option reserve_options[] = {{"note", "TEXT", "why, for `lease ls`"}};

}  // namespace

std::vector<Command> pool_commands() {
  const char* resources = "Resources";
  const Access change = Access::change, look = Access::look;
  return {
      {"pool ls",
       resources,
       "what the host has to give, how much of it is taken, and a map of who owns what",
       "",
       0,
       0,
       {},
       "nutshell pool ls\nnutshell pool ls --json | jq '.pools[] | select(.name == "
       "\"subnet\").map'\n",
       look,
       run_pool_ls},
      {"pool add", resources, "put a pool into nutshell.toml", "NAME", 1, 1, add_options,
       "nutshell --dry-run pool add public --kind ipv4 --range 192.0.2.0/26 --exclude 192.0.2.1\n",
       look, run_pool_add},
      {"pool rm", resources, "take a pool without leases out of nutshell.toml", "NAME", 1, 1,
       rm_options, "nutshell pool rm public --yes\n", look, run_pool_rm},
      {"lease ls", resources, "who has what", "", 0, 0, ls_options,
       "nutshell lease ls\nnutshell lease ls --pool mac\n", look, run_lease_ls},
      {"lease reserve", resources, "keep a value, or a range of addresses, out of use",
       "POOL VALUE", 2, 2, reserve_options,
       "nutshell lease reserve vnc :5 --note 'the other desk'\n", change, run_lease_reserve},
      {"lease release",
       resources,
       "give a reserved value back",
       "POOL VALUE",
       2,
       2,
       {},
       "nutshell lease release vnc :5\n",
       change,
       run_lease_release},
  };
}

}  // namespace nutshell
