// The rows of the table on seeing what is: whose a thing is, which way packets go, what the host
// can do, and how it is given what it lacks.
#include "app/cmd.hpp"

namespace nutshell {
namespace {

constexpr Option path_options[] = {
    {"to", "ADDRESS", "the address at its other end, and how this host routes there"},
    {"watch", "", "then show what moves in each second, until Ctrl-C"}};
constexpr Option setup_options[] = {
    {"bridge", "BRIDGE", "let ordinary users put machines on this bridge", true},
    {"user", "NAME", "this user alone"},
    {"undo", "", "take all of it back"}};

}  // namespace

std::vector<Command> sight_commands() {
  const char *resources = "Resources", *host = "Host";
  const Access look = Access::look;
  return {
      {"who",
       resources,
       "whose an address, MAC, tap, port, disk or pid is",
       "VALUE",
       1,
       1,
       {},
       "nutshell who 52:54:00:12:34:60\nnutshell who :1\nnutshell who 10.75.0.2\nnutshell who "
       "8443/tcp\n",
       look,
       run_who},
      {"path", resources,
       "the host's devices that a machine's packets cross, and which of them is broken", "NAME", 1,
       1, path_options,
       "nutshell path ciab\nnutshell path ciab --to 192.0.2.1\nnutshell path ciab --json | jq "
       "'.paths[].broken'\n",
       look, run_path},
      {"doctor",
       host,
       "what this host can do, and what stands in the way",
       "",
       0,
       0,
       {},
       "nutshell doctor\n",
       look,
       run_doctor},
      {"setup", host, "give this host what it lacks for machines, and take it back", "", 0, 0,
       setup_options,
       "nutshell --dry-run setup\nnutshell setup --bridge br0 --user alice\nnutshell setup "
       "--undo\n",
       Access::none, run_setup},
  };
}

}  // namespace nutshell
